/* A line that will be read, then changed: leave it to the look, or fetch it for writing? */
#include "support/pingpong.h"

#include <stdbool.h>
#include <string.h>

enum { BYTES = 48, IN_FLIGHT = 8, TURNS = 10 };

enum fetch { LOOK, TO_WRITE };

static inline void fetch_line(const void *line, enum fetch fetch) {
    if (fetch == TO_WRITE)
#ifdef __x86_64__
        __asm__ volatile("prefetchw %0" ::"m"(*(const char *)line));
#else
        __builtin_prefetch(line, 1);
#endif
}

static unsigned char mine[BYTES];

/* Some 300 instructions around each exchange, as a library has. */
static inline void bustle(bool busy) {
    static uint64_t lanes[4] = {1, 2, 3, 4};
    for (int i = 0; busy && i < 20; i++) {
        for (int lane = 0; lane < 4; lane++) {
            lanes[lane] ^= lanes[lane] << 13;
            lanes[lane] ^= lanes[lane] >> 7;
        }
    }
}

/* ---- One call at a time: before the first look, when the other side may be ready ---- */

static inline uint64_t await(struct shared *s, uint64_t old, int hold_off, enum fetch fetch) {
    for (int i = 0; i < hold_off; i++)
        cpu_pause();
    fetch_line(&s->word, fetch);
    return await_change(&s->word, old);
}

static inline void change(struct shared *s, uint64_t value) {
    memcpy(s->beside + 8, mine, BYTES);
    (void)atomic_exchange(&s->word, value);
}

static inline uint64_t call(struct shared *s, uint64_t sent, uint64_t calls, int hold_off,
                            enum fetch fetch) {
    for (uint64_t i = 0; i < calls; i++) {
        change(s, sent + 1);
        sent = await(s, sent + 1, hold_off, fetch);
        memcpy(mine, s->beside + 8, BYTES);
        work_on(mine, TURNS);
    }
    return sent;
}

static inline void answer(struct shared *s, int hold_off, enum fetch fetch) {
    uint64_t found = await_change(&s->word, 0);
    while (found != STOP) {
        memcpy(mine, s->beside + 8, BYTES);
        work_on(mine, TURNS);
        change(s, found + 1);
        found = await(s, found + 1, hold_off, fetch);
    }
    publish(&s->word, 0);
}

#define SINGLE(hold_off, fetch)                                                                    \
    DEFINE_WAY(hold_off##_##fetch, call(s, sent, calls, hold_off, fetch),                          \
               answer(s, hold_off, fetch))

SINGLE(1, LOOK)
SINGLE(1, TO_WRITE)
SINGLE(2, LOOK)
SINGLE(2, TO_WRITE)
SINGLE(4, LOOK)
SINGLE(4, TO_WRITE)
SINGLE(6, LOOK)
SINGLE(6, TO_WRITE)

/* ---- Eight in flight: the next line, before this one is handled ---- */

/* Slots do not lie line by line, as a prefetcher would like. */
struct line {
    _Alignas(4 * LINE) _Atomic uint64_t word;
    unsigned char message[BYTES];
};

/* Call n has a line, in turn: the caller changes the word to 2 n - 1, the responder takes that, and
   changes it to 2 n. */
#define TAKEN (UINT64_C(1) << 63)

enum when { NEVER, ALWAYS, IF_AT_ONCE };

static inline struct line *line_of(struct shared *s, uint64_t n) {
    return (struct line *)(void *)s->there + n % IN_FLIGHT;
}

static inline void change_line(struct line *line, uint64_t value) {
    memcpy(line->message, mine, BYTES);
    (void)atomic_exchange(&line->word, value);
}

static inline void fetch_next(struct shared *s, uint64_t n, enum when when, bool at_once) {
    if (when == ALWAYS || (when == IF_AT_ONCE && at_once))
        fetch_line(line_of(s, n + 1), TO_WRITE);
}

static inline void await_answer(struct shared *s, uint64_t n, enum when when, bool busy) {
    struct line *line = line_of(s, n);
    unsigned looks = 0;
    while (atomic_load_explicit(&line->word, memory_order_acquire) != 2 * n) {
        cpu_pause();
        be_patient(&looks);
    }
    fetch_next(s, n, when, looks == 0);
    memcpy(mine, line->message, BYTES);
    bustle(busy);
    work_on(mine, TURNS);
}

static inline uint64_t call_all(struct shared *s, uint64_t sent, uint64_t calls, enum when when,
                                bool busy) {
    const uint64_t last = sent + calls;
    uint64_t answered = sent;
    while (answered < last) {
        while (sent < last && sent < answered + IN_FLIGHT) {
            sent++;
            change_line(line_of(s, sent), 2 * sent - 1);
        }
        await_answer(s, ++answered, when, busy);
    }
    return last;
}

/* The block's end is looked for only while no request is there. */
static inline bool await_request(struct shared *s, uint64_t n, enum when when) {
    struct line *line = line_of(s, n);
    unsigned looks = 0;
    while (atomic_load_explicit(&line->word, memory_order_acquire) != 2 * n - 1) {
        if (atomic_load_explicit(&s->word, memory_order_acquire) == STOP)
            return false;
        cpu_pause();
        be_patient(&looks);
    }
    fetch_next(s, n, when, looks == 0);
    return true;
}

static inline void answer_all(struct shared *s, enum when when, bool busy) {
    for (uint64_t n = 1; await_request(s, n, when); n++) {
        struct line *line = line_of(s, n);
        uint64_t request = 2 * n - 1;
        (void)atomic_compare_exchange_strong(&line->word, &request, request | TAKEN);
        memcpy(mine, line->message, BYTES);
        bustle(busy);
        work_on(mine, TURNS);
        change_line(line, 2 * n);
    }
    memset(s->there, 0, sizeof s->there);
    publish(&s->word, 0);
}

#define SEVERAL(when, busy)                                                                        \
    DEFINE_WAY(all_##when##_##busy, call_all(s, sent, calls, when, busy), answer_all(s, when, busy))

SEVERAL(NEVER, 0)
SEVERAL(ALWAYS, 0)
SEVERAL(IF_AT_ONCE, 0)
SEVERAL(NEVER, 1)
SEVERAL(ALWAYS, 1)
SEVERAL(IF_AT_ONCE, 1)

int main(void) {
    static const struct way single[] = {
        {"1 pause", call_1_LOOK, answer_1_LOOK},
        {"1 pause, fetched for writing", call_1_TO_WRITE, answer_1_TO_WRITE},
        {"2 pauses", call_2_LOOK, answer_2_LOOK},
        {"2 pauses, fetched for writing", call_2_TO_WRITE, answer_2_TO_WRITE},
        {"4 pauses", call_4_LOOK, answer_4_LOOK},
        {"4 pauses, fetched for writing", call_4_TO_WRITE, answer_4_TO_WRITE},
        {"6 pauses", call_6_LOOK, answer_6_LOOK},
        {"6 pauses, fetched for writing", call_6_TO_WRITE, answer_6_TO_WRITE},
    };
#define WAYS(busy)                                                                                 \
    {                                                                                              \
        {"left alone", call_all_NEVER_##busy, answer_all_NEVER_##busy},                            \
            {"fetched for writing", call_all_ALWAYS_##busy, answer_all_ALWAYS_##busy},             \
            {"the same if this one was there at once", call_all_IF_AT_ONCE_##busy,                 \
             answer_all_IF_AT_ONCE_##busy},                                                        \
    }
    static const struct way bare[] = WAYS(0);
    static const struct way busy[] = WAYS(1);
    int failed = compare_ways("one call at a time, after a hold-off of", single,
                              sizeof single / sizeof *single);
    if (!failed)
        failed = compare_ways("eight in flight, the next line", bare, sizeof bare / sizeof *bare);
    if (!failed)
        failed =
            compare_ways("the same with 300 instructions around", busy, sizeof busy / sizeof *busy);
    return failed;
}
