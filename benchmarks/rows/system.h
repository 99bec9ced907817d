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

/* Starts what a user would take instead of calls whose sides sleep, and the limit with a side in
   Go. Returns how many subjects that are: at most this many. */
enum { BESIDE_PARKED = 3 };

size_t start_beside_parked(struct subject *subjects);

#endif
