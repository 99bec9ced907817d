#include "wait/eventcount.h"

uint32_t shmi_eventcount_generation(const struct local_eventcount *eventcount) {
    /* Acquire: pairs with the notification, so a later look sees the changes made before it. */
    return load_acquire32(&eventcount->shared->generation);
}

uint32_t shmi_eventcount_prepare(struct local_eventcount *eventcount) {
    add_seq_cst32(&eventcount->waiters, 1);
    uint32_t generation = shmi_eventcount_generation(eventcount);
    or_seq_cst32(&eventcount->shared->sleepers, eventcount->bit);
    return generation;
}

/* Reads the generation first: a worker that begins to poll after that is awake, and takes the
   requests of which callers do not notify. */
bool shmi_eventcount_notified_once(const struct local_eventcount *eventcount, uint32_t generation) {
    return shmi_eventcount_generation(eventcount) == generation + 1 &&
           !eventcount_has_pollers(eventcount);
}

static uint32_t poller(const struct local_eventcount *eventcount) {
    return eventcount->bit << POLLERS_SHIFT;
}

void shmi_eventcount_join_pollers(struct local_eventcount *eventcount) {
    or_seq_cst32(&eventcount->shared->sleepers, poller(eventcount));
}

void shmi_eventcount_leave_pollers(struct local_eventcount *eventcount) {
    if ((load_relaxed32(&eventcount->shared->sleepers) & poller(eventcount)) != 0)
        and_seq_cst32(&eventcount->shared->sleepers, ~poller(eventcount));
}

/* Another waiter was announced meanwhile, and its bit is cleared too: sets the bit again, and
   notifies, in case a notification was omitted in between. False if that waiter has gone by now. */
static bool announce_again(struct local_eventcount *eventcount) {
    or_seq_cst32(&eventcount->shared->sleepers, eventcount->bit);
    (void)shmi_eventcount_notify(eventcount, WAKE_ALL);
    return load_seq_cst32(&eventcount->waiters) != 0;
}

/* The last waiter clears the bit. */
void shmi_eventcount_cancel(struct local_eventcount *eventcount) {
    if (add_seq_cst32(&eventcount->waiters, UINT32_MAX) != 1)
        return;
    do
        and_seq_cst32(&eventcount->shared->sleepers, ~eventcount->bit);
    while (load_seq_cst32(&eventcount->waiters) != 0 && !announce_again(eventcount));
}

void shmi_eventcount_arm(struct local_eventcount *eventcount) {
    uint32_t bit = eventcount->bit << eventcount->armed_shift;
    if ((load_seq_cst32(eventcount->armed) & bit) == 0)
        or_seq_cst32(eventcount->armed, bit);
}

void shmi_eventcount_disarm(struct local_eventcount *eventcount) {
    and_seq_cst32(eventcount->armed, ~(eventcount->bit << eventcount->armed_shift));
}

/* Signals the descriptors of up to `count` of these peers, and returns how many: one that cannot be
   signalled was not armed. seq_cst: pairs with a peer that arms, then looks. */
static uint32_t signal_some(struct local_eventcount *eventcount, uint32_t peers, uint32_t count) {
    uint32_t signalled = 0;
    if (eventcount->armed == NULL)
        return 0;
    peers &= load_seq_cst32(eventcount->armed) >> eventcount->armed_shift;
    for (uint32_t i = 0; peers >> i != 0 && signalled < count; i++) {
        uint32_t bit = (peers & UINT32_C(1) << i) << eventcount->armed_shift;
        if (bit != 0 && (and_seq_cst32(eventcount->armed, ~bit) & bit) != 0)
            signalled += shmi_object_signal(eventcount->object, i);
    }
    return signalled;
}

bool shmi_eventcount_commit(struct local_eventcount *eventcount, uint32_t generation,
                            uint64_t deadline) {
    return shmi_eventcount_commit_at_home(eventcount, generation, deadline, NO_HOME);
}

bool shmi_eventcount_commit_at_home(struct local_eventcount *eventcount, uint32_t generation,
                                    uint64_t deadline, uint32_t home) {
    return shmi_word_wait(eventcount->object, &eventcount->shared->generation, generation, deadline,
                          home);
}

void shmi_eventcount_notify_own(struct local_eventcount *eventcount, uint32_t self) {
    add_seq_cst32(&eventcount->shared->generation, 1);
    if (shmi_word_wake_peer(eventcount->object, &eventcount->shared->generation, self) == 0)
        (void)signal_some(eventcount, UINT32_C(1) << self, 1);
}

static uint32_t wake_one_of(struct local_eventcount *eventcount, uint32_t peer, uint32_t home) {
    atomic_u32 *word = &eventcount->shared->generation;
    if ((load_relaxed32(&eventcount->shared->sleepers) >> peer & 1) == 0)
        return 0;
    if (signal_some(eventcount, UINT32_C(1) << peer, 1) != 0)
        return 1;
    uint32_t woken = shmi_word_wake_home(eventcount->object, word, peer, home);
    return woken != 0 ? woken : shmi_word_wake_peer(eventcount->object, word, peer);
}

static uint32_t wake_some(struct local_eventcount *eventcount, uint32_t count) {
    uint32_t signalled = signal_some(eventcount, ALL_PEERS, count);
    if (signalled == count)
        return count;
    return signalled +
           shmi_word_wake(eventcount->object, &eventcount->shared->generation, count - signalled);
}

static uint32_t wake_one(struct local_eventcount *eventcount, uint32_t peer, uint32_t home) {
    uint32_t woken = wake_one_of(eventcount, peer, home);
    return woken != 0 ? woken : wake_some(eventcount, WAKE_ONE);
}

uint32_t shmi_eventcount_notify_home(struct local_eventcount *eventcount, uint32_t peer,
                                     uint32_t home) {
    add_seq_cst32(&eventcount->shared->generation, 1);
    return wake_one(eventcount, peer, home);
}

uint32_t shmi_eventcount_notify_peer(struct local_eventcount *eventcount, uint32_t peer,
                                     uint32_t home) {
    add_seq_cst32(&eventcount->shared->generation, 1);
    uint32_t woken = wake_one_of(eventcount, peer, home);
    return woken != 0
               ? woken
               : shmi_word_wake(eventcount->object, &eventcount->shared->generation, WAKE_ALL);
}

uint32_t shmi_eventcount_notify_for_several(struct local_eventcount *eventcount, uint32_t peer,
                                            uint32_t home) {
    add_seq_cst32(&eventcount->shared->generation, 2);
    return wake_one(eventcount, peer, home);
}

uint32_t shmi_eventcount_notify(struct local_eventcount *eventcount, uint32_t wake_count) {
    add_seq_cst32(&eventcount->shared->generation, 1);
    return wake_some(eventcount, wake_count);
}
