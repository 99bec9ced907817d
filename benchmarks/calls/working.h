/* Calls whose handler does a job, by several threads at once. */
#ifndef BENCHMARKS_WORKING_H
#define BENCHMARKS_WORKING_H

#include "pair.h"
#include "support/job.h"
#include "support/subject.h"

/* By shmipc_call, each of the threads. The pair must outlive the subject. */
struct subject working_start(const struct pair *pair, size_t bytes, unsigned threads,
                             struct job job);

#endif
