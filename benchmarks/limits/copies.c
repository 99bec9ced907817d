#include "copies.h"

#include "support/child.h"

#include <stdlib.h>
#include <string.h>

struct copies {
    char *source, *request, *response, *sink;
    size_t bytes;
};

/* What the compiler cannot see through. */
static void keep(const void *memory) {
    __asm__ volatile("" : : "r"(memory) : "memory");
}

static void run(void *self, uint64_t calls) {
    const struct copies *c = self;
    for (uint64_t i = 0; i < calls; i++) {
        memcpy(c->request, c->source, c->bytes);
        keep(c->request);
        memcpy(c->response, c->request, c->bytes);
        keep(c->response);
        memcpy(c->sink, c->response, c->bytes);
        keep(c->sink);
    }
}

static void stop(void *self) {
    struct copies *c = self;
    free(c->source);
    free(c->sink);
    free(c);
}

struct subject copies_by_one_start(size_t bytes) {
    struct copies *c = calloc(1, sizeof *c);
    char *memory = shared_memory(2 * bytes);
    if (!c)
        die("memory");
    *c = (struct copies){calloc(1, bytes), memory, memory + bytes, calloc(1, bytes), bytes};
    return (struct subject){.label = {"limit_memcpy", "c", bytes, 1, 1, "one process"},
                            .self = c,
                            .unit = 1,
                            .run = run,
                            .stop = stop};
}
