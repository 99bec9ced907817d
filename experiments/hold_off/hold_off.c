/* How long to leave the word alone before the first look at it, when the other side is at work. */
#include "support/pingpong.h"

#include <string.h>

enum { BYTES = 64, TURNS = 20 };

static unsigned char mine[BYTES];

/* A message of 64 bytes: 48 beside the word, the others on the next line, which goes first. */
static void put(struct shared *s) {
    memcpy(s->next, mine + 48, BYTES - 48);
    atomic_signal_fence(memory_order_release);
    memcpy(s->beside + 8, mine, 48);
}

static void get(const struct shared *s) {
    memcpy(mine, s->beside + 8, 48);
    memcpy(mine + 48, s->next, BYTES - 48);
}

static inline uint64_t await(struct shared *s, uint64_t old, int hold_off) {
    for (int i = 0; i < hold_off; i++)
        cpu_pause();
    return await_change(&s->word, old);
}

static inline uint64_t call(struct shared *s, uint64_t sent, uint64_t calls, int hold_off) {
    for (uint64_t i = 0; i < calls; i++) {
        work_on(mine, TURNS);
        put(s);
        publish(&s->word, sent + 1);
        sent = await(s, sent + 1, hold_off);
        get(s);
    }
    return sent;
}

static inline void answer(struct shared *s, int hold_off) {
    uint64_t found = await(s, 0, 0);
    while (found != STOP) {
        get(s);
        work_on(mine, TURNS);
        put(s);
        publish(&s->word, found + 1);
        found = await(s, found + 1, hold_off);
    }
    publish(&s->word, 0);
}

#define WAY(hold_off) DEFINE_WAY(hold_off, call(s, sent, calls, hold_off), answer(s, hold_off))

WAY(0)
WAY(1)
WAY(2)
WAY(3)
WAY(4)
WAY(6)
WAY(8)
WAY(12)

int main(void) {
    static const struct way ways[] = {
        {"at once", call_0, answer_0},  {"1 pause", call_1, answer_1},
        {"2 pauses", call_2, answer_2}, {"3 pauses", call_3, answer_3},
        {"4 pauses", call_4, answer_4}, {"6 pauses", call_6, answer_6},
        {"8 pauses", call_8, answer_8}, {"12 pauses", call_12, answer_12},
    };
    return compare_ways("64 bytes on the word's line and the next, both sides at work", ways,
                        sizeof ways / sizeof *ways);
}
