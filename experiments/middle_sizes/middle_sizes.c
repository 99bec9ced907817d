/* Where bytes 49 to 112 go: on the line after the word's, or, all of them, in buffers. */
#include "support/pingpong.h"

#include <string.h>

enum { INLINE = 48, MOST = 112 };

static unsigned char mine[MOST];

/* Where a message lies: its first bytes at `head`, the others at `tail`. */
struct wait_key {
    unsigned char *head, *tail;
    size_t head_bytes;
};

static inline void put(const struct wait_key *place, size_t bytes) {
    memcpy(place->head, mine, place->head_bytes);
    memcpy(place->tail, mine + place->head_bytes, bytes - place->head_bytes);
}

static inline void get(const struct wait_key *place, size_t bytes) {
    memcpy(mine, place->head, place->head_bytes);
    memcpy(mine + place->head_bytes, place->tail, bytes - place->head_bytes);
}

static inline uint64_t call(struct shared *s, uint64_t sent, uint64_t calls, size_t bytes,
                            struct wait_key there, struct wait_key back) {
    for (uint64_t i = 0; i < calls; i++) {
        put(&there, bytes);
        publish(&s->word, sent + 1);
        sent = await_change(&s->word, sent + 1);
        get(&back, bytes);
    }
    return sent;
}

static inline void answer(struct shared *s, size_t bytes, struct wait_key there,
                          struct wait_key back) {
    uint64_t found = await_change(&s->word, 0);
    while (found != STOP) {
        get(&there, bytes);
        put(&back, bytes);
        publish(&s->word, found + 1);
        found = await_change(&s->word, found + 1);
    }
    publish(&s->word, 0);
}

static inline struct wait_key spill(struct shared *s, size_t line) {
    return (struct wait_key){s->beside, s->next + line * LINE, INLINE};
}

static inline struct wait_key whole(unsigned char *buffer) {
    return (struct wait_key){buffer, buffer, 0};
}

#define WAY(name, bytes, there, back)                                                              \
    DEFINE_WAY(name##_##bytes, call(s, sent, calls, bytes, there, back),                           \
               answer(s, bytes, there, back))
#define WAYS(bytes)                                                                                \
    WAY(same, bytes, spill(s, 0), spill(s, 0))                                                     \
    WAY(two, bytes, spill(s, 0), spill(s, 1))                                                      \
    WAY(buffers, bytes, whole(s->there), whole(s->back))                                           \
    WAY(buffer, bytes, whole(s->there), whole(s->there))                                           \
    WAY(adjacent, bytes, whole(s->next), whole(s->next))

WAYS(48)
WAYS(64)
WAYS(112)

#define LIST(bytes)                                                                                \
    {#bytes " B: 48 beside the word, the rest on the next line", call_same_##bytes,                \
     answer_same_##bytes},                                                                         \
        {#bytes " B: the same, the next line there, the third back", call_two_##bytes,             \
         answer_two_##bytes},                                                                      \
        {#bytes " B: all on the next lines, both ways", call_adjacent_##bytes,                     \
         answer_adjacent_##bytes},                                                                 \
        {#bytes " B: all in one buffer, both ways", call_buffer_##bytes, answer_buffer_##bytes}, { \
#bytes " B: all in two buffers", call_buffers_##bytes, answer_buffers_##bytes              \
    }

int main(void) {
    static const struct way ways[] = {LIST(48), LIST(64), LIST(112)};
    return compare_ways("Messages a little longer than what fits beside the word", ways,
                        sizeof ways / sizeof *ways);
}
