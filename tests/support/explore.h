/*
 * Runs threads against each other in every order of their steps, one step at a time, as far as it
 * takes no more than a few preemptions. A step is an atomic operation of a library that was
 * compiled with steps.h, a sleep, a wake or a yield.
 *
 * Sleeps never end by themselves and the clock stands still, so that a wake-up that was lost shows
 * as a deadlock; explore_time_passes ends every sleep and passes every deadline.
 *
 * Needs the linker's --wrap for shmi_word_wait, shmi_word_wake, shmi_cpu_yield and shmi_clock_now.
 */
#ifndef SHMIPC_TESTS_EXPLORE_H
#define SHMIPC_TESTS_EXPLORE_H

enum { EXPLORE_ACTORS = 5 };

struct scenario {
    void (*begin)(void *context); /* before every run */
    void (*end)(void *context);   /* after every run */
    void (*actors[EXPLORE_ACTORS])(void *context);
    void *context;
    int preemptions; /* at most so many in one run */
    int limit;       /* at most so many runs */
};

/* Returns the number of runs. Ends the process when a run ends in a deadlock. */
int explore(const struct scenario *scenario);

void explore_step(void);
void explore_time_passes(void);

#endif
