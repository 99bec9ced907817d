/*
 * The limit of calls that copy: memcpy, as often as such a call does it. Requests and responses of
 * this size are copied into a shared buffer, there to another one, and out of that.
 */
#ifndef BENCHMARKS_COPIES_H
#define BENCHMARKS_COPIES_H

#include "support/subject.h"

/* By this process and another, as in a call. */
struct subject copies_by_two_start(size_t bytes);

/* By this process alone. */
struct subject copies_by_one_start(size_t bytes);

#endif
