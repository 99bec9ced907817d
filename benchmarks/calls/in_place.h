/* Calls on a held slot, whose messages neither side touches. */
#ifndef BENCHMARKS_IN_PLACE_H
#define BENCHMARKS_IN_PLACE_H

#include "pair.h"
#include "support/subject.h"

/* The pair must outlive the subject. */
struct subject in_place_start(const struct pair *pair, size_t bytes);

#endif
