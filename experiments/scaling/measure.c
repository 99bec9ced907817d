#define _GNU_SOURCE
#include "measure.h"

#include "support/child.h"
#include "support/clock.h"
#include "support/linux/fork.h"
#include "support/pause.h"
#include "support/statistics.h"

#include <limits.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { ROUNDS = 31, REPEATS = 2000, WAKES = 8 * ROUNDS, LINE = 64 };

/* As in the kernel's uapi/linux/futex.h. */
enum { WAIT_BITSET = 9, WAKE_BITSET = 10 };

static void pin(int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)processor, &set);
    (void)sched_setaffinity(0, sizeof set, &set);
}

static void sleep_on(_Atomic uint32_t *word, uint32_t old, uint32_t bits) {
    (void)syscall(SYS_futex, word, WAIT_BITSET, old, NULL, NULL, bits);
}

static long wake_one(_Atomic uint32_t *word, uint32_t bits) {
    return syscall(SYS_futex, word, WAKE_BITSET, 1, NULL, NULL, bits);
}

static pthread_t start(void *(*run)(void *argument), void *argument) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, argument) != 0) {
        perror("pthread_create");
        exit(1);
    }
    return thread;
}

static void spin_for(uint64_t ns) {
    const uint64_t end = now_ns() + ns;
    while (now_ns() < end)
        cpu_pause();
}

/* ---- What one thread does by itself ---- */

static _Alignas(LINE) _Atomic uint32_t lone;

static void do_nothing(void) {
    atomic_signal_fence(memory_order_seq_cst);
}

static void do_pause(void) {
    cpu_pause();
}

static void do_delay(void) {
    for (volatile uint32_t left = 10; left > 0; left--) {
    }
}

static void do_locked(void) {
    atomic_fetch_add(&lone, 1);
}

static void do_clock(void) {
    (void)now_ns();
}

static void do_yield(void) {
    (void)sched_yield();
}

static void do_wake_nobody(void) {
    (void)wake_one(&lone, 1);
}

static double time_of(void (*act)(void)) {
    double times[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        const uint64_t begin = now_ns();
        for (int i = 0; i < REPEATS; i++)
            act();
        times[round] = (double)(now_ns() - begin) / REPEATS;
    }
    return median(times, ROUNDS);
}

/* ---- A line that two processors hand each other ---- */

static _Alignas(LINE) _Atomic uint32_t ball;

enum { THROWS = 20000 };

static void *throw_back(void *argument) {
    (void)argument;
    pin(1);
    for (uint32_t n = 1; n < 2 * THROWS * ROUNDS; n += 2) {
        while (atomic_load_explicit(&ball, memory_order_acquire) != n)
            cpu_pause();
        atomic_store_explicit(&ball, n + 1, memory_order_release);
    }
    return NULL;
}

static double there_and_back(void) {
    double times[ROUNDS];
    pthread_t other = start(throw_back, NULL);
    uint32_t n = 0;
    for (int round = 0; round < ROUNDS; round++) {
        const uint64_t begin = now_ns();
        for (int i = 0; i < THROWS; i++, n += 2) {
            atomic_store_explicit(&ball, n + 1, memory_order_release);
            while (atomic_load_explicit(&ball, memory_order_acquire) != n + 2)
                cpu_pause();
        }
        times[round] = (double)(now_ns() - begin) / THROWS;
    }
    (void)pthread_join(other, NULL);
    return median(times, ROUNDS);
}

/* ---- A thread that sleeps on one processor and is woken from another ---- */

static struct {
    _Alignas(LINE) _Atomic uint32_t word;
    _Alignas(LINE) _Atomic uint64_t ran_at;
} bed;

static void *sleep_and_tell(void *argument) {
    pin(*(int *)argument);
    for (uint32_t n = 0; n < WAKES; n++) {
        while (atomic_load(&bed.word) == n)
            sleep_on(&bed.word, n, 1);
        atomic_store(&bed.ran_at, now_ns());
    }
    return NULL;
}

/* The sleeper has slept for `rest_ns` when it is woken. */
static void wake_apart(uint64_t rest_ns, double *call, double *latency) {
    double calls[WAKES], latencies[WAKES];
    int processor = 1;
    atomic_store(&bed.word, 0);
    pthread_t other = start(sleep_and_tell, &processor);
    for (uint32_t n = 0; n < WAKES; n++) {
        spin_for(rest_ns);
        atomic_store(&bed.ran_at, 0);
        atomic_store(&bed.word, n + 1);
        const uint64_t begin = now_ns();
        (void)wake_one(&bed.word, 1);
        calls[n] = (double)(now_ns() - begin);
        while (atomic_load(&bed.ran_at) == 0)
            cpu_pause();
        latencies[n] = (double)(atomic_load(&bed.ran_at) - begin);
    }
    (void)pthread_join(other, NULL);
    *call = median(calls, WAKES);
    *latency = median(latencies, WAKES);
}

/* ---- Two processes on one processor that wake each other, and sleep ---- */

static struct pair {
    _Alignas(LINE) _Atomic uint32_t there;
    _Alignas(LINE) _Atomic uint32_t back;
} * pair;

enum { TURNS = 3000 };

static void take_turns(void *context) {
    (void)context;
    pin(0);
    for (uint32_t n = 0; n < TURNS; n++) {
        while (atomic_load(&pair->there) == n)
            sleep_on(&pair->there, n, 1);
        atomic_store(&pair->back, n + 1);
        (void)wake_one(&pair->back, 1);
    }
}

static double turn_together(void) {
    pair = shared_memory(sizeof *pair);
    (void)child_fork(take_turns, NULL);
    const uint64_t begin = now_ns();
    for (uint32_t n = 0; n < TURNS; n++) {
        atomic_store(&pair->there, n + 1);
        (void)wake_one(&pair->there, 1);
        while (atomic_load(&pair->back) == n)
            sleep_on(&pair->back, n, 1);
    }
    return (double)(now_ns() - begin) / TURNS / 2;
}

/* ---- A wake call that passes over many sleepers ---- */

enum { CROWD = 63 };
static _Alignas(LINE) _Atomic uint32_t crowd_word;
static _Atomic uint32_t crowd_size;

static void *sleep_in_crowd(void *argument) {
    (void)argument;
    atomic_fetch_add(&crowd_size, 1);
    while (atomic_load(&crowd_word) == 0)
        sleep_on(&crowd_word, 0, 2);
    return NULL;
}

static void pass_over(void) {
    (void)wake_one(&crowd_word, 1);
}

static double pass_over_one(double nobody) {
    pthread_t threads[CROWD];
    for (int i = 0; i < CROWD; i++)
        threads[i] = start(sleep_in_crowd, NULL);
    while (atomic_load(&crowd_size) < CROWD)
        (void)sched_yield();
    spin_for(50 * MILLISECOND);
    const double all = time_of(pass_over);
    atomic_store(&crowd_word, 1);
    (void)syscall(SYS_futex, &crowd_word, WAKE_BITSET, INT_MAX, NULL, NULL, 2);
    for (int i = 0; i < CROWD; i++)
        (void)pthread_join(threads[i], NULL);
    return (all - nobody) / CROWD;
}

void measure_costs(void) {
    pin(0);
    const double nothing = time_of(do_nothing);
    const double nobody = time_of(do_wake_nobody) - nothing;
    double call, latency;
    printf("a line there and back: %.1f ns\n", there_and_back());
    printf("locked=%.1f pause=%.1f delay=%.2f clock=%.1f yield=%.0f wake_nobody=%.0f\n",
           time_of(do_locked) - nothing, time_of(do_pause) - nothing,
           (time_of(do_delay) - nothing) / 10, time_of(do_clock) - nothing,
           time_of(do_yield) - nothing, nobody);
    wake_apart(20 * MICROSECOND, &call, &latency);
    printf("asleep for 20 us on another processor: wake=%.0f wake_up=%.0f\n", call, latency);
    wake_apart(200 * MICROSECOND, &call, &latency);
    printf("asleep for 200 us on another processor: wake=%.0f wake_up=%.0f\n", call, latency);
    wake_apart(5 * MILLISECOND, &call, &latency);
    printf("asleep for 5 ms on another processor: wake=%.0f wake_up=%.0f\n", call, latency);
    printf("a wake, a sleep and a switch on one processor: %.0f ns\n", turn_together());
    printf("pass_over=%.1f\n", pass_over_one(nobody));
}
