/* Calls that copy: one at a time by one thread, with a deadline, through the whole public API. */
#ifndef BENCHMARKS_COPYING_H
#define BENCHMARKS_COPYING_H

#include "pair.h"
#include "support/subject.h"

/* By shmipc_call. The pair must outlive the subject. */
struct subject copying_start(const struct pair *pair, const char *name, size_t bytes);

/* By shmipc_slot_call, in a slot that is held all the time. */
struct subject copying_start_held(const struct pair *pair, const char *name, size_t bytes);

#endif
