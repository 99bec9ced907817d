#include "platform/win32/object.h"
#include "platform/win32/process.h"

#include <stdlib.h>

/* Freed when the peer record shows another process and no sleep watches this one any more. */
struct watched {
    uint32_t pid;
    uint64_t started;
    HANDLE process; /* NULL: it may not be opened; the ticks find its death */
    bool ended;
    bool retired;
    uint32_t users;
};

static void forget(struct watched *w) {
    if (w->process != NULL)
        CloseHandle(w->process);
    free(w);
}

static void retire(struct watched **place) {
    struct watched *w = *place;
    *place = NULL;
    if (w == NULL)
        return;
    w->retired = true;
    if (w->users == 0)
        forget(w);
}

/* A process id is reused, but never with the same creation time. */
static bool open_process(struct watched *w) {
    w->process = OpenProcess(SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE, w->pid);
    if (w->process == NULL)
        return GetLastError() == ERROR_ACCESS_DENIED;
    return shmi_process_runs(w->process, w->started);
}

/* False if the process has ended already. */
static bool begin_watching(struct object *o, uint32_t peer, uint32_t pid, uint64_t started) {
    struct watched *w = calloc(1, sizeof *w);
    if (w == NULL)
        return true;
    w->pid = pid;
    w->started = started;
    w->ended = !open_process(w);
    o->watch.peers[peer] = w;
    return !w->ended;
}

static bool is_watched(const struct watched *w, uint32_t pid, uint64_t started) {
    return w != NULL && w->pid == pid && w->started == started;
}

/* Updates the watch from the peer's record. False if the peer's process was found dead just now. */
static bool refresh(struct object *o, uint32_t peer) {
    const struct peer_record *record = &o->base->peers[peer];
    struct watched **place = &o->watch.peers[peer];
    if (load_acquire32(&record->status) == PEER_VACANT) {
        retire(place);
        return true;
    }
    uint32_t pid = load_relaxed32(&record->pid);
    uint64_t started = load_relaxed64(&record->origin);
    if (pid == shmi_process_id() || is_watched(*place, pid, started))
        return true;
    retire(place);
    return begin_watching(o, peer, pid, started);
}

/* Bounds the set here, as the peer records cannot be trusted. */
static void add(struct watch_set *set, struct watched *w) {
    if (w == NULL || w->ended || w->process == NULL || set->count == WATCHED_MAX)
        return;
    w->users++;
    set->watched[set->count] = w;
    set->handles[set->count] = w->process;
    set->count++;
}

bool shmi_watch_begin(struct object *o, struct watch_set *set) {
    bool all_live = true;
    set->count = 0;
    AcquireSRWLockExclusive(&o->watch.lock);
    for (uint32_t peer = 0; peer < PEERS; peer++) {
        if (peer == o->self)
            continue;
        all_live = refresh(o, peer) && all_live;
        add(set, o->watch.peers[peer]);
    }
    ReleaseSRWLockExclusive(&o->watch.lock);
    if (!all_live)
        add_seq_cst32(&o->watch.deaths, 1);
    return all_live;
}

static void release(struct watched *w) {
    w->users--;
    if (w->retired && w->users == 0)
        forget(w);
}

void shmi_watch_end(struct object *o, struct watch_set *set, uint32_t ended) {
    AcquireSRWLockExclusive(&o->watch.lock);
    if (ended < set->count) {
        set->watched[ended]->ended = true;
        add_seq_cst32(&o->watch.deaths, 1);
    }
    for (uint32_t i = 0; i < set->count; i++)
        release(set->watched[i]);
    ReleaseSRWLockExclusive(&o->watch.lock);
}

void shmi_watch_close(struct object *o) {
    for (uint32_t peer = 0; peer < PEERS; peer++)
        retire(&o->watch.peers[peer]);
}
