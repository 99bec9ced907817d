/* Several threads that call at the same time. They are kept between blocks, asleep. */
#ifndef BENCHMARKS_THREADS_H
#define BENCHMARKS_THREADS_H

#include "pair.h"
#include "support/subject.h"

/* The pair must outlive the subject. Its times are those between the ends of two calls of one
   thread, also from the beginning of the block and to its end: the longest is how long a thread was
   without progress. */
struct subject threads_start(const struct pair *pair, size_t bytes, unsigned threads);

#endif
