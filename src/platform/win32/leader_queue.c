/*
 * Threads of one process that wait for the same eventcount share the peer's event. If all slept on
 * it, a signal could wake a thread that it does not concern, and miss the one that it does. So one
 * thread, the leader, sleeps there for all, and when it leaves, for any reason, the others look for
 * themselves.
 */
#include "platform/win32/object.h"

/* Takes the queue if it is free. */
static bool become_leader(struct leader_queue *queue, uint32_t *turn) {
    AcquireSRWLockExclusive(&queue->lock);
    bool lead = !queue->led;
    queue->led = true;
    *turn = load_relaxed32(&queue->turns);
    ReleaseSRWLockExclusive(&queue->lock);
    return lead;
}

static void resign(struct leader_queue *queue) {
    AcquireSRWLockExclusive(&queue->lock);
    queue->led = false;
    add_seq_cst32(&queue->turns, 1);
    ReleaseSRWLockExclusive(&queue->lock);
    (void)shmi_private_wake(&queue->turns, UINT32_MAX);
}

static void lead_or_follow(struct object *o, uint32_t eventcount, const atomic_u32 *word,
                           uint32_t expected, uint64_t deadline) {
    struct leader_queue *queue = &o->queues[eventcount];
    struct wait_key key = {.number = eventcount, .peer = o->self};
    uint32_t turn;
    if (become_leader(queue, &turn)) {
        shmi_event_wait(o, shmi_event_to_sleep_on(o, key), word, expected, deadline);
        resign(queue);
    } else if (load_seq_cst32(word) == expected) {
        shmi_private_wait(&queue->turns, turn, deadline);
    }
}

void shmi_leader_queue_wait(struct object *o, uint32_t eventcount, const atomic_u32 *word,
                            uint32_t expected, uint64_t deadline) {
    uint32_t deaths = load_seq_cst32(&o->watch.deaths);
    while (load_seq_cst32(word) == expected && load_seq_cst32(&o->watch.deaths) == deaths &&
           shmi_clock_now() < deadline)
        lead_or_follow(o, eventcount, word, expected, deadline);
}
