/* Round trips between two processes that spin, in several ways that take turns. */
#ifndef EXPERIMENTS_PINGPONG_H
#define EXPERIMENTS_PINGPONG_H

#include "support/pause.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

enum { LINE = 64, PAGE = 4096 };

/* Ends a block; the answer to it is 0. */
#define STOP UINT64_MAX

/* What the two processes share, each on lines of its own. The caller writes 1, 3, 5... into the
   word and the responder answers 2, 4, 6... */
struct shared {
    _Alignas(PAGE) _Atomic uint64_t word; /* the rest of its line: `beside` */
    unsigned char beside[LINE - sizeof(uint64_t)];
    unsigned char next[3 * LINE];             /* the lines after that */
    _Alignas(PAGE) unsigned char there[PAGE]; /* buffers, far from the word and each other */
    _Alignas(PAGE) unsigned char back[PAGE];
    _Alignas(PAGE) _Atomic uint64_t cold; /* a line that is read often and hardly ever written */
};

/* One way: the caller's side makes `calls` round trips, the first with `sent` as the word's value,
   and returns the word's last value; the responder's answers until it has answered STOP. */
struct way {
    const char *name;
    uint64_t (*call)(struct shared *shared, uint64_t sent, uint64_t calls);
    void (*answer)(struct shared *shared);
};

/* The two functions of a way, call_<name> and answer_<name>, each of one call. Its arguments may be
   the shared memory `s`, and on the caller's side `sent` and `calls`. */
#define DEFINE_WAY(name, caller, responder)                                                        \
    static uint64_t call_##name(struct shared *s, uint64_t sent, uint64_t calls) {                 \
        return caller;                                                                             \
    }                                                                                              \
    static void answer_##name(struct shared *s) {                                                  \
        responder;                                                                                 \
    }

/* Measures and prints them all. For main. */
int compare_ways(const char *question, const struct way *ways, size_t count);

/* Lets another process run, now and then: for loops without end. */
void be_patient(unsigned *looks);

/* Spins until the word is no longer `old`, with a pause between two looks as the library has. */
static inline uint64_t await_change(_Atomic uint64_t *word, uint64_t old) {
    unsigned looks = 0;
    uint64_t found;
    while ((found = atomic_load_explicit(word, memory_order_acquire)) == old) {
        cpu_pause();
        be_patient(&looks);
    }
    return found;
}

/* Some four cycles a turn, which the message waits for. */
static inline void work_on(unsigned char *message, int turns) {
    uint64_t value;
    memcpy(&value, message, sizeof value);
    for (int i = 0; i < turns; i++)
        value *= value + 2;
    memcpy(message, &value, sizeof value);
}

static inline void publish(_Atomic uint64_t *word, uint64_t value) {
    atomic_store_explicit(word, value, memory_order_release);
}

#endif
