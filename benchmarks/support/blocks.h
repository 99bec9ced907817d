/*
 * Subjects measured in turn, in blocks of a few milliseconds: a machine that changes its speed does
 * so for all of them, and the ratio of two blocks of one round is that of the subjects. A block is
 * a warm-up, which wakes the other side; a loop of round trips with no clock in it, whose mean
 * counts; and some round trips timed one by one, for the distribution.
 */
#ifndef BENCHMARKS_BLOCKS_H
#define BENCHMARKS_BLOCKS_H

#include "subject.h"

struct plan {
    unsigned rounds;
    uint64_t warm_up_ns /* at most */, loop_ns, times_ns; /* of one block; 0: leave it out */
    double share; /* without a loop, the time counts that this share of the block's do not exceed */
};

/* What one subject showed. */
struct record {
    double *ns;      /* per call, by round */
    uint32_t *times; /* of single round trips, in ns; sorted */
    size_t rounds, times_count;
    double fastest_ns; /* per call, of any warm-up */
    double cpu_s;
};

/* One record for each subject, to be given to free_records. */
struct record *alternate(const struct subject *subjects, size_t count, const struct plan *plan);
void free_records(struct record *records, size_t count);

/* The time that `share` (0 to 1) of the round trips did not exceed. */
double time_of(const struct record *record, double share);

double median_ns(const struct record *record);

/* How a subject compares with a limit. */
struct comparison {
    double limit_ns;
    double ratio;  /* the median of the rounds' ratios */
    double spread; /* the distance between the first and the third quartile of them */
};

/* The subject's time by the limit's. */
struct comparison compare(const struct record *subject, const struct record *limit);

/* The limit's time by the subject's: larger is better. */
struct comparison compare_speed(const struct record *subject, const struct record *limit);

#endif
