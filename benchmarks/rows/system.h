/* What the rows are on one system. */
#ifndef BENCHMARKS_ROWS_SYSTEM_H
#define BENCHMARKS_ROWS_SYSTEM_H

#include "rows.h"

/* All there are, in the order in which they are measured; the last one has no name. */
struct named_row {
    const char *name;
    void (*measure)(const struct effort *effort);
};

extern const struct named_row system_rows[];

/* Starts what a user would take instead of calls whose sides sleep. Returns how many subjects that
   are. */
size_t start_beside_parked(struct subject *subjects);

/* The same with a process in Go on the other side, and the limit with such a one. */
size_t start_beside_parked_in_go(struct subject *subjects);

#endif
