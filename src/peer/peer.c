#include "peer/peer.h"

#include "base/text.h"
#include "base/thread.h"
#include "region/liveness.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static struct local_eventcount eventcount_of(const shmipc_peer *p, enum eventcount_name name) {
    return region_eventcount(&p->region, name, p->index);
}

static struct direction direction_of(const shmipc_peer *p, bool host_slots) {
    const struct geometry *g = &p->region.geometry;
    return (struct direction){
        .first = host_slots ? 0 : g->host_slots,
        .count = host_slots ? g->host_slots : g->guest_slots,
        .request_capacity = g->request_capacity,
        .response_capacity = g->response_capacity,
        .requests =
            eventcount_of(p, host_slots ? EVENTCOUNT_HOST_REQUEST : EVENTCOUNT_GUEST_REQUEST),
        .vacancies = eventcount_of(p, host_slots ? EVENTCOUNT_HOST_FREE : EVENTCOUNT_GUEST_FREE),
    };
}

/* In a forked child: no thread has the claims of the parent's threads. Touches private memory
   only. */
static void forget_region(void *context) {
    shmipc_peer *p = context;
    store_relaxed32(&p->life.phase, PEER_CLOSED);
    store_relaxed32(&p->life.gone, DEPARTED);
    store_relaxed32(&p->life.forked, 1);
    for (uint32_t i = 0; i < region_slots(&p->region); i++) {
        uint32_t claim = load_relaxed32(&p->slots[i].claim);
        store_relaxed32(&p->slots[i].claim, claim + claim % 2);
    }
}

static void set_up(shmipc_peer *p, const struct peer_settings *settings) {
    const struct geometry *g = &p->region.geometry;
    const int64_t spin_ns =
        shmi_spin_time(settings->spin_ns, (uint64_t)g->request_capacity + g->response_capacity);
    const struct spin_budget spins = shmi_spin_budget(spin_ns);
    const struct hold_off hold_off = shmi_hold_off(&spins, spin_ns);
    for (uint32_t i = 0; i < region_slots(&p->region); i++) {
        p->slots[i].shared = region_slot(&p->region, i);
        p->slots[i].spins = spins;
        p->slots[i].hold_off = hold_off;
    }
    store_relaxed32(&p->life.holders, 1);
    p->processors = shmi_cpu_count();
    p->calling.claim_spins = spins;
    p->serving.wait_spins = spins;
    p->serving.spins = spins;
    p->serving.hold_off = hold_off;
    p->calling.collect_spins = spins;
    p->calls = direction_of(p, peer_is_host(p));
    p->serves = direction_of(p, !peer_is_host(p));
    shmi_turns_begin(&p->calling.turns);
    shmi_durations_begin(&p->serving.durations, p->processors, p->serves.count);
    p->membership.changes = eventcount_of(p, EVENTCOUNT_MEMBERS);
    p->calling.answers = region_answers(&p->region, p->index);
    p->calls_only = settings->calls_only;
    p->wait_ready = settings->wait_ready;
    p->log = settings->log;
    p->log_context = settings->log_context;
    shmi_object_on_fork(p->region.object, forget_region, p);
}

/* Removes a peer that failed to open, without an event for other peers. */
static void withdraw(struct region *region, uint32_t index) {
    if (index == HOST)
        (void)shmi_object_unpublish(region->object);
    else
        store_release32(&region->shared->peers[index].status, PEER_VACANT);
    shmi_region_close(region);
}

int shmi_peer_open(struct region region, uint32_t index, owner self,
                   const struct peer_settings *settings, shmipc_peer **peer) {
    size_t slots_size = region_slots(&region) * sizeof(struct local_slot);
    shmipc_peer *p = shmi_memory_allocate(sizeof *p);
    struct local_slot *slots = shmi_memory_allocate(slots_size);
    if (p == NULL || slots == NULL) {
        shmi_memory_free(p);
        shmi_memory_free(slots);
        withdraw(&region, index);
        return shmi_fail(SHMIPC_E_NO_MEMORY, "no memory for %zu bytes of peer state",
                         sizeof *p + slots_size);
    }
    p->region = region;
    p->index = index;
    p->self = self;
    p->slots = slots;
    set_up(p, settings);
    *peer = p;
    return SHMIPC_OK;
}

int shmi_peer_check_server(const shmipc_peer *p) {
    if (p == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the peer is NULL");
    if (!p->calls_only)
        return SHMIPC_OK;
    return shmi_fail(SHMIPC_E_INVALID, "guest %u only calls: it was attached with CALLS_ONLY",
                     (unsigned)p->index);
}

int shmi_refuse_timeout(int64_t timeout) {
    return shmi_fail(SHMIPC_E_INVALID,
                     "the time-out is %lld ns, allowed: 0 and above, or -1 (forever)",
                     (long long)timeout);
}

/* seq_cst: pairs with the thread that stores 1, then detaches. */
void shmi_peer_await_settlement(shmipc_peer *p) {
    while (load_seq_cst32(&p->life.cutting) != 0)
        (void)shmi_word_wait(NULL, &p->life.cutting, 1, CLOCK_NEVER, NO_HOME);
}

void shmi_peer_tell_departure(shmipc_peer *p) {
    add_seq_cst32(&p->life.exit_sequence, 1);
    (void)shmi_word_wake(NULL, &p->life.exit_sequence, WAKE_ALL);
}

void shmi_peer_leave(shmipc_peer *p) {
    add_seq_cst32(&p->life.users, UINT32_MAX);
    peer_note_departure(p);
}

/* seq_cst: either the closing thread sees us inside, or we see that it closes. */
bool shmi_peer_try_enter(shmipc_peer *p) {
    add_seq_cst32(&p->life.users, 1);
    if (load_seq_cst32(&p->life.phase) != PEER_CLOSED)
        return true;
    shmi_peer_leave(p);
    return false;
}

int shmi_peer_enter(shmipc_peer *p) {
    if (p == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the peer is NULL");
    return shmi_peer_try_enter(p) ? SHMIPC_OK : shmi_fail(SHMIPC_E_CLOSED, "the peer is closed");
}

void shmi_peer_begin_serving(shmipc_peer *p, struct served *served) {
    struct thread_state *thread = shmi_thread_state();
    add_seq_cst32(&p->life.holders, 1);
    *served = (struct served){.peer = p, .outer = thread->serving};
    thread->serving = served;
}

void shmi_peer_end_serving(struct served *served) {
    shmipc_peer *p = served->peer;
    if (p == NULL)
        return;
    served->peer = NULL;
    shmi_thread_state()->serving = served->outer;
    shmi_peer_let_go(p);
}

bool shmi_peer_is_served_here(const shmipc_peer *p) {
    const struct served *served = shmi_thread_state()->serving;
    while (served != NULL && served->peer != p)
        served = served->outer;
    return served != NULL;
}

/* seq_cst: everything that the holders did precedes `end`, which was stored before the user's
   reference was dropped. */
void shmi_peer_let_go(shmipc_peer *p) {
    if (add_seq_cst32(&p->life.holders, UINT32_MAX) == 1)
        p->life.end(p);
}

int shmi_peer_refuse(const shmipc_peer *p) {
    uint32_t phase = load_seq_cst32(&p->life.phase);
    if (phase == PEER_CLOSED)
        return shmi_fail(SHMIPC_E_CLOSED, "the peer is closed");
    if (phase == PEER_DRAINING)
        return shmi_fail(SHMIPC_E_SHUTDOWN, "the peer is shutting down");
    if (load_relaxed32(&p->life.corrupt))
        return shmi_fail(SHMIPC_E_CORRUPT, "the region was found corrupt before");
    if (load_relaxed32(&p->membership.host_lost) == NAME_IS_LOST)
        return shmi_peer_name_refusal(p);
    if (load_relaxed32(&p->membership.host_lost))
        return shmi_fail(SHMIPC_E_NO_PEER, "the host of the region has died");
    return shmi_fail(SHMIPC_E_SHUTDOWN, "the host is shutting down");
}

static void log_text(const shmipc_peer *p, shmipc_log_level level, const char *format,
                     va_list arguments) {
    char text[256];
    char line[512];
    if (p->log == NULL || load_relaxed32(&p->life.gone) == DEPARTED) /* its user may be gone too */
        return;
    (void)vsnprintf(text, sizeof text, format, arguments);
    shmi_text_escape(line, sizeof line, text, strlen(text));
    const int cancellation = shmi_cancellation_off();
    p->log(p->log_context, level, line);
    shmi_cancellation_restore(cancellation);
}

void shmi_peer_log(const shmipc_peer *p, shmipc_log_level level, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    log_text(p, level, format, arguments);
    va_end(arguments);
}

void shmi_peer_tell_trouble(const shmipc_peer *p) {
    const char *trouble = shmi_object_trouble(p->region.object);
    if (trouble != NULL)
        shmi_peer_log(p, SHMIPC_LOG_WARN, "%s", trouble);
}

/* Some would sleep for seconds. */
static void wake_all_waiters(shmipc_peer *p) {
    (void)shmi_eventcount_notify(&p->membership.changes, WAKE_ALL);
    (void)shmi_eventcount_notify(&p->serves.requests, WAKE_ALL);
    (void)shmi_eventcount_notify(&p->calls.vacancies, WAKE_ALL);
}

int shmi_peer_mark_corrupt(shmipc_peer *p, const char *format, ...) {
    char text[200];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (exchange_seq_cst32(&p->life.corrupt, 1) == 0)
        wake_all_waiters(p);
    shmi_peer_log(p, SHMIPC_LOG_ERROR, "region corrupt: %s", text);
    return shmi_fail(SHMIPC_E_CORRUPT, "region corrupt: %s", text);
}

void shmi_peer_notify(shmipc_peer *p, struct local_eventcount *eventcount, uint32_t wake_count) {
    (void)shmi_eventcount_notify(eventcount, wake_count);
    add_relaxed64(&p->wakes);
}

void shmi_peer_notify_for_several(shmipc_peer *p, uint32_t slot) {
    (void)shmi_eventcount_notify_for_several(&p->serves.requests, p->index, slot);
    add_relaxed64(&p->wakes);
}

static bool host_left_in_order(const shmipc_peer *p) {
    return load_acquire32(&p->region.shared->peers[HOST].status) == PEER_VACANT;
}

int shmi_peer_name_refusal(const shmipc_peer *p) {
    if (load_relaxed32(&p->membership.host_lost) != NAME_IS_LOST)
        return SHMIPC_OK;
    return shmi_fail(SHMIPC_E_NAME_LOST, "somebody else has removed the region's name");
}

static void tell_that_name_is_lost(shmipc_peer *p) {
    shmi_peer_log(p, SHMIPC_LOG_WARN,
                  "somebody else has removed the region's name: shut down and create it again");
    wake_all_waiters(p);
}

void shmi_peer_look_for_name(shmipc_peer *p) {
    uint32_t not_yet = HOST_PRESENT;
    if (!shmi_object_has_name(p->region.object) &&
        cas_seq_cst32(&p->membership.host_lost, &not_yet, NAME_IS_LOST))
        tell_that_name_is_lost(p);
}

/* If no guest is left, a lost name may be the reason: guests cannot find this host. */
static bool look_for_guests(shmipc_peer *p) {
    bool any = shmi_any_guest_serves(&p->region);
    if (!any)
        shmi_peer_look_for_name(p);
    return any;
}

static bool look_for_remote(shmipc_peer *p) {
    if (peer_is_host(p))
        return look_for_guests(p);
    bool alive = shmi_host_is_alive(&p->region);
    if (!alive && !host_left_in_order(p) && load_relaxed32(&p->membership.host_lost) == 0) {
        store_relaxed32(&p->membership.host_lost, HOST_IS_DEAD);
        shmi_peer_log(p, SHMIPC_LOG_WARN, "the host of the region has died");
    }
    return alive;
}

bool shmi_peer_remote_is_alive(shmipc_peer *p) {
    bool remote_alive = look_for_remote(p);
    store_relaxed32(&p->membership.remote_alive, remote_alive);
    return remote_alive;
}

/* seq_cst: pairs with a thread that claims or enters, then reads the phase. */
struct occupants shmi_peer_occupants(const shmipc_peer *p) {
    struct occupants occupants = {.threads = load_seq_cst32(&p->life.users)};
    for (uint32_t i = p->calls.first; i < p->calls.first + p->calls.count; i++)
        occupants.slots += load_seq_cst32(&p->slots[i].claim) % 2;
    return occupants;
}

bool shmi_peer_is_quiet(const shmipc_peer *p, uint32_t expected) {
    struct occupants occupants = shmi_peer_occupants(p);
    return occupants.threads == expected && occupants.slots == 0;
}
