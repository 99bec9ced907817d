/* The limit of calls whose sides sleep between them: two processes that wake each other by futex.
   */
#ifndef BENCHMARKS_FUTEX_H
#define BENCHMARKS_FUTEX_H

#include "support/subject.h"

struct subject futex_start(void);

#endif
