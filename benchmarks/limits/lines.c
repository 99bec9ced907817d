#define _GNU_SOURCE
#include "lines.h"

#include "copies.h"
#include "support/child.h"
#include "support/partner.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 64, PATIENCE = 2000 };

/* In a block the caller writes 1, 3, 5... and the partner answers 2, 4, 6...; STOP is answered by
   0, which ends the block. */
#define STOP UINT64_MAX

struct lines {
    _Atomic uint64_t *word; /* alone on the first line of a shared mapping; there, back follow */
    unsigned char *there, *back;
    unsigned char *source, *sink; /* private memory of as many bytes */
    size_t bytes;                 /* beyond the first line */
    uint64_t sent;
    struct partner partner;
};

/* Spins until the word is no longer `old`. Without a processor of its own the other side must be
   let run. */
static inline uint64_t await_change(_Atomic uint64_t *word, uint64_t old) {
    for (;;) {
        for (int i = 0; i < PATIENCE; i++) {
            uint64_t found = atomic_load_explicit(word, memory_order_acquire);
            if (found != old)
                return found;
        }
        sched_yield();
    }
}

static void answer_block(void *self) {
    const struct lines *l = self;
    uint64_t found = await_change(l->word, 0);
    while (found != STOP) {
        memcpy(l->back, l->there, l->bytes);
        atomic_store_explicit(l->word, found + 1, memory_order_release);
        found = await_change(l->word, found + 1);
    }
    atomic_store_explicit(l->word, 0, memory_order_release);
}

static void begin(void *self) {
    struct lines *l = self;
    l->sent = 0;
    partner_wake(&l->partner);
}

static void run(void *self, uint64_t calls) {
    struct lines *l = self;
    for (uint64_t i = 0; i < calls; i++) {
        memcpy(l->there, l->source, l->bytes);
        atomic_store_explicit(l->word, l->sent + 1, memory_order_release);
        l->sent = await_change(l->word, l->sent + 1);
        memcpy(l->sink, l->back, l->bytes);
    }
}

static void run_one_line(void *self, uint64_t calls) {
    struct lines *l = self;
    for (uint64_t i = 0; i < calls; i++) {
        atomic_store_explicit(l->word, l->sent + 1, memory_order_release);
        l->sent = await_change(l->word, l->sent + 1);
    }
}

static void end(void *self) {
    struct lines *l = self;
    atomic_store_explicit(l->word, STOP, memory_order_release);
    (void)await_change(l->word, STOP);
}

static void stop(void *self) {
    struct lines *l = self;
    partner_stop(&l->partner);
    free(l->source);
    free(l->sink);
    free(l);
}

struct subject lines_start(unsigned lines) {
    struct lines *l = calloc(1, sizeof *l);
    size_t bytes = (size_t)(lines - 1) * LINE;
    unsigned char *memory = shared_memory(LINE + 2 * bytes);
    if (!l)
        die("lines");
    *l = (struct lines){.word = (void *)memory,
                        .there = memory + LINE,
                        .back = memory + LINE + bytes,
                        .source = calloc(1, bytes + 1),
                        .sink = calloc(1, bytes + 1),
                        .bytes = bytes};
    partner_start(&l->partner, answer_block, l);
    return (struct subject){.label = {"limit", "c", (size_t)lines * LINE, 1, 1, ""},
                            .self = l,
                            .spins = true,
                            .unit = 1,
                            .begin = begin,
                            .run = bytes ? run : run_one_line,
                            .end = end,
                            .stop = stop};
}

struct subject copies_by_two_start(size_t bytes) {
    struct subject s = lines_start(1 + (unsigned)(bytes / LINE));
    s.label.name = "limit_memcpy";
    s.label.bytes = bytes;
    return s;
}
