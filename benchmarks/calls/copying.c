#include "copying.h"

#include "support/child.h"

#include <stdlib.h>

struct copying {
    shmipc_peer *host;
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

static void stop(void *self) {
    struct copying *c = self;
    free(c->there);
    free(c->back);
    free(c);
}

struct subject copying_start(const struct pair *pair, const char *name, size_t bytes) {
    struct copying *c = calloc(1, sizeof *c);
    if (!c)
        die("memory");
    *c = (struct copying){pair->host, bytes, calloc(1, bytes + 1), calloc(1, bytes + 1)};
    return (struct subject){.label = {name, pair->guest, bytes, 1, 1, ""},
                            .self = c,
                            .spins = true,
                            .unit = 1,
                            .run = run,
                            .stop = stop};
}
