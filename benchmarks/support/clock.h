/* Time as the benchmarks read it. */
#ifndef BENCHMARKS_CLOCK_H
#define BENCHMARKS_CLOCK_H

#include <stdint.h>

#define MICROSECOND UINT64_C(1000)
#define MILLISECOND UINT64_C(1000000)
#define SECOND UINT64_C(1000000000)

/* Of a clock that is never set. */
uint64_t now_ns(void);
void sleep_until(uint64_t ns);

/* The timers of this process, and of children started from now on, end when they should. */
void be_punctual(void);

/* What reading the clock costs, in ns; measured once. */
uint64_t clock_cost(void);

#endif
