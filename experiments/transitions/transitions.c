/* How each side writes the word: by a store, an exchange or a compare-and-swap. */
#include "support/pingpong.h"

#include <string.h>

enum { BYTES = 48 };

static unsigned char mine[BYTES];

enum how { STORE, EXCHANGE, CAS };

/* From `old`, which the word has, to `new`. */
static inline void change(_Atomic uint64_t *word, uint64_t old, uint64_t new, enum how how) {
    switch (how) {
    case STORE:
        atomic_store_explicit(word, new, memory_order_release);
        break;
    case EXCHANGE:
        (void)atomic_exchange(word, new);
        break;
    case CAS:
        (void)atomic_compare_exchange_strong(word, &old, new);
        break;
    }
}

/* A taken request is marked in the word's highest bit but one; the caller does not mind. */
#define TAKEN (UINT64_C(1) << 62)

static inline uint64_t call(struct shared *s, uint64_t sent, uint64_t calls, enum how publishing) {
    for (uint64_t i = 0; i < calls; i++) {
        memcpy(s->beside, mine, BYTES);
        change(&s->word, sent, sent + 1, publishing);
        uint64_t seen = await_change(&s->word, sent + 1);
        while (seen & TAKEN)
            seen = await_change(&s->word, seen);
        memcpy(mine, s->beside, BYTES);
        sent = seen;
    }
    return sent;
}

static inline void answer(struct shared *s, int taking, enum how answering) {
    uint64_t found = await_change(&s->word, 0);
    while (found != STOP) {
        uint64_t held = taking ? found | TAKEN : found;
        if (taking)
            change(&s->word, found, held, CAS);
        memcpy(mine, s->beside, BYTES);
        memcpy(s->beside, mine, BYTES);
        change(&s->word, held, found + 1, answering);
        found = await_change(&s->word, found + 1);
    }
    publish(&s->word, 0);
}

#define WAY(number, publishing, taking, answering)                                                 \
    DEFINE_WAY(number, call(s, sent, calls, publishing), answer(s, taking, answering))

WAY(0, STORE, 0, STORE)
WAY(1, EXCHANGE, 0, STORE)
WAY(2, CAS, 0, STORE)
WAY(3, EXCHANGE, 0, CAS)
WAY(4, STORE, 1, STORE)
WAY(5, EXCHANGE, 1, STORE)
WAY(6, EXCHANGE, 1, EXCHANGE)
WAY(7, EXCHANGE, 1, CAS)

int main(void) {
    static const struct way ways[] = {
        {"publish store,    no take,  answer store", call_0, answer_0},
        {"publish exchange, no take,  answer store", call_1, answer_1},
        {"publish CAS,      no take,  answer store", call_2, answer_2},
        {"publish exchange, no take,  answer CAS", call_3, answer_3},
        {"publish store,    take CAS, answer store", call_4, answer_4},
        {"publish exchange, take CAS, answer store", call_5, answer_5},
        {"publish exchange, take CAS, answer exchange", call_6, answer_6},
        {"publish exchange, take CAS, answer CAS", call_7, answer_7},
    };
    return compare_ways("48 bytes on the word's line", ways, sizeof ways / sizeof *ways);
}
