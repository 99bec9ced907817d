#include "wait/eventcount.h"

uint32_t shmi_eventcount_generation(const struct local_eventcount *d) {
    /* Acquire: pairs with the notification; what was made available before it is seen by a later
       look. */
    return load_acquire32(&d->shared->generation);
}

uint32_t shmi_eventcount_prepare(struct local_eventcount *d) {
    add_seq_cst32(&d->waiters, 1);
    uint32_t generation = shmi_eventcount_generation(d);
    or_seq_cst32(&d->shared->sleepers, d->bit);
    return generation;
}

/* The generation is read first: whoever began to poll after that is awake, and takes what it was
   not notified of. */
bool shmi_eventcount_notified_once(const struct local_eventcount *d, uint32_t generation) {
    return shmi_eventcount_generation(d) == generation + 1 && !eventcount_has_pollers(d);
}

static uint32_t poller(const struct local_eventcount *d) {
    return d->bit << POLLERS_SHIFT;
}

void shmi_eventcount_join_pollers(struct local_eventcount *d) {
    or_seq_cst32(&d->shared->sleepers, poller(d));
}

void shmi_eventcount_leave_pollers(struct local_eventcount *d) {
    if ((load_relaxed32(&d->shared->sleepers) & poller(d)) != 0)
        and_seq_cst32(&d->shared->sleepers, ~poller(d));
}

/* The last waiter clears the bit. Another may have been announced meanwhile and had its bit
   cleared: then it is set again, and a notification makes up for whatever was missed in between. */
void shmi_eventcount_cancel(struct local_eventcount *d) {
    if (add_seq_cst32(&d->waiters, UINT32_MAX) != 1)
        return;
    and_seq_cst32(&d->shared->sleepers, ~d->bit);
    if (load_seq_cst32(&d->waiters) != 0) {
        or_seq_cst32(&d->shared->sleepers, d->bit);
        (void)shmi_eventcount_notify(d, WAKE_ALL);
    }
}

bool shmi_eventcount_commit(struct local_eventcount *d, uint32_t generation, uint64_t deadline) {
    return shmi_eventcount_commit_at_home(d, generation, deadline, NO_HOME);
}

bool shmi_eventcount_commit_at_home(struct local_eventcount *d, uint32_t generation,
                                    uint64_t deadline, uint32_t home) {
    return shmi_word_wait(d->object, &d->shared->generation, generation, deadline, home);
}

void shmi_eventcount_notify_own(struct local_eventcount *d, uint32_t self) {
    add_seq_cst32(&d->shared->generation, 1);
    (void)shmi_word_wake_peer(d->object, &d->shared->generation, self);
}

static uint32_t wake_one_of(struct local_eventcount *d, uint32_t peer, uint32_t home) {
    atomic_u32 *word = &d->shared->generation;
    if ((load_relaxed32(&d->shared->sleepers) >> peer & 1) == 0)
        return 0;
    uint32_t woken = shmi_word_wake_home(d->object, word, peer, home);
    return woken != 0 ? woken : shmi_word_wake_peer(d->object, word, peer);
}

static uint32_t wake_one(struct local_eventcount *d, uint32_t peer, uint32_t home) {
    uint32_t woken = wake_one_of(d, peer, home);
    return woken != 0 ? woken : shmi_word_wake(d->object, &d->shared->generation, WAKE_ONE);
}

uint32_t shmi_eventcount_notify_home(struct local_eventcount *d, uint32_t peer, uint32_t home) {
    add_seq_cst32(&d->shared->generation, 1);
    return wake_one(d, peer, home);
}

uint32_t shmi_eventcount_notify_for_several(struct local_eventcount *d, uint32_t peer,
                                            uint32_t home) {
    add_seq_cst32(&d->shared->generation, 2);
    return wake_one(d, peer, home);
}

uint32_t shmi_eventcount_notify(struct local_eventcount *d, uint32_t wake_count) {
    add_seq_cst32(&d->shared->generation, 1);
    return shmi_word_wake(d->object, &d->shared->generation, wake_count);
}
