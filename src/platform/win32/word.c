/*
 * Sleeping on a word of the region, and waking its sleepers: docs/protocol.md, Sleeping on Windows.
 */
#include "platform/win32/object.h"

#include <string.h>

_Static_assert(1 + WATCHED_MAX <= SLEEP_HANDLES_MAX, "an event and every other peer's process");

/* Out of handles: no thread can wake us without an event, so we look again soon. */
static void wait_without_event(void) {
    Sleep(1);
}

static bool sleep_once(struct object *o, HANDLE event, uint64_t deadline) {
    HANDLE handles[1 + WATCHED_MAX] = {event};
    struct watch_set set;
    if (!shmi_watch_begin(o, &set)) {
        shmi_watch_end(o, &set, set.count);
        return true;
    }
    memcpy(handles + 1, set.handles, set.count * sizeof *handles);
    DWORD which = shmi_sleep_on_handles(handles, 1 + set.count, deadline);
    uint32_t ended = which == 0 ? set.count : which - 1;
    shmi_watch_end(o, &set, ended);
    return ended < set.count;
}

void shmi_event_wait(struct object *o, HANDLE event, const atomic_u32 *word, uint32_t expected,
                     uint64_t deadline) {
    bool death = false;
    if (event == NULL) {
        wait_without_event();
        return;
    }
    /* seq_cst: the event exists, and a thread that changes the word sets the event afterwards. */
    while (!death && load_seq_cst32(word) == expected && shmi_clock_now() < deadline)
        death = sleep_once(o, event, deadline);
}

bool shmi_word_wait(struct object *o, atomic_u32 *word, uint32_t expected, uint64_t deadline,
                    uint32_t home) {
    (void)home; /* all sleepers of a peer share one event */
    struct wait_key key;
    if (o == NULL) {
        shmi_private_wait(word, expected, deadline);
        return false;
    }
    if (o->self == NO_PEER || !shmi_wait_key_of(o, word, &key))
        return false;
    uint32_t deaths = load_seq_cst32(&o->watch.deaths);
    if (key.is_slot)
        shmi_event_wait(o, shmi_event_to_sleep_on(o, key), word, expected, deadline);
    else
        shmi_leader_queue_wait(o, key.number, word, expected, deadline);
    return load_seq_cst32(&o->watch.deaths) != deaths;
}

static bool may_sleep(const struct object *o, uint32_t peer) {
    return peer == o->self || load_acquire32(&o->base->peers[peer].status) != PEER_VACANT;
}

/* An eventcount has one event for each peer; every woken sleeper looks for itself. */
static uint32_t wake_each_peer(struct object *o, struct wait_key key) {
    uint32_t set = 0;
    for (key.peer = 0; key.peer < PEERS; key.peer++)
        set += may_sleep(o, key.peer) && shmi_event_set(o, key);
    return set;
}

/* Setting an event does not show that a thread slept on it. So this returns 0, after which the
   caller wakes every peer; only for the own peer, where no other is meant, is its event set
   here. */
uint32_t shmi_word_wake_peer(struct object *o, atomic_u32 *word, uint32_t peer) {
    struct wait_key key;
    if (o == NULL || peer != o->self || !shmi_wait_key_of(o, word, &key) || key.is_slot)
        return 0;
    if (key.number != EVENTCOUNT_ANSWERS)
        key.peer = peer;
    (void)shmi_event_set(o, key);
    return 0;
}

/* All sleepers of a peer share one event, so none can be chosen. */
uint32_t shmi_word_wake_home(struct object *o, atomic_u32 *word, uint32_t peer, uint32_t home) {
    (void)o;
    (void)word;
    (void)peer;
    (void)home;
    return 0;
}

uint32_t shmi_word_wake(struct object *o, atomic_u32 *word, uint32_t count) {
    struct wait_key key;
    if (o == NULL)
        return shmi_private_wake(word, count);
    if (!shmi_wait_key_of(o, word, &key))
        return 0;
    if (key.is_slot || key.number == EVENTCOUNT_ANSWERS)
        return shmi_event_set(o, key);
    return wake_each_peer(o, key);
}
