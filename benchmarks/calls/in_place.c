#include "in_place.h"

#include "support/child.h"

#include <stdlib.h>

struct in_place {
    shmipc_slot slot;
    size_t bytes;
};

static void run(void *self, uint64_t calls) {
    const struct in_place *p = self;
    shmipc_response response;
    for (uint64_t i = 0; i < calls; i++) {
        check(shmipc_slot_send(p->slot, TYPE_LENGTH, p->bytes, 0));
        check(shmipc_slot_receive(p->slot, SHMIPC_TIMEOUT_DEFAULT, &response));
    }
}

static void stop(void *self) {
    struct in_place *p = self;
    check(shmipc_slot_release(p->slot));
    free(p);
}

struct subject in_place_start(const struct pair *pair, size_t bytes) {
    struct in_place *p = calloc(1, sizeof *p);
    if (!p)
        die("memory");
    p->bytes = bytes;
    check(shmipc_slot_claim(pair->host, SHMIPC_TIMEOUT_DEFAULT, &p->slot));
    return (struct subject){.label = {"zero_copy", pair->guest, bytes, 1, 1, ""},
                            .self = p,
                            .spins = true,
                            .run_in_ns = pair_run_in(pair),
                            .unit = 1,
                            .run = run,
                            .stop = stop};
}
