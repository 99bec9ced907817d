/* 48 bytes of payload: on the word's own line, or on another? */
#include "support/pingpong.h"

#include <string.h>

enum { BYTES = 48 };

static unsigned char mine[BYTES];

static uint64_t call_with_nothing(struct shared *s, uint64_t sent, uint64_t calls) {
    for (uint64_t i = 0; i < calls; i++) {
        publish(&s->word, sent + 1);
        sent = await_change(&s->word, sent + 1);
    }
    return sent;
}

static void answer_with_nothing(struct shared *s) {
    uint64_t found = await_change(&s->word, 0);
    while (found != STOP) {
        publish(&s->word, found + 1);
        found = await_change(&s->word, found + 1);
    }
    publish(&s->word, 0);
}

/* The payload that travels there, and that which comes back, at two places. */
static inline uint64_t call_at(struct shared *s, uint64_t sent, uint64_t calls,
                               unsigned char *there, const unsigned char *back) {
    for (uint64_t i = 0; i < calls; i++) {
        memcpy(there, mine, BYTES);
        publish(&s->word, sent + 1);
        sent = await_change(&s->word, sent + 1);
        memcpy(mine, back, BYTES);
    }
    return sent;
}

static inline void answer_at(struct shared *s, const unsigned char *there, unsigned char *back) {
    uint64_t found = await_change(&s->word, 0);
    while (found != STOP) {
        memcpy(mine, there, BYTES);
        memcpy(back, mine, BYTES);
        publish(&s->word, found + 1);
        found = await_change(&s->word, found + 1);
    }
    publish(&s->word, 0);
}

static uint64_t call_beside(struct shared *s, uint64_t sent, uint64_t calls) {
    return call_at(s, sent, calls, s->beside, s->beside);
}

static void answer_beside(struct shared *s) {
    answer_at(s, s->beside, s->beside);
}

static uint64_t call_next(struct shared *s, uint64_t sent, uint64_t calls) {
    return call_at(s, sent, calls, s->next, s->next);
}

static void answer_next(struct shared *s) {
    answer_at(s, s->next, s->next);
}

static uint64_t call_buffers(struct shared *s, uint64_t sent, uint64_t calls) {
    return call_at(s, sent, calls, s->there, s->back);
}

static void answer_buffers(struct shared *s) {
    answer_at(s, s->there, s->back);
}

int main(void) {
    static const struct way ways[] = {
        {"no payload", call_with_nothing, answer_with_nothing},
        {"on the word's line", call_beside, answer_beside},
        {"on the next line, both ways", call_next, answer_next},
        {"in two buffers, far from the word", call_buffers, answer_buffers},
    };
    return compare_ways("48 bytes each way", ways, sizeof ways / sizeof *ways);
}
