/* One request again and again, of any type, by shmipc_call. */
#ifndef BENCHMARKS_REQUESTS_H
#define BENCHMARKS_REQUESTS_H

#include "pair.h"
#include "support/job.h"
#include "support/subject.h"

/* The data are copied; an answer has at most as many bytes. The pair must outlive the subject. */
struct subject requests_start(const struct pair *pair, const char *name, uint32_t type,
                              const void *data, size_t bytes);

/* Requests for a job, of so many bytes. */
struct subject jobs_start(const struct pair *pair, const char *name, size_t bytes, struct job job);

#endif
