#define _GNU_SOURCE
#include "callers.h"

#include "support/blocks.h"
#include "support/child.h"
#include "support/clock.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

enum {
    TIMES = 8192, /* kept of each thread and block, at even distances, and the longest */
    TOGETHER_NS = 10000000,
};

struct callers;

/* Each on lines of its own: nothing in the loop is shared but what is only read. */
struct caller {
    _Alignas(128) struct callers *all;
    struct subject calls;
    pthread_t thread;
    uint64_t count;
    uint32_t *times;
    size_t times_count;
    uint32_t seen, distance, longest; /* one in so many is kept of those seen */
};

struct callers {
    _Alignas(128) atomic_bool over; /* all look at it all the time */
    _Alignas(128) struct caller *callers;
    unsigned count;
    pthread_barrier_t
        gate; /* passed before and after what comes first in a block, and at its end */
    bool quit, timed;
};

static void call_untimed(struct caller *m) {
    uint64_t count = 0;
    while (!atomic_load_explicit(&m->all->over, memory_order_relaxed)) {
        m->calls.run(m->calls.self, 1);
        count++;
    }
    m->count = count;
}

/* As if only half of those kept had been kept from the beginning. */
static void thin_out(struct caller *m) {
    m->times_count /= 2;
    m->distance *= 2;
    for (size_t i = 0; i < m->times_count; i++)
        m->times[i] = m->times[2 * i];
}

static void keep(struct caller *m, uint64_t took) {
    uint32_t time = took > UINT32_MAX ? UINT32_MAX : (uint32_t)took;
    m->longest = time > m->longest ? time : m->longest;
    if (m->seen++ % m->distance != 0)
        return;
    m->times[m->times_count++] = time;
    if (m->times_count == TIMES)
        thin_out(m);
}

static void forget_times(struct caller *m) {
    m->times_count = 0;
    m->seen = m->longest = 0;
    m->distance = 1;
}

static void call_timed(struct caller *m) {
    uint64_t cost = clock_cost(), last = now_ns();
    bool over = false;
    forget_times(m);
    while (!over) {
        m->calls.run(m->calls.self, 1);
        over = atomic_load_explicit(&m->all->over, memory_order_relaxed);
        uint64_t now = now_ns(), took = now - last;
        keep(m, took > cost ? took - cost : 0);
        last = now;
    }
}

static void *work(void *self) {
    struct caller *m = self;
    for (;;) {
        pthread_barrier_wait(&m->all->gate);
        if (m->all->quit)
            return NULL;
        if (m->all->count == 1)
            come_together(&m->calls, TOGETHER_NS);
        pthread_barrier_wait(&m->all->gate);
        if (m->all->timed)
            call_timed(m);
        else
            call_untimed(m);
        pthread_barrier_wait(&m->all->gate);
    }
}

/* Returns how long it took until the last thread had ended its last call. */
static uint64_t run_block(struct callers *c, uint64_t ns, bool timed) {
    c->timed = timed;
    atomic_store(&c->over, false);
    pthread_barrier_wait(&c->gate);
    pthread_barrier_wait(&c->gate);
    uint64_t begin = now_ns();
    sleep_until(begin + ns);
    atomic_store(&c->over, true);
    pthread_barrier_wait(&c->gate);
    return now_ns() - begin;
}

static double block(void *self, uint64_t ns) {
    struct callers *c = self;
    uint64_t took = run_block(c, ns, false), calls = 0;
    for (unsigned i = 0; i < c->count; i++)
        calls += c->callers[i].count;
    return (double)took / (double)calls;
}

/* The least that all have in common, so that a call of each counts the same. */
static uint32_t common_distance(const struct callers *c) {
    uint32_t distance = 1;
    for (unsigned i = 0; i < c->count; i++) {
        if (c->callers[i].distance > distance)
            distance = c->callers[i].distance;
    }
    return distance;
}

static size_t times(void *self, uint64_t ns, uint32_t *times, size_t most) {
    struct callers *c = self;
    size_t count = 0;
    (void)run_block(c, ns, true);
    uint32_t distance = common_distance(c);
    for (unsigned i = 0; i < c->count; i++) {
        const struct caller *m = &c->callers[i];
        if (count < most)
            times[count++] = m->longest;
        for (size_t k = 0; k < m->times_count && count < most; k += distance / m->distance)
            times[count++] = m->times[k];
    }
    return count;
}

static void stop(void *self) {
    struct callers *c = self;
    c->quit = true;
    pthread_barrier_wait(&c->gate);
    for (unsigned i = 0; i < c->count; i++) {
        struct caller *m = &c->callers[i];
        pthread_join(m->thread, NULL);
        m->calls.stop(m->calls.self);
        free(m->times);
    }
    pthread_barrier_destroy(&c->gate);
    free(c->callers);
    free(c);
}

static void start_caller(struct caller *m, struct callers *c, struct subject calls) {
    *m = (struct caller){.all = c, .calls = calls, .times = calloc(TIMES, sizeof *m->times)};
    if (!m->times || pthread_create(&m->thread, NULL, work, m) != 0)
        die("thread");
}

struct subject callers_start(const struct subject *callers, unsigned count) {
    struct callers *c = aligned_alloc(_Alignof(struct callers), sizeof *c);
    struct label label = callers[0].label;
    if (!c)
        die("memory");
    *c = (struct callers){.count = count};
    c->callers = aligned_alloc(_Alignof(struct caller), count * sizeof *c->callers);
    if (!c->callers || pthread_barrier_init(&c->gate, NULL, count + 1) != 0)
        die("threads");
    for (unsigned i = 0; i < count; i++)
        start_caller(&c->callers[i], c, callers[i]);
    label.threads = label.in_flight = count;
    return (struct subject){
        .label = label, .self = c, .unit = 1, .block = block, .times = times, .stop = stop};
}
