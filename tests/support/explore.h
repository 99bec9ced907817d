/*
 * Runs threads against each other one step at a time: first in every order of their steps that
 * takes no more than a few preemptions, as far as that is feasible, then in orders drawn by lot.
 * A step is an atomic operation of a library that was compiled with steps.h, a sleep, a wake or a
 * yield.
 *
 * Sleeps never end by themselves and the clock stands still, so that a wake-up that was lost shows
 * as a deadlock; explore_time_passes ends every sleep and passes every deadline. Only a sleep that
 * is to last no longer than a sentry's ends, when no other thread can run.
 *
 * Needs the linker's --wrap for shmi_word_wait, shmi_word_wake, shmi_word_wake_peer,
 * shmi_word_wake_home, shmi_cpu_yield
 * and shmi_clock_now, and shared_mapping.c, for a word that is slept on to have one address.
 */
#ifndef SHMIPC_TESTS_EXPLORE_H
#define SHMIPC_TESTS_EXPLORE_H

#include "support/steps.h"

#include <stdint.h>

enum { EXPLORE_ACTORS = 5 };

struct scenario {
    void (*begin)(void *context); /* before every run */
    void (*end)(void *context);   /* after every run */
    void (*actors[EXPLORE_ACTORS])(void *context);
    void *context;
    int preemptions; /* at most so many in a run of the first kind */
    int drawn;       /* so many runs of the second kind */
};

/* Returns the number of runs. Ends the process when a run ends in a deadlock. */
int explore(const struct scenario *scenario);

void explore_time_passes(void);

/* Moves the clock, and ends no sleep. */
void explore_take(uint64_t ns);

#endif
