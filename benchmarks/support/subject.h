/*
 * What is measured: one kind of round trip. Each limit, each alternative and each way to call with
 * libshmipc is a file with a function that starts it and returns a subject, so that any of them can
 * take turns with any other. Whatever fails ends the program: a benchmark has no use for half a
 * result.
 */
#ifndef BENCHMARKS_SUBJECT_H
#define BENCHMARKS_SUBJECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a row of the results is about. */
struct label {
    const char *name;
    const char *guest; /* "c" or "go": the language of the answering side */
    size_t bytes;      /* of the request, and of the answer */
    unsigned threads;  /* that call at a time */
    unsigned in_flight;
    const char *variant; /* what tells this row from others of its name; "" if nothing need */
};

/* What a row is to come to; 0: anything. */
struct target {
    double ratio;        /* at least where a larger one is better, at most where a smaller one is */
    uint64_t longest_ns; /* no time is longer */
};

struct subject {
    struct label label;
    struct target target;
    void *self;

    /* Does this many round trips. NULL if `block` and `times` are set. */
    void (*run)(void *self, uint64_t calls);
    unsigned unit; /* calls come in multiples of this; a time is that of so many, divided */

    /* Both sides spin while they wait: a block begins when each has a processor. The others are
       left to the system, which often does best with both on one. */
    bool spins;

    /* How long after a rest calls still take longer than they will. What counts begins later. */
    uint64_t run_in_ns;

    /* Before and after each block: wakes the other side, lets it sleep. NULL: nothing to do. */
    void (*begin)(void *self);
    void (*end)(void *self);

    /* Once both sides run in a block: chooses what depends on the distance between their
       processors. NULL: nothing does. */
    void (*settle)(void *self);

    /* For those that keep their own time: round trips for about `ns`, returns the nanoseconds each
       took; the times of single ones, stores at most `most` and returns how many. */
    double (*block)(void *self, uint64_t ns);
    size_t (*times)(void *self, uint64_t ns, uint32_t *times, size_t most);

    void (*stop)(void *self);
};

#endif
