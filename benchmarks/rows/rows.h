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

/* The first subject is the limit of all; emits a row for each. Frees the records, stops the
   subjects. */
void emit_all(struct subject *subjects, size_t count, const struct plan *plan);

void measure_rtt(const struct effort *effort);
void measure_in_flight(const struct effort *effort);
void measure_threads(const struct effort *effort);
void measure_idle(const struct effort *effort);
void measure_copy(const struct effort *effort);
void measure_zero_copy(const struct effort *effort);
void measure_guest_calls(const struct effort *effort);
void measure_create(const struct effort *effort);
void measure_alternatives(const struct effort *effort);
void measure_parked(const struct effort *effort);
void measure_blocked(const struct effort *effort);
void measure_slots(const struct effort *effort);

#endif
