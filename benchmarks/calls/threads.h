/* Threads that call the same guest at the same time: see callers.h. */
#ifndef BENCHMARKS_THREADS_H
#define BENCHMARKS_THREADS_H

#include "pair.h"
#include "support/job.h"
#include "support/subject.h"

/* Each makes the calls of copying.h. The pair must outlive the subject. */
struct subject threads_start(const struct pair *pair, const char *name, size_t bytes,
                             unsigned threads);

/* Each has the guest do jobs. */
struct subject threads_start_jobs(const struct pair *pair, const char *name, size_t bytes,
                                  unsigned threads, struct job job);

#endif
