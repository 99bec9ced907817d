/*
 * Threads of one process that wait for the same eventcount share the peer's event. If all slept on
 * it, a signal could wake one whom it does not concern, and be lost to the other; so one sleeps
 * there for all, and when it leaves, for whatever reason, the others look for themselves.
 */
#include "object.h"

/* Takes the seat if it is free. */
static bool sit_down(struct seat *seat, uint32_t *turn) {
    AcquireSRWLockExclusive(&seat->lock);
    bool lead = !seat->led;
    seat->led = true;
    *turn = load_relaxed32(&seat->turns);
    ReleaseSRWLockExclusive(&seat->lock);
    return lead;
}

static void stand_up(struct seat *seat) {
    AcquireSRWLockExclusive(&seat->lock);
    seat->led = false;
    add_seq_cst32(&seat->turns, 1);
    ReleaseSRWLockExclusive(&seat->lock);
    (void)shmi_private_wake(&seat->turns, UINT32_MAX);
}

static void lead_or_follow(struct object *o, uint32_t eventcount, const atomic_u32 *word,
                           uint32_t expected, uint64_t deadline) {
    struct seat *seat = &o->seats[eventcount];
    struct place place = {.number = eventcount, .peer = o->self};
    uint32_t turn;
    if (sit_down(seat, &turn)) {
        shmi_event_wait(o, shmi_event_to_sleep_on(o, place), word, expected, deadline);
        stand_up(seat);
    } else if (load_seq_cst32(word) == expected) {
        shmi_private_wait(&seat->turns, turn, deadline);
    }
}

void shmi_seat_wait(struct object *o, uint32_t eventcount, const atomic_u32 *word,
                    uint32_t expected, uint64_t deadline) {
    uint32_t deaths = load_seq_cst32(&o->watch.deaths);
    while (load_seq_cst32(word) == expected && load_seq_cst32(&o->watch.deaths) == deaths &&
           shmi_clock_now() < deadline)
        lead_or_follow(o, eventcount, word, expected, deadline);
}
