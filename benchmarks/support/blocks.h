/*
 * Subjects measured in turn, in blocks of a few milliseconds. The first subject is the limit: its
 * blocks stand before and after each block of another, and that block's ratio is to the mean of the
 * two. Where the two differ much the machine changed its speed meanwhile, and the ratio does not
 * count.
 *
 * A block is a warm-up, which wakes the other side; a loop of round trips with no clock in it,
 * whose mean counts; and some round trips timed one by one, for the distribution.
 */
#ifndef BENCHMARKS_BLOCKS_H
#define BENCHMARKS_BLOCKS_H

#include "subject.h"

#include <stdbool.h>

struct plan {
    unsigned rounds;
    uint64_t most_ns;           /* no round begins later; 0: no matter */
    bool limit_once;            /* a round, not before and after each block */
    bool awake;                 /* no processor goes idle meanwhile: see awake.h */
    uint64_t warm_up_ns;        /* at most; 0: none */
    uint64_t loop_ns, times_ns; /* of one block; 0: leave it out */
    double share; /* without a loop, the time counts that this share of the block's do not exceed */
};

/* One block, per call, beside the limit. */
struct sample {
    double ns, limit_ns;
    bool steady; /* the limit was about the same before and after */
};

/* What one subject showed. */
struct record {
    struct sample *samples; /* by round */
    uint32_t *times;        /* of single round trips, in ns; sorted */
    size_t rounds, times_count;
    size_t quota; /* of times kept, for a block */
    bool looped;  /* there were loops, not only single round trips */
    double cpu_s;
};

/*
 * Runs a subject that spins until each of its sides has a processor, for at most `ns`. A process
 * that was woken begins on the processor of its waker, often; until the system moves it, which can
 * take it longer than a block, two that spin wait for each other's time slices. So the calling
 * thread is moved to another processor, and then left to the system again. `alternate` does this
 * itself.
 */
void come_together(const struct subject *subject, uint64_t ns);

/* An empty record for each subject, with room for the plan's rounds. For free_records. */
struct record *new_records(size_t count, const struct plan *plan);
void free_records(struct record *records, size_t count);

/* Runs the plan's rounds, and adds them to the records. */
void add_rounds(struct record *records, const struct subject *subjects, size_t count,
                const struct plan *plan);

/* When all were added, and before anything is asked of them. */
void finish_records(struct record *records, size_t count);

/* The three together. */
struct record *alternate(const struct subject *subjects, size_t count, const struct plan *plan);

/* The time that `share` (0 to 1) of the round trips did not exceed. */
double time_of(const struct record *record, double share);

/* What one call took in the median of the loops, or of the single round trips. */
double call_ns(const struct record *record);

/* How a subject compares with the limit, in the steady rounds; in all, if few were steady. */
struct comparison {
    double limit_ns;
    double ratio;  /* the median of the rounds' ratios */
    double spread; /* the distance between the first and the third quartile of them */
    bool is_speed; /* the ratio is the limit's time by the subject's: a larger one is better */
};

/* The subject's time by the limit's. For the limit itself: a block of it by the next one. */
struct comparison compare(const struct record *record);

/* The limit's time by the subject's: larger is better. */
struct comparison compare_speed(const struct record *record);

#endif
