/*
 * What callers and processors allow.
 */
#ifndef SCALING_BOUNDS_H
#define SCALING_BOUNDS_H

#include "load.h"

/*
 * Calls a second at most, whatever the design. A call is made in one of two ways. Both sides spin:
 * it takes the handler's time and a line there and back, of two processors. Or the caller sleeps:
 * it takes the handler's time and a wake call, a sleep call and a switch, of one processor. (The
 * worker need not sleep, as it may find the next request.) The best mixture of the two that callers
 * and processors allow counts.
 */
double bound_of_machine(const struct load *load, const struct costs *costs);

/* The same where one worker serves all: it takes the handler's time and the transfer of a line,
   from where callers are in
   the mean, if they are as near as there is room. */
double bound_of_worker(const struct load *load, const struct costs *costs);

#endif
