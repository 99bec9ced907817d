/* Calls beside which another caller makes calls of its own all the time. */
#ifndef BENCHMARKS_BESIDE_H
#define BENCHMARKS_BESIDE_H

#include "support/subject.h"

/* Takes over both; `other` has a `run`. The label is that of the calls. */
struct subject beside_start(struct subject calls, struct subject other);

#endif
