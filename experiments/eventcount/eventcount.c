/*
 * How the caller learns that it must wake the responder: from a word of its own, which it reads
 * after a fence (any of many may sleep there), or from a bit in the slot's word, which its exchange
 * returns.
 */
#include "support/pingpong.h"

#include <string.h>

enum { BYTES = 48 };

static unsigned char mine[BYTES];

#define PARKED (UINT64_C(1) << 61)

/* Never called: nobody sleeps here. What counts is that the compiler cannot know. */
static void ring(struct shared *s) {
    atomic_fetch_add(&s->cold, 2);
}

enum how { BLIND, FENCE_AND_WORD, EXCHANGE_AND_WORD, EXCHANGE_AND_BIT };

static inline void send(struct shared *s, uint64_t value, enum how how) {
    switch (how) {
    case BLIND:
        publish(&s->word, value);
        break;
    case FENCE_AND_WORD:
        publish(&s->word, value);
        atomic_thread_fence(memory_order_seq_cst);
        if (atomic_load_explicit(&s->cold, memory_order_relaxed))
            ring(s);
        break;
    case EXCHANGE_AND_WORD:
        (void)atomic_exchange(&s->word, value);
        if (atomic_load(&s->cold))
            ring(s);
        break;
    case EXCHANGE_AND_BIT:
        if (atomic_exchange(&s->word, value) & PARKED)
            ring(s);
        break;
    }
}

static inline uint64_t call(struct shared *s, uint64_t sent, uint64_t calls, enum how how) {
    for (uint64_t i = 0; i < calls; i++) {
        memcpy(s->beside, mine, BYTES);
        send(s, sent + 1, how);
        sent = await_change(&s->word, sent + 1);
        memcpy(mine, s->beside, BYTES);
    }
    return sent;
}

static void answer(struct shared *s) {
    uint64_t found = await_change(&s->word, 0);
    while (found != STOP) {
        memcpy(mine, s->beside, BYTES);
        memcpy(s->beside, mine, BYTES);
        publish(&s->word, found + 1);
        found = await_change(&s->word, found + 1);
    }
    publish(&s->word, 0);
}

#define CALL(number, how)                                                                          \
    static uint64_t call_##number(struct shared *s, uint64_t sent, uint64_t calls) {               \
        return call(s, sent, calls, how);                                                          \
    }

CALL(0, BLIND)
CALL(1, FENCE_AND_WORD)
CALL(2, EXCHANGE_AND_WORD)
CALL(3, EXCHANGE_AND_BIT)

int main(void) {
    static const struct way ways[] = {
        {"store, nobody is ever woken", call_0, answer},
        {"store, fence, read the sleepers", call_1, answer},
        {"exchange, read the sleepers", call_2, answer},
        {"exchange, look at the bit in its result", call_3, answer},
    };
    return compare_ways("48 bytes on the word's line", ways, sizeof ways / sizeof *ways);
}
