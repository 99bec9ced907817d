/* What a user would take instead, if crashes, restarts and the Go runtime in the process were no
   matter: the same handler in a library, called through cgo. */
#ifndef BENCHMARKS_INPROCESS_H
#define BENCHMARKS_INPROCESS_H

#include "support/subject.h"

/* The Go runtime stays in this process ever after. */
struct subject inprocess_start(size_t bytes);

#endif
