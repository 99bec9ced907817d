/*
 * One wait: executes the steps that the policy decides.
 */
#ifndef SHMIPC_WAIT_H
#define SHMIPC_WAIT_H

#include "wait/policy.h"

/* Lets time pass before the next look. False if it is time to sleep. */
static inline bool wait_again(struct spin *spin) {
    switch (spin_next(spin)) {
    case STEP_DELAY:
        cpu_delay(spin->turns);
        return true;
    case STEP_PAUSE:
        cpu_pause();
        return true;
    case STEP_YIELD:
        shmi_cpu_yield();
        return true;
    default:
        return false;
    }
}

/* Before the first look. False if there was no need to wait. */
static inline bool wait_hold_off(const struct hold_off *h) {
    if (hold_off_is_needless(h))
        return false;
    for (uint32_t pauses = hold_off_pauses(h); pauses > 0; pauses--)
        cpu_pause();
    cpu_delay(hold_off_turns(h));
    return true;
}

#endif
