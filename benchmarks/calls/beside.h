/* Calls while, if wished, a handler of the same guest is blocked all the time, 10 ms each time. */
#ifndef BENCHMARKS_BESIDE_H
#define BENCHMARKS_BESIDE_H

#include "pair.h"
#include "support/subject.h"

#include <stdbool.h>

/* The pair must outlive the subject. */
struct subject beside_start(const struct pair *pair, size_t bytes, bool blocked);

#endif
