#define _GNU_SOURCE
#include "latency.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum {
    BLOCK_CALLS = 10000,
    BLOCK_NS = 50000000,
    WARM_UP =
        100, /* calls of each block that are not counted: the first one wakes the other side */
};

uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * NS_PER_S + (uint64_t)now.tv_nsec;
}

static int by_size(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static uint64_t median(uint64_t *values, size_t count) {
    qsort(values, count, sizeof *values, by_size);
    return count ? values[count / 2] : 0;
}

uint64_t clock_cost(void) {
    enum { READS = 1001 };
    uint64_t costs[READS];
    uint64_t last = now_ns();
    for (size_t i = 0; i < READS; i++) {
        uint64_t now = now_ns();
        costs[i] = now - last;
        last = now;
    }
    return median(costs, READS);
}

uint64_t percentile(const struct subject *subject, double share) {
    if (subject->count == 0)
        return 0;
    size_t index = (size_t)(share * (double)subject->count);
    return subject->times[index < subject->count ? index : subject->count - 1];
}

struct block {
    uint64_t times[BLOCK_CALLS];
    size_t count;
};

/* From the end of one call to the end of the next there are the call and one read of the clock. */
static int time_calls(struct subject *s, struct block *block, uint64_t cost) {
    uint64_t last = now_ns(), end = last + BLOCK_NS;
    for (int i = 0; i < WARM_UP && last < end; i++) {
        int error = s->call(s->context);
        if (error)
            return error;
        last = now_ns();
    }
    block->count = 0;
    while (block->count < BLOCK_CALLS && (last < end || block->count == 0)) {
        int error = s->call(s->context);
        if (error)
            return error;
        uint64_t now = now_ns(), took = now - last;
        block->times[block->count++] = took > cost ? took - cost : 0;
        last = now;
    }
    return 0;
}

static int run_block(struct subject *s, struct block *block, uint64_t cost) {
    if (s->begin_block)
        s->begin_block(s->context);
    int error = time_calls(s, block, cost);
    if (s->end_block)
        s->end_block(s->context);
    return error;
}

static void keep(struct subject *s, const struct block *block, size_t calls) {
    size_t left = calls - s->count;
    size_t kept = block->count < left ? block->count : left;
    memcpy(s->times + s->count, block->times, kept * sizeof *s->times);
    s->count += kept;
}

/* The ratios of each round, in thousandths, subject by subject. */
struct rounds {
    uint64_t *ratios;
    size_t count, most;
};

static bool run_round(struct subject *subjects, size_t count, size_t calls, struct rounds *rounds,
                      uint64_t cost) {
    static struct block block;
    uint64_t limit = UINT64_MAX;
    for (size_t i = 0; i < count; i++) {
        if (run_block(&subjects[i], &block, cost) != 0)
            return false;
        keep(&subjects[i], &block, calls);
        uint64_t middle = median(block.times, block.count);
        if (subjects[i].is_limit && middle < limit)
            limit = middle > 0 ? middle : 1;
        rounds->ratios[i * rounds->most + rounds->count] = 1000 * middle / limit;
    }
    rounds->count++;
    return true;
}

static bool is_complete(const struct subject *subjects, size_t count, size_t calls) {
    for (size_t i = 0; i < count; i++) {
        if (subjects[i].count < calls)
            return false;
    }
    return true;
}

static bool run_rounds(struct subject *subjects, size_t count, size_t calls, int seconds,
                       struct rounds *rounds) {
    uint64_t cost = clock_cost(), end = now_ns() + (uint64_t)seconds * NS_PER_S;
    while (rounds->count < rounds->most && now_ns() < end && !is_complete(subjects, count, calls)) {
        if (!run_round(subjects, count, calls, rounds, cost))
            return false;
    }
    for (size_t i = 0; i < count; i++) {
        qsort(subjects[i].times, subjects[i].count, sizeof *subjects[i].times, by_size);
        subjects[i].ratio = (double)median(rounds->ratios + i * rounds->most, rounds->count) / 1000;
    }
    return true;
}

bool measure(struct subject *subjects, size_t count, size_t calls, int seconds) {
    struct rounds rounds = {.most = 20 * (calls / BLOCK_CALLS + 1)};
    rounds.ratios = calloc(count * rounds.most, sizeof *rounds.ratios);
    bool ready = rounds.ratios != NULL;
    for (size_t i = 0; i < count; i++) {
        subjects[i].times = malloc(calls * sizeof *subjects[i].times);
        ready = ready && subjects[i].times;
    }
    if (!ready)
        fprintf(stderr, "demo: out of memory\n");
    for (size_t i = 0; ready && i < count; i++) /* not to be paid for while the clock runs */
        memset(subjects[i].times, 0, calls * sizeof *subjects[i].times);
    bool done = ready && run_rounds(subjects, count, calls, seconds, &rounds);
    free(rounds.ratios);
    return done;
}
