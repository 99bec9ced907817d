#include "several.h"

#include "support/child.h"

#include <stdlib.h>
#include <string.h>

enum { SLOTS = 64 };

struct several {
    shmipc_slot slots[SLOTS];
    unsigned count;
    size_t bytes;
    char *there, *back;
};

static void send_one(const struct several *s, shmipc_slot slot) {
    memcpy(shmipc_slot_buffer(slot, NULL), s->there, s->bytes);
    check(shmipc_slot_send(slot, SHMIPC_TYPE_NORMAL, s->bytes, 0));
}

static void receive_one(const struct several *s, shmipc_slot slot) {
    shmipc_response response;
    check(shmipc_slot_receive(slot, SHMIPC_TIMEOUT_DEFAULT, &response));
    memcpy(s->back, response.data, response.length);
}

/* The answers come in the order of the requests, so the oldest is awaited. `calls` is a multiple of
   the number in flight. */
static void run(void *self, uint64_t calls) {
    const struct several *s = self;
    for (unsigned i = 0; i < s->count; i++)
        send_one(s, s->slots[i]);
    for (uint64_t left = calls - s->count; left > 0; left -= s->count) {
        for (unsigned i = 0; i < s->count; i++) {
            receive_one(s, s->slots[i]);
            send_one(s, s->slots[i]);
        }
    }
    for (unsigned i = 0; i < s->count; i++)
        receive_one(s, s->slots[i]);
}

static void stop(void *self) {
    struct several *s = self;
    for (unsigned i = 0; i < s->count; i++)
        check(shmipc_slot_release(s->slots[i]));
    free(s->there);
    free(s->back);
    free(s);
}

struct subject several_start(const struct pair *pair, size_t bytes, unsigned in_flight) {
    struct several *s = calloc(1, sizeof *s);
    if (!s || in_flight > SLOTS)
        die("several");
    *s = (struct several){.count = in_flight,
                          .bytes = bytes,
                          .there = calloc(1, bytes + 1),
                          .back = calloc(1, bytes + 1)};
    for (unsigned i = 0; i < in_flight; i++)
        check(shmipc_slot_claim(pair->host, SHMIPC_TIMEOUT_DEFAULT, &s->slots[i]));
    return (struct subject){.label = {"in_flight", pair->guest, bytes, 1, in_flight, ""},
                            .self = s,
                            .spins = true,
                            .run_in_ns = pair_run_in(pair),
                            .unit = in_flight,
                            .run = run,
                            .stop = stop};
}
