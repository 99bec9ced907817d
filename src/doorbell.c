#include "doorbell.h"

uint32_t shmi_doorbell_generation(const struct doorbell *d) {
    /* Acquire: pairs with the ring; what was made available before it is seen by a later look. */
    return load_acquire32(&d->bell->generation);
}

uint32_t shmi_doorbell_arm(struct doorbell *d) {
    add_seq_cst32(&d->waiters, 1);
    uint32_t generation = shmi_doorbell_generation(d);
    or_seq_cst32(&d->bell->sleepers, d->bit);
    return generation;
}

/* The generation is read first: whoever began to watch after that is awake, and has what it was not
   rung for. */
bool shmi_doorbell_rung_once(const struct doorbell *d, uint32_t generation) {
    return shmi_doorbell_generation(d) == generation + 1 && !doorbell_is_watched(d);
}

static uint32_t watcher(const struct doorbell *d) {
    return d->bit << WATCHERS_SHIFT;
}

void shmi_doorbell_watch(struct doorbell *d) {
    or_seq_cst32(&d->bell->sleepers, watcher(d));
}

void shmi_doorbell_look_away(struct doorbell *d) {
    if ((load_relaxed32(&d->bell->sleepers) & watcher(d)) != 0)
        and_seq_cst32(&d->bell->sleepers, ~watcher(d));
}

/* The last waiter clears the bit. Another may have armed meanwhile and had its bit cleared: then it
   is set again, and a ring makes up for whatever was missed in between. */
void shmi_doorbell_disarm(struct doorbell *d) {
    if (add_seq_cst32(&d->waiters, UINT32_MAX) != 1)
        return;
    and_seq_cst32(&d->bell->sleepers, ~d->bit);
    if (load_seq_cst32(&d->waiters) != 0) {
        or_seq_cst32(&d->bell->sleepers, d->bit);
        (void)shmi_doorbell_ring(d, WAKE_ALL);
    }
}

bool shmi_doorbell_sleep(struct doorbell *d, uint32_t generation, uint64_t deadline) {
    return shmi_doorbell_sleep_as(d, generation, deadline, NO_HOME);
}

bool shmi_doorbell_sleep_as(struct doorbell *d, uint32_t generation, uint64_t deadline,
                            uint32_t home) {
    return shmi_word_wait(d->object, &d->bell->generation, generation, deadline, home);
}

void shmi_doorbell_ring_own(struct doorbell *d, uint32_t self) {
    add_seq_cst32(&d->bell->generation, 1);
    (void)shmi_word_wake_peer(d->object, &d->bell->generation, self);
}

static uint32_t wake_one_of(struct doorbell *d, uint32_t peer, uint32_t home) {
    atomic_u32 *word = &d->bell->generation;
    if ((load_relaxed32(&d->bell->sleepers) >> peer & 1) == 0)
        return 0;
    uint32_t woken = shmi_word_wake_home(d->object, word, peer, home);
    return woken != 0 ? woken : shmi_word_wake_peer(d->object, word, peer);
}

static uint32_t wake_one(struct doorbell *d, uint32_t peer, uint32_t home) {
    uint32_t woken = wake_one_of(d, peer, home);
    return woken != 0 ? woken : shmi_word_wake(d->object, &d->bell->generation, WAKE_ONE);
}

uint32_t shmi_doorbell_ring_for(struct doorbell *d, uint32_t peer, uint32_t home) {
    add_seq_cst32(&d->bell->generation, 1);
    return wake_one(d, peer, home);
}

uint32_t shmi_doorbell_ring_for_several(struct doorbell *d, uint32_t peer, uint32_t home) {
    add_seq_cst32(&d->bell->generation, 2);
    return wake_one(d, peer, home);
}

uint32_t shmi_doorbell_ring(struct doorbell *d, uint32_t wake_count) {
    add_seq_cst32(&d->bell->generation, 1);
    return shmi_word_wake(d->object, &d->bell->generation, wake_count);
}
