/* How many pauses between two looks at the word, in C. */
#include "support/pingpong.h"

static inline uint64_t await(_Atomic uint64_t *word, uint64_t old, int pauses) {
    unsigned looks = 0;
    uint64_t found;
    while ((found = atomic_load_explicit(word, memory_order_acquire)) == old) {
        for (int i = 0; i < pauses; i++)
            cpu_pause();
        be_patient(&looks);
    }
    return found;
}

static inline uint64_t call(struct shared *s, uint64_t sent, uint64_t calls, int pauses) {
    for (uint64_t i = 0; i < calls; i++) {
        publish(&s->word, sent + 1);
        sent = await(&s->word, sent + 1, pauses);
    }
    return sent;
}

static inline void answer(struct shared *s, int pauses) {
    uint64_t found = await(&s->word, 0, pauses);
    while (found != STOP) {
        publish(&s->word, found + 1);
        found = await(&s->word, found + 1, pauses);
    }
    publish(&s->word, 0);
}

#define WAY(pauses) DEFINE_WAY(pauses, call(s, sent, calls, pauses), answer(s, pauses))

WAY(0)
WAY(1)
WAY(2)
WAY(4)
WAY(8)
WAY(16)

int main(void) {
    static const struct way ways[] = {
        {"no pause", call_0, answer_0}, {"1 pause", call_1, answer_1},
        {"2 pauses", call_2, answer_2}, {"4 pauses", call_4, answer_4},
        {"8 pauses", call_8, answer_8}, {"16 pauses", call_16, answer_16},
    };
    return compare_ways("One word on one line, C to C", ways, sizeof ways / sizeof *ways);
}
