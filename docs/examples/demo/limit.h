/*
 * The bare limit of this machine: one word, on a cache line of its own, that two processes hand to
 * each other while both spin, and nothing else. How often they look matters: each look takes the
 * line away from the side that wants to write to it. So the limit is measured with several numbers
 * of pauses between two looks; the fastest is the limit.
 */
#ifndef DEMO_LIMIT_H
#define DEMO_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct limit {
    _Atomic uint64_t *word; /* alone in a page shared with the child */
    uint64_t sent;
    int pauses;
    intptr_t
        bell; /* a byte written here, the pauses, begins a block; the child sleeps until then */
    intptr_t child;
};

/* Starts the other process: it is a copy of this one, so call this before anything else has begun.
   Returns false and says why if that fails. */
bool limit_start(struct limit *limit);
void limit_stop(struct limit *limit);

/* Where a process cannot be copied, another one is started with these arguments. */
int limit_be_child(char **arguments);

/* In the block that begins, both sides pause this often between two looks at the word. */
void limit_begin_block(struct limit *limit, unsigned char pauses);
void limit_round_trip(struct limit *limit);
void limit_end_block(struct limit *limit);

#endif
