/*
 * Virtual time, and the processors that threads run on in it. A thread runs ahead, by itself, until
 * it is about to do what others may see: then those go on first whose time is earlier. So all that
 * threads do to each other happens in the order of virtual time, and the same in every run.
 */
#ifndef SCALING_PROCESSORS_H
#define SCALING_PROCESSORS_H

#include "costs.h"

#include <stdint.h>

enum { PROCESSORS_MOST = 64, THREADS_MOST = 160 };

/* Begins at time 0 with so many processors, and without threads. */
void processors_begin(uint32_t count, const struct costs *costs);

const struct costs *processors_costs(void);
uint32_t processors_count(void);

/* A thread that is ready to run from now on. `run` does not return. */
void processors_start(void (*run)(void *argument), void *argument);

/* Until all threads have reached this time. Not in a thread. */
void processors_run(ps until);

/* The time of the thread that runs; outside of threads, one that passes all the same. */
ps processors_now(void);

/* Where and who the running thread is. */
uint32_t processors_here(void);
uint32_t processors_thread(void);

/* True if none runs: what is prepared then takes no part in the order of time. */
bool processors_are_outside(void);

/* The running thread takes so long. */
void processors_spend(ps time);

/* The running thread's time becomes this, if it is later. */
void processors_reach(ps time);

/* What others did before this thread's time has happened; the thread may have lost its processor
   for a while. */
void processors_sync(void);

/* Takes so much processor time, whoever else needs the processor meanwhile. */
void processors_compute(ps time);

/* The running thread lets others run who wait for its processor. */
void processors_yield(void);

/* The running thread sleeps until it is woken, or the deadline. True: it was woken. */
bool processors_sleep(ps deadline);

/* Wakes a thread that sleeps; it runs where there is room. True: another processor has to be
   interrupted for that. */
bool processors_wake(uint32_t thread);

/* True for a pair of the same cluster. */
bool processors_are_near(uint32_t one, uint32_t other);

/* How much time no thread ran, of all processors together. */
ps processors_idle_time(void);

/* How often threads have slept, and were woken. */
struct processors_events {
    uint64_t sleeps, wakes;
};
struct processors_events processors_events(void);

/* A fixed sequence: 0 to 1. */
double processors_random(void);

#endif
