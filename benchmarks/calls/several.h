/* Several calls in flight from one thread, on slots that it holds. */
#ifndef BENCHMARKS_SEVERAL_H
#define BENCHMARKS_SEVERAL_H

#include "pair.h"
#include "support/subject.h"

/* The pair must outlive the subject. */
struct subject several_start(const struct pair *pair, size_t bytes, unsigned in_flight);

#endif
