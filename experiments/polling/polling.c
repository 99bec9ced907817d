/* Does it pay to touch a payload that lies on another line while polling the word? */
#include "support/pingpong.h"

#include <string.h>

enum { BYTES = 64 };

static unsigned char mine[BYTES];

enum touch { NOTHING, PREFETCH, LOAD };

static inline void touch(const unsigned char *payload, enum touch how) {
    if (how == PREFETCH)
        __builtin_prefetch(payload);
    if (how == LOAD)
        (void)*(const volatile unsigned char *)payload;
}

static inline uint64_t await(struct shared *s, uint64_t old, const unsigned char *payload,
                             enum touch how) {
    unsigned looks = 0;
    uint64_t found;
    while ((found = atomic_load_explicit(&s->word, memory_order_acquire)) == old) {
        touch(payload, how);
        cpu_pause();
        be_patient(&looks);
    }
    return found;
}

static inline uint64_t call(struct shared *s, uint64_t sent, uint64_t calls, unsigned char *there,
                            unsigned char *back, enum touch how) {
    for (uint64_t i = 0; i < calls; i++) {
        memcpy(there, mine, BYTES);
        publish(&s->word, sent + 1);
        sent = await(s, sent + 1, back, how);
        memcpy(mine, back, BYTES);
    }
    return sent;
}

static inline void answer(struct shared *s, unsigned char *there, unsigned char *back,
                          enum touch how) {
    uint64_t found = await(s, 0, there, how);
    while (found != STOP) {
        memcpy(mine, there, BYTES);
        memcpy(back, mine, BYTES);
        publish(&s->word, found + 1);
        found = await(s, found + 1, there, how);
    }
    publish(&s->word, 0);
}

#define WAY(number, there, back, how)                                                              \
    DEFINE_WAY(number, call(s, sent, calls, there, back, how), answer(s, there, back, how))

WAY(0, s->there, s->back, NOTHING)
WAY(1, s->there, s->back, PREFETCH)
WAY(2, s->there, s->back, LOAD)
WAY(3, s->next, s->next, NOTHING)
WAY(4, s->next, s->next, PREFETCH)
WAY(5, s->next, s->next, LOAD)

int main(void) {
    static const struct way ways[] = {
        {"two buffers, payload left alone", call_0, answer_0},
        {"two buffers, payload prefetched at each look", call_1, answer_1},
        {"two buffers, payload read at each look", call_2, answer_2},
        {"next line, payload left alone", call_3, answer_3},
        {"next line, payload prefetched at each look", call_4, answer_4},
        {"next line, payload read at each look", call_5, answer_5},
    };
    return compare_ways("64 bytes on another line", ways, sizeof ways / sizeof *ways);
}
