/* What a user would take instead: two pipes. */
#ifndef BENCHMARKS_PIPE_H
#define BENCHMARKS_PIPE_H

#include "support/subject.h"

struct subject pipe_start(size_t bytes);

#endif
