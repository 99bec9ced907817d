/* Any subject at a slower pace: a rest before each round trip, which is timed alone. */
#ifndef BENCHMARKS_PACED_H
#define BENCHMARKS_PACED_H

#include "support/subject.h"

/* Takes over `inner`. A rest too short to sleep is spun through. */
struct subject paced_start(struct subject inner, uint64_t rest_ns);

#endif
