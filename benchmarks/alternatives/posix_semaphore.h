/* What a user would take instead: a buffer in shared memory, and a POSIX semaphore each way. */
#ifndef BENCHMARKS_POSIX_SEMAPHORE_H
#define BENCHMARKS_POSIX_SEMAPHORE_H

#include "support/subject.h"

struct subject semaphore_start(size_t bytes);

#endif
