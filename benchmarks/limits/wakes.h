/*
 * The limit of calls whose sides sleep between them: two processes that sleep, and wake each other
 * by what the system has for that, a futex on Linux and Events on Windows. One word changes each
 * way, and nothing else.
 */
#ifndef BENCHMARKS_WAKES_H
#define BENCHMARKS_WAKES_H

#include "support/partner.h"
#include "support/subject.h"

struct subject wakes_start(void);

extern const struct role wakes_role;

#endif
