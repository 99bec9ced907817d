#include "copying.h"

#include "support/child.h"

#include <stdlib.h>

struct copying {
    shmipc_peer *host;
    shmipc_slot slot; /* if one is held */
    size_t bytes;
    char *there, *back;
};

static void run(void *self, uint64_t calls) {
    const struct copying *c = self;
    const shmipc_request request = {.data = c->there, .length = c->bytes};
    for (uint64_t i = 0; i < calls; i++) {
        shmipc_response response = {.data = c->back, .capacity = c->bytes};
        check(shmipc_call(c->host, &request, &response, SHMIPC_TIMEOUT_DEFAULT));
    }
}

static void run_held(void *self, uint64_t calls) {
    const struct copying *c = self;
    const shmipc_request request = {.data = c->there, .length = c->bytes};
    for (uint64_t i = 0; i < calls; i++) {
        shmipc_response response = {.data = c->back, .capacity = c->bytes};
        check(shmipc_slot_call(c->slot, &request, &response, SHMIPC_TIMEOUT_DEFAULT));
    }
}

static void stop(void *self) {
    struct copying *c = self;
    free(c->there);
    free(c->back);
    free(c);
}

static void stop_held(void *self) {
    const struct copying *c = self;
    check(shmipc_slot_release(c->slot));
    stop(self);
}

static struct copying *allocate(const struct pair *pair, size_t bytes) {
    struct copying *c = calloc(1, sizeof *c);
    if (!c)
        die("memory");
    c->host = pair->host;
    c->bytes = bytes;
    c->there = calloc(1, bytes + 1);
    c->back = calloc(1, bytes + 1);
    return c;
}

struct subject copying_start(const struct pair *pair, const char *name, size_t bytes) {
    return (struct subject){.label = {name, pair->guest, bytes, 1, 1, ""},
                            .self = allocate(pair, bytes),
                            .spins = true,
                            .run_in_ns = pair_run_in(pair),
                            .unit = 1,
                            .run = run,
                            .stop = stop};
}

struct subject copying_start_held(const struct pair *pair, const char *name, size_t bytes) {
    struct copying *c = allocate(pair, bytes);
    check(shmipc_slot_claim(c->host, SHMIPC_TIMEOUT_DEFAULT, &c->slot));
    return (struct subject){.label = {name, pair->guest, bytes, 1, 1, "held slot"},
                            .self = c,
                            .spins = true,
                            .run_in_ns = pair_run_in(pair),
                            .unit = 1,
                            .run = run_held,
                            .stop = stop_held};
}
