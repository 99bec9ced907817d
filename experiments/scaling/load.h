/*
 * Callers in one peer and as many workers in the other, with a slot for each, in virtual time.
 */
#ifndef SCALING_LOAD_H
#define SCALING_LOAD_H

#include "costs.h"

struct load {
    uint32_t processors;
    uint32_t callers;
    double handler_ns; /* that a handler computes */
    double warm_up_ms;
    double measured_ms;
};

struct outcome {
    double calls_per_s;
    double idle;   /* processors without a thread, in the mean */
    double sleeps; /* a call, of both sides */
    double wakes;  /* that found a sleeper, a call */
    double fewest; /* calls of the caller that made the fewest, by the mean */
};

/* Once in a process. */
struct outcome load_run(const struct load *load, const struct costs *costs);

#endif
