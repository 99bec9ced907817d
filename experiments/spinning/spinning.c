/*
 * How long to spin before sleeping. Both sides spin for a while, then sleep by futex. The caller
 * thinks between two calls; for each length of thought and each budget the program prints what a
 * call took, and the processor time that both sides spent on it beyond the thinking.
 */
#define _GNU_SOURCE
#include "support/child.h"
#include "support/clock.h"
#include "support/linux/fork.h"
#include "support/linux/futex.h"
#include "support/statistics.h"

#include <stdbool.h>
#include <stdio.h>

enum { LINE = 64, ROUNDS = 15, BLOCK_NS = 20000000, CALLS_MOST = 100000 };

struct word {
    _Alignas(LINE) _Atomic uint32_t value;
    _Atomic uint32_t sleeps; /* whoever waits for the word sleeps */
};

static struct shared {
    struct word there, back;
    _Alignas(LINE) _Atomic uint64_t budget_ns; /* what both spin at most */
} * shared;

/* The waiter's flag and the writer's look at it are sequentially consistent, as are both looks at
   the value: one of the two sees the other. */
static void await(struct word *word, uint32_t old, uint64_t budget_ns) {
    uint64_t end = now_ns() + budget_ns;
    while (atomic_load(&word->value) == old && now_ns() < end) {
    }
    while (atomic_load(&word->value) == old) {
        atomic_store(&word->sleeps, 1);
        if (atomic_load(&word->value) == old)
            futex_sleep_while(&word->value, old);
        atomic_store(&word->sleeps, 0);
    }
}

static void publish(struct word *word, uint32_t value) {
    atomic_store(&word->value, value);
    if (atomic_load(&word->sleeps))
        futex_wake_all(&word->value);
}

static void answer(void *context) {
    (void)context;
    for (uint32_t n = 0;; n++) {
        await(&shared->there, n, atomic_load(&shared->budget_ns));
        publish(&shared->back, n + 1);
    }
}

static void think(uint64_t ns) {
    uint64_t end = now_ns() + ns;
    while (now_ns() < end) {
    }
}

struct result {
    double call_ns[ROUNDS], cpu_ns[ROUNDS];
};

static void run_block(uint64_t budget_ns, uint64_t thought_ns, struct result *result, int round) {
    static uint32_t sent;
    static double times[CALLS_MOST];
    size_t count = 0;
    atomic_store(&shared->budget_ns, budget_ns);
    uint64_t begin = now_ns(), end = begin + BLOCK_NS, cpu = cpu_ns();
    while (count < CALLS_MOST && now_ns() < end) {
        uint64_t call = now_ns();
        publish(&shared->there, sent + 1);
        await(&shared->back, sent, budget_ns);
        times[count++] = (double)(now_ns() - call);
        sent++;
        think(thought_ns);
    }
    result->cpu_ns[round] = (double)(cpu_ns() - cpu) / (double)count - (double)thought_ns;
    result->call_ns[round] = median(times, count);
}

int main(void) {
    static const uint64_t budgets[] = {0, 2000, 10000, 30000, 100000};
    static const uint64_t thoughts[] = {0, 5000, 20000, 50000, 200000};
    enum {
        BUDGETS = sizeof budgets / sizeof *budgets,
        THOUGHTS = sizeof thoughts / sizeof *thoughts
    };
    static struct result results[THOUGHTS][BUDGETS];
    shared = shared_memory(sizeof *shared);
    pid_t partner = child_fork(answer, NULL);
    for (int round = 0; round < ROUNDS; round++) {
        for (int t = 0; t < THOUGHTS; t++) {
            for (int b = 0; b < BUDGETS; b++)
                run_block(budgets[b], thoughts[t], &results[t][b], round);
        }
    }
    child_stop(partner);
    printf("us of a call / us of processor time a call, by budget\n%12s", "thought");
    for (int b = 0; b < BUDGETS; b++)
        printf("%9u us    ", (unsigned)(budgets[b] / MICROSECOND));
    for (int t = 0; t < THOUGHTS; t++) {
        printf("\n%9u us", (unsigned)(thoughts[t] / MICROSECOND));
        for (int b = 0; b < BUDGETS; b++)
            printf("%7.1f /%6.1f ", median(results[t][b].call_ns, ROUNDS) / 1e3,
                   median(results[t][b].cpu_ns, ROUNDS) / 1e3);
    }
    printf("\n");
    return 0;
}
