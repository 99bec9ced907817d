/* Several subjects at the same time, each by a thread of its own. The threads are kept between
   blocks, asleep. */
#ifndef BENCHMARKS_CALLERS_H
#define BENCHMARKS_CALLERS_H

#include "support/subject.h"

/*
 * Takes over `count` subjects that have a `run`; the label is that of the first, with as many
 * threads. Its times are those between the ends of two calls of one thread, also from the beginning
 * of the block and to its end: the longest is how long a thread was without progress.
 */
struct subject callers_start(const struct subject *callers, unsigned count);

#endif
