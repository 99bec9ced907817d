#define _GNU_SOURCE
#include "lines.h"

#include "copies.h"
#include "support/child.h"
#include "support/clock.h"
#include "support/pause.h"

#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

enum { LINE = 64, PATIENCE = 1000, LARGE = 1 << 17 /* bytes: the looks no longer matter */ };

/* In a block the caller writes 1, 3, 5... and the partner answers 2, 4, 6... A command is answered
   by 0: STOP ends the block, another one says how many pauses both make between two looks. */
#define STOP UINT64_MAX
#define COMMAND (UINT64_MAX - 64)

/* The word is alone on its line, there and back follow. What is above it only changes between
   blocks; it takes two lines, since the processor may fetch lines in pairs. */
struct shared {
    size_t bytes; /* there, and as many back */
    int pauses;   /* that a block begins with */
    _Alignas(2 * LINE) _Atomic uint64_t word;
    _Alignas(LINE) unsigned char beyond[];
};

struct lines {
    struct shared *shared;
    _Atomic uint64_t *word;
    unsigned char *there, *back;
    unsigned char *source, *sink; /* private memory of as many bytes */
    size_t bytes;                 /* beyond the first line */
    uint64_t sent;
    int pauses;
    struct partner *partner;
};

/* Spins until the word is no longer `old`. Without a processor of its own the other side must be
   let run. */
static inline uint64_t await_change(const struct lines *l, uint64_t old) {
    int pauses = l->pauses;
    for (;;) {
        for (int i = 0; i < PATIENCE; i++) {
            uint64_t found = atomic_load_explicit(l->word, memory_order_acquire);
            if (found != old)
                return found;
            for (int pause = 0; pause < pauses; pause++)
                cpu_pause();
        }
        sched_yield();
    }
}

static inline void publish(const struct lines *l, uint64_t value) {
    atomic_store_explicit(l->word, value, memory_order_release);
}

/* One side's view of them. */
static struct lines lines_in(struct shared *shared) {
    return (struct lines){.shared = shared,
                          .word = &shared->word,
                          .there = shared->beyond,
                          .back = shared->beyond + shared->bytes,
                          .bytes = shared->bytes,
                          .pauses = shared->pauses};
}

static void answer_block(void *memory) {
    struct lines lines = lines_in(memory), *l = &lines;
    uint64_t found = await_change(l, 0);
    while (found != STOP) {
        uint64_t answer = found > COMMAND ? 0 : found + 1;
        if (answer == 0)
            l->pauses = (int)(found - COMMAND - 1);
        else
            memcpy(l->back, l->there, l->bytes);
        publish(l, answer);
        found = await_change(l, answer);
    }
    publish(l, 0);
}

const struct role lines_role = {"lines", answer_block};

static void command(struct lines *l, uint64_t what) {
    publish(l, what);
    l->sent = await_change(l, what);
}

static void set_pauses(struct lines *l, int pauses) {
    command(l, COMMAND + 1 + (uint64_t)pauses);
    l->pauses = pauses;
}

static void begin(void *self) {
    struct lines *l = self;
    l->sent = 0;
    l->shared->pauses = l->pauses;
    partner_wake(l->partner);
}

static void run(void *self, uint64_t calls) {
    struct lines *l = self;
    for (uint64_t i = 0; i < calls; i++) {
        memcpy(l->there, l->source, l->bytes);
        publish(l, l->sent + 1);
        l->sent = await_change(l, l->sent + 1);
        memcpy(l->sink, l->back, l->bytes);
    }
}

static void run_one_line(void *self, uint64_t calls) {
    struct lines *l = self;
    for (uint64_t i = 0; i < calls; i++) {
        publish(l, l->sent + 1);
        l->sent = await_change(l, l->sent + 1);
    }
}

static uint64_t try_pauses(struct lines *l, int pauses) {
    enum { TRIED = 1000 };
    set_pauses(l, pauses);
    uint64_t begin = now_ns();
    if (l->bytes)
        run(l, TRIED);
    else
        run_one_line(l, TRIED);
    return now_ns() - begin;
}

/* The choice of the last block stands unless another is clearly better. */
static void settle(void *self) {
    enum { MOST = 3 };
    struct lines *l = self;
    int best = l->pauses;
    uint64_t shortest = try_pauses(l, best) * 15 / 16;
    for (int pauses = 0; pauses <= MOST; pauses++) {
        uint64_t took = try_pauses(l, pauses);
        if (took < shortest) {
            shortest = took;
            best = pauses;
        }
    }
    set_pauses(l, best);
}

static void end(void *self) {
    command(self, STOP);
}

static void stop(void *self) {
    struct lines *l = self;
    partner_stop(l->partner);
    free(l->source);
    free(l->sink);
    free(l);
}

struct subject lines_start(unsigned lines) {
    struct lines *l = calloc(1, sizeof *l);
    size_t bytes = (size_t)(lines - 1) * LINE;
    struct shared *shared = shared_memory(sizeof *shared + 2 * bytes);
    if (!l)
        die("memory");
    shared->bytes = bytes;
    *l = lines_in(shared);
    l->source = calloc(1, bytes + 1);
    l->sink = calloc(1, bytes + 1);
    l->partner = partner_start(&lines_role, shared);
    return (struct subject){.label = {"limit", "c", (size_t)lines * LINE, 1, 1, ""},
                            .self = l,
                            .spins = true,
                            .unit = 1,
                            .begin = begin,
                            .settle = bytes < LARGE ? settle : NULL,
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
