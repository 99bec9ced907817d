/* Crowds: so many threads that call at the same time, all together against one of them alone. */
#ifndef BENCHMARKS_CROWDS_H
#define BENCHMARKS_CROWDS_H

#include "rows.h"

#include "calls/pair.h"

enum { CROWDS_MOST = 8 };

/* Emits a row for each crowd, a subject of callers_start: its ratio is of speeds to the first
   one's, larger is better, and its longest time how long one of the threads was without
   progress. */
void emit_crowds(struct subject *subjects, size_t count, const struct effort *effort);

/* Emits the rows `name`, a crowd of threads that call by this pair each. The first crowd is one
   thread; the target is for the others. */
void measure_crowds(const struct pair *pair, const char *name, const char *variant,
                    const unsigned *threads, size_t count, struct target target,
                    const struct effort *effort);

#endif
