/*
 * Compiled into every file of a build of the library that learns nothing about when the other side
 * will be ready: a wait begins with one pause, looks after each further one, and fetches no line
 * that it expects to have changed.
 */
#ifndef BENCHMARKS_UNLEARNED_H
#define BENCHMARKS_UNLEARNED_H

#include "slot.h"
#include "wait.h"

/* What is replaced below. If the library called it otherwise, this would not compile. */
static inline bool unlearned_was(struct hold_off *h, const struct slot *slot) {
    slot_fetch_ahead(slot);
    slot_fetch_to_change(slot, false);
    hold_off_learn(h, false);
    return hold_off_wait(h);
}

#define slot_fetch_ahead(slot) ((void)(slot))
#define slot_fetch_to_change(slot, beyond) ((void)(slot), (void)(beyond))
#define hold_off_learn(hold_off, at_once) ((void)(hold_off), (void)(at_once))
#define hold_off_wait(hold_off) ((void)(hold_off), cpu_pause(), false)

#endif
