#include "paced.h"

#include "support/child.h"
#include "support/clock.h"

#include <stdlib.h>

enum { SHORT_NS = 50000 };

struct paced {
    struct subject inner;
    uint64_t rest_ns;
};

static void rest_until(uint64_t ns) {
    if (ns > now_ns() + SHORT_NS)
        sleep_until(ns);
    while (now_ns() < ns) {
    }
}

/* The next rest begins when the last call should have: a slow call delays no other. */
static size_t times(void *self, uint64_t ns, uint32_t *times, size_t most) {
    struct paced *p = self;
    uint64_t cost = clock_cost(), next = now_ns() + p->rest_ns, end = next + ns;
    size_t count = 0;
    do {
        rest_until(next);
        uint64_t begin = now_ns();
        p->inner.run(p->inner.self, 1);
        uint64_t now = now_ns(), took = now - begin;
        times[count++] = (uint32_t)(took > cost ? took - cost : 0);
        next = next + p->rest_ns > now ? next + p->rest_ns : now;
    } while (next < end && count < most);
    return count;
}

static void stop(void *self) {
    struct paced *p = self;
    p->inner.stop(p->inner.self);
    free(p);
}

struct subject paced_start(struct subject inner, uint64_t rest_ns) {
    struct paced *p = calloc(1, sizeof *p);
    if (!p)
        die("memory");
    *p = (struct paced){inner, rest_ns};
    return (struct subject){
        .label = inner.label, .self = p, .unit = 1, .times = times, .stop = stop};
}
