#include "working.h"

#include "crew.h"
#include "support/child.h"

#include <stdlib.h>
#include <string.h>

struct working {
    shmipc_peer *host;
    size_t bytes;
    char *there, *back;
};

static void run(void *self, uint64_t calls) {
    const struct working *w = self;
    const shmipc_request request = {.data = w->there, .length = w->bytes, .type = TYPE_JOB};
    for (uint64_t i = 0; i < calls; i++) {
        shmipc_response response = {.data = w->back, .capacity = w->bytes};
        check(shmipc_call(w->host, &request, &response, SHMIPC_TIMEOUT_DEFAULT));
    }
}

static void stop(void *self) {
    struct working *w = self;
    free(w->there);
    free(w->back);
    free(w);
}

static struct subject call(const struct pair *pair, size_t bytes, struct job job) {
    struct working *w = calloc(1, sizeof *w);
    if (!w || bytes < sizeof job)
        die("a job");
    *w = (struct working){pair->host, bytes, calloc(1, bytes), calloc(1, bytes)};
    memcpy(w->there, &job, sizeof job);
    return (struct subject){.label = {"parallel", pair->guest, bytes, 1, 1, ""},
                            .self = w,
                            .unit = 1,
                            .run = run,
                            .stop = stop};
}

struct subject working_start(const struct pair *pair, size_t bytes, unsigned threads,
                             struct job job) {
    struct subject *members = calloc(threads, sizeof *members);
    if (!members)
        die("memory");
    for (unsigned i = 0; i < threads; i++)
        members[i] = call(pair, bytes, job);
    struct subject crew = crew_start(members, threads);
    free(members);
    return crew;
}
