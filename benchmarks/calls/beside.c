#define _GNU_SOURCE
#include "beside.h"

#include "copying.h"
#include "support/child.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

enum { BLOCKED_MS = 10 };

struct beside {
    struct subject calls;
    shmipc_peer *host;
    atomic_bool over;
    pthread_t blocker;
};

static void *block_handlers(void *self) {
    struct beside *b = self;
    const uint32_t ms = BLOCKED_MS;
    const shmipc_request request = {.data = &ms, .length = sizeof ms, .type = TYPE_SLEEP};
    while (!atomic_load(&b->over))
        check(shmipc_call(b->host, &request, NULL, SHMIPC_TIMEOUT_DEFAULT));
    return NULL;
}

static void begin(void *self) {
    struct beside *b = self;
    atomic_store(&b->over, false);
    if (pthread_create(&b->blocker, NULL, block_handlers, b) != 0)
        die("thread");
}

static void end(void *self) {
    struct beside *b = self;
    atomic_store(&b->over, true);
    pthread_join(b->blocker, NULL);
}

static void run(void *self, uint64_t calls) {
    struct beside *b = self;
    b->calls.run(b->calls.self, calls);
}

static void stop(void *self) {
    struct beside *b = self;
    b->calls.stop(b->calls.self);
    free(b);
}

struct subject beside_start(const struct pair *pair, size_t bytes, bool blocked) {
    struct beside *b = calloc(1, sizeof *b);
    if (!b)
        die("memory");
    b->calls = copying_start(pair, "blocked", bytes);
    b->host = pair->host;
    struct subject s = b->calls;
    s.label.variant = blocked ? "one handler blocked" : "none blocked";
    s.self = b;
    s.run = run;
    s.stop = stop;
    if (blocked) {
        s.begin = begin;
        s.end = end;
    }
    return s;
}
