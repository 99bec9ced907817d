/* Times round trips of several kinds, in blocks that take turns. */
#ifndef DEMO_LATENCY_H
#define DEMO_LATENCY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NS_PER_S UINT64_C(1000000000)

/* CLOCK_MONOTONIC. */
uint64_t now_ns(void);

/* One kind of round trip. */
struct subject {
    const char *name;
    int (*call)(void *context);         /* one round trip; 0, or an error that ends it all */
    void (*begin_block)(void *context); /* NULL: nothing to do */
    void (*end_block)(void *context);   /* NULL: nothing to do */
    void *context;
    bool is_limit; /* a way to reach the bare limit; these subjects come first */

    /* Set by measure. */
    uint64_t *times; /* in ns, `count` of them, sorted; to be given to free */
    size_t count;
    double ratio; /* to the limit: median, over the rounds, of a block's median by the lowest of the
                     round's limits */
};

/*
 * Times `calls` round trips of each subject, fewer if that takes longer than `seconds`. A round is
 * a block of each subject, of 10,000 calls or 50 ms, whichever is less. Returns false and says why
 * if a call failed.
 */
bool measure(struct subject *subjects, size_t count, size_t calls, int seconds);

/* What reading the clock costs, in ns: measure subtracts it from each time. */
uint64_t clock_cost(void);

/* The time that `share` (0 to 1) of the round trips did not exceed. */
uint64_t percentile(const struct subject *subject, double share);

#endif
