/*
 * Compiled into every file of a build of the library that learns nothing about when the other side
 * will be ready: every wait but a thread's first holds off for one pause, whatever it finds then,
 * and none fetches a line that it expects to have changed.
 */
#ifndef BENCHMARKS_UNLEARNED_H
#define BENCHMARKS_UNLEARNED_H

#include "region/slot.h"
#include "wait/wait.h"

/* What is replaced below. If the library called it otherwise, this would not compile. */
static inline void unlearned_was(struct hold_off *h, const struct slot *slot) {
    slot_fetch_ahead(slot);
    slot_fetch_to_change(slot, REACHES_FIRST_LINE);
    hold_off_learn(h, false);
}

#define slot_fetch_ahead(slot) ((void)(slot))
#define slot_fetch_to_change(slot, reach) ((void)(slot), (void)(reach))
#define hold_off_learn(hold_off, at_once) unlearned_set(hold_off, at_once)

static inline void unlearned_set(struct hold_off *h, bool at_once) {
    (void)at_once;
    if (h->most > 0)
        h->now = 1 << PAUSE_BITS;
}

#endif
