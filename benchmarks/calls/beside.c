#define _GNU_SOURCE
#include "beside.h"

#include "support/child.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

struct beside {
    struct subject calls, other;
    atomic_bool over;
    pthread_t thread;
};

static void *call_beside(void *self) {
    struct beside *b = self;
    while (!atomic_load(&b->over))
        b->other.run(b->other.self, 1);
    return NULL;
}

static void begin(void *self) {
    struct beside *b = self;
    atomic_store(&b->over, false);
    if (pthread_create(&b->thread, NULL, call_beside, b) != 0)
        die("thread");
}

static void end(void *self) {
    struct beside *b = self;
    atomic_store(&b->over, true);
    pthread_join(b->thread, NULL);
}

static void run(void *self, uint64_t calls) {
    struct beside *b = self;
    b->calls.run(b->calls.self, calls);
}

static double block(void *self, uint64_t ns) {
    struct beside *b = self;
    return b->calls.block(b->calls.self, ns);
}

static size_t times(void *self, uint64_t ns, uint32_t *times, size_t most) {
    struct beside *b = self;
    return b->calls.times(b->calls.self, ns, times, most);
}

static void stop(void *self) {
    struct beside *b = self;
    b->calls.stop(b->calls.self);
    b->other.stop(b->other.self);
    free(b);
}

struct subject beside_start(struct subject calls, struct subject other) {
    struct beside *b = calloc(1, sizeof *b);
    if (!b)
        die("memory");
    b->calls = calls;
    b->other = other;
    struct subject s = calls;
    s.self = b;
    s.begin = begin;
    s.end = end;
    s.run = calls.run ? run : NULL;
    s.block = calls.block ? block : NULL;
    s.times = calls.times ? times : NULL;
    s.stop = stop;
    return s;
}
