/*
 * The results: one JSON object a line on standard output, each the same fields in the same order;
 * those that tell rows apart come first. All rows are kept, to be written to a file or compared.
 */
#ifndef BENCHMARKS_RESULTS_H
#define BENCHMARKS_RESULTS_H

#include "blocks.h"

#include <stdbool.h>

struct row {
    struct label label;
    double ns_p50, ns_p99, ns_p999, ns_max, calls_per_s, limit_ns, ratio, spread, cpu_s;
    bool is_speed; /* a larger ratio is better */
    struct target target;
};

/* A row about a subject's record; its ratio is the comparison's. */
struct row row_of(const struct subject *subject, const struct record *record, struct comparison c);

void emit(const struct row *row);

/* Writes a line that describes the machine and the run, then the rows. */
void write_results(const char *path);

/* Says on standard error which rows have missed their target. */
void report_missed(void);

/* Says on standard error which rows differ from those of a file by more than the spread. */
void compare_results(const char *path);

#endif
