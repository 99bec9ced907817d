/* Threads that make the calls of copying.h at the same time. */
#ifndef BENCHMARKS_THREADS_H
#define BENCHMARKS_THREADS_H

#include "pair.h"
#include "support/subject.h"

/* A crew, see crew.h. The pair must outlive the subject. */
struct subject threads_start(const struct pair *pair, size_t bytes, unsigned threads);

#endif
