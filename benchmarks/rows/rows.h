/* The rows of the results: each function measures those of one name and emits them. */
#ifndef BENCHMARKS_ROWS_H
#define BENCHMARKS_ROWS_H

#include "support/results.h"

/* Bytes of a small message, each way. */
enum { SMALL = 48 };

/* How thorough. */
struct effort {
    bool quick;
    unsigned rounds; /* at most; 0: no matter */
};

/* How many rounds, if it is to be quick and if not. */
unsigned rounds_of(const struct effort *effort, unsigned quick, unsigned thorough);

/* Rounds of blocks of some milliseconds, for what spins. */
struct plan short_blocks(const struct effort *effort);

/* The first subject is the limit of all; emits a row for each. Stops the subjects. */
void emit_all(struct subject *subjects, size_t count, const struct plan *plan);

/* The same with the ratios of speeds: larger is better. */
void emit_speeds(struct subject *subjects, size_t count, const struct plan *plan);

enum { SUBJECTS_MOST = 64 };

/*
 * What is measured together, and set up anew every few rounds: where in memory a cache line lies
 * makes it nearer to one processor or another, for as long as it lies there, and that changes a
 * round trip by a tenth.
 */
struct scene {
    size_t (*set_up)(void *self, struct subject *subjects); /* returns how many, the limit first */
    void (*take_down)(void *self); /* once the subjects were stopped; NULL: nothing to do */
    void *self;
};

/* Emits a row for each subject, over all rounds of the plan. */
void emit_scenes(const struct scene *scene, const struct plan *plan);

void measure_rtt(const struct effort *effort);
void measure_learning(const struct effort *effort);
void measure_in_flight(const struct effort *effort);
void measure_threads(const struct effort *effort);
void measure_oversubscribed(const struct effort *effort);
void measure_mixed(const struct effort *effort);
void measure_parallel(const struct effort *effort);
void measure_idle(const struct effort *effort);
void measure_copy(const struct effort *effort);
void measure_zero_copy(const struct effort *effort);
void measure_guest_calls(const struct effort *effort);
void measure_create(const struct effort *effort);
void measure_hosts(const struct effort *effort);
void measure_alternatives(const struct effort *effort);
void measure_parked(const struct effort *effort);
void measure_loop(const struct effort *effort);
void measure_blocked(const struct effort *effort);
void measure_slots(const struct effort *effort);
void measure_cpp(const struct effort *effort);
void measure_flatbuffers(const struct effort *effort);

#endif
