#include "requests.h"

#include "support/child.h"

#include <stdlib.h>
#include <string.h>

struct requests {
    shmipc_peer *host;
    uint32_t type;
    size_t bytes;
    char *there, *back;
};

static void run(void *self, uint64_t calls) {
    const struct requests *r = self;
    const shmipc_request request = {.data = r->there, .length = r->bytes, .type = r->type};
    for (uint64_t i = 0; i < calls; i++) {
        shmipc_response response = {.data = r->back, .capacity = r->bytes};
        check(shmipc_call(r->host, &request, &response, SHMIPC_TIMEOUT_DEFAULT));
    }
}

static void stop(void *self) {
    struct requests *r = self;
    free(r->there);
    free(r->back);
    free(r);
}

/* With zeroes behind the data. */
static struct subject start(const struct pair *pair, const char *name, uint32_t type,
                            const void *data, size_t length, size_t bytes) {
    struct requests *r = calloc(1, sizeof *r);
    if (!r || bytes < length)
        die("requests");
    *r = (struct requests){pair->host, type, bytes, calloc(1, bytes + 1), calloc(1, bytes + 1)};
    memcpy(r->there, data, length);
    return (struct subject){.label = {name, pair->guest, bytes, 1, 1, ""},
                            .self = r,
                            .unit = 1,
                            .run = run,
                            .stop = stop};
}

struct subject requests_start(const struct pair *pair, const char *name, uint32_t type,
                              const void *data, size_t bytes) {
    return start(pair, name, type, data, bytes, bytes);
}

struct subject jobs_start(const struct pair *pair, const char *name, size_t bytes, struct job job) {
    return start(pair, name, TYPE_JOB, &job, sizeof job, bytes);
}
