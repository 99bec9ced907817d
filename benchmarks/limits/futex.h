/*
 * The limit of wakes.h with a process in Go on the other side: what its runtime takes to sleep and
 * to wake, without this library.
 */
#ifndef BENCHMARKS_LIMITS_FUTEX_H
#define BENCHMARKS_LIMITS_FUTEX_H

#include "support/subject.h"

struct subject futex_start_go(void);

#endif
