/* How a responder takes a request: by a CAS on the word that it has just read, or without? */
#include "support/clock.h"
#include "support/pingpong.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

enum { BYTES = 48, TURNS = 10 };

/* A request that was taken by a CAS; its caller goes on waiting. */
#define TAKEN (UINT64_C(1) << 62)

enum fetch { NEVER, AT_EVERY_LOOK, AFTER_HOLD_OFF };

enum take {
    BY_CAS,            /* look, then CAS */
    BY_CAS_UNSEEN,     /* after the hold-off CAS what is expected; if that fails, look, then CAS */
    NOT,               /* the bound: nobody could tell whether it has started */
    ADDRESSED,         /* mark the start in a line of one's own, exchange, look at the word again */
    ADDRESSED_FENCED,  /* the same, with a store and a fence */
    ADDRESSED_UNFENCED /* the same, with a store alone, which the look may overtake */
};

static unsigned char mine[BYTES];

static inline void fetch_to_write(const void *line) {
#ifdef __x86_64__
    __asm__ volatile("prefetchw %0" ::"m"(*(const char *)line));
#else
    __builtin_prefetch(line, 1);
#endif
}

static inline void hold_off(int pauses) {
    for (int i = 0; i < pauses; i++)
        cpu_pause();
}

/* ---- The caller: the same in all ways, as the library's ---- */

static inline uint64_t call(struct shared *s, uint64_t sent, uint64_t calls, int pauses) {
    for (uint64_t i = 0; i < calls; i++) {
        memcpy(s->beside, mine, BYTES);
        uint64_t last = sent;
        (void)atomic_compare_exchange_strong(&s->word, &last, sent + 1);
        hold_off(pauses);
        fetch_to_write(&s->word);
        uint64_t seen = await_change(&s->word, sent + 1);
        while (seen & TAKEN)
            seen = await_change(&s->word, seen);
        memcpy(mine, s->beside, BYTES);
        work_on(mine, TURNS);
        sent = seen;
    }
    return sent;
}

/* ---- The responder ---- */

/* The line of its own in which it says what it has started. */
static inline _Atomic uint64_t *start_mark(struct shared *s) {
    return (_Atomic uint64_t *)(void *)s->back;
}

/* True if the request is still there after its start was marked: who withdraws it changes the word,
   then reads the mark. */
static inline bool start(struct shared *s, uint64_t found, enum take take) {
    if (take == ADDRESSED)
        (void)atomic_exchange(start_mark(s), found);
    else
        atomic_store_explicit(start_mark(s), found, memory_order_relaxed);
    if (take == ADDRESSED_FENCED)
        atomic_thread_fence(memory_order_seq_cst);
    else
        atomic_signal_fence(memory_order_seq_cst);
    return atomic_load_explicit(&s->word, memory_order_acquire) == found;
}

static inline bool take_by_cas(struct shared *s, uint64_t found) {
    return atomic_compare_exchange_strong(&s->word, &found, found | TAKEN);
}

static inline uint64_t look_for_change(struct shared *s, uint64_t old, enum fetch fetch) {
    unsigned looks = 0;
    uint64_t found;
    for (;;) {
        if (fetch == AT_EVERY_LOOK)
            fetch_to_write(&s->word);
        found = atomic_load_explicit(&s->word, memory_order_acquire);
        if (found != old)
            return found;
        cpu_pause();
        be_patient(&looks);
    }
}

/* Waits for the request after the answer `old` and takes it; returns it, or STOP. */
static inline uint64_t take_next(struct shared *s, uint64_t old, int pauses, enum fetch fetch,
                                 enum take take) {
    hold_off(pauses);
    if (fetch == AFTER_HOLD_OFF)
        fetch_to_write(&s->word);
    if (take == BY_CAS_UNSEEN && take_by_cas(s, old + 1))
        return old + 1;
    for (;;) {
        uint64_t found = look_for_change(s, old, fetch);
        if (found == STOP || take == NOT)
            return found;
        if (take == BY_CAS || take == BY_CAS_UNSEEN ? take_by_cas(s, found) : start(s, found, take))
            return found;
    }
}

static inline void answer(struct shared *s, int pauses, enum fetch fetch, enum take take) {
    uint64_t found = take_next(s, 0, 0, fetch, take);
    while (found != STOP) {
        uint64_t held = take == BY_CAS || take == BY_CAS_UNSEEN ? found | TAKEN : found;
        memcpy(mine, s->beside, BYTES);
        work_on(mine, TURNS);
        memcpy(s->beside, mine, BYTES);
        (void)atomic_compare_exchange_strong(&s->word, &held, found + 1);
        found = take_next(s, found + 1, pauses, fetch, take);
    }
    publish(&s->word, 0);
}

#define WAY(pauses, fetch, take)                                                                   \
    DEFINE_WAY(pauses##_##fetch##_##take, call(s, sent, calls, pauses),                            \
               answer(s, pauses, fetch, take))

#define ALL_WAYS(pauses)                                                                           \
    WAY(pauses, NEVER, BY_CAS)                                                                     \
    WAY(pauses, AT_EVERY_LOOK, BY_CAS)                                                             \
    WAY(pauses, AFTER_HOLD_OFF, BY_CAS)                                                            \
    WAY(pauses, NEVER, BY_CAS_UNSEEN)                                                              \
    WAY(pauses, NEVER, NOT)                                                                        \
    WAY(pauses, AFTER_HOLD_OFF, NOT)                                                               \
    WAY(pauses, AFTER_HOLD_OFF, ADDRESSED)                                                         \
    WAY(pauses, AFTER_HOLD_OFF, ADDRESSED_FENCED)                                                  \
    WAY(pauses, AFTER_HOLD_OFF, ADDRESSED_UNFENCED)

ALL_WAYS(0)
ALL_WAYS(1)
ALL_WAYS(2)
ALL_WAYS(4)

#define ENTRY(text, pauses, fetch, take)                                                           \
    { text, call_##pauses##_##fetch##_##take, answer_##pauses##_##fetch##_##take }

#define TABLE(pauses)                                                                              \
    {                                                                                              \
        ENTRY("look, CAS", pauses, NEVER, BY_CAS),                                                 \
            ENTRY("fetch for writing at every look, CAS", pauses, AT_EVERY_LOOK, BY_CAS),          \
            ENTRY("fetch after the hold-off, look, CAS", pauses, AFTER_HOLD_OFF, BY_CAS),          \
            ENTRY("CAS of what is expected", pauses, NEVER, BY_CAS_UNSEEN),                        \
            ENTRY("look, no CAS", pauses, NEVER, NOT),                                             \
            ENTRY("fetch after the hold-off, look, no CAS", pauses, AFTER_HOLD_OFF, NOT),          \
            ENTRY("addressed: the same, exchange of the mark", pauses, AFTER_HOLD_OFF, ADDRESSED), \
            ENTRY("addressed: store of the mark, fence", pauses, AFTER_HOLD_OFF,                   \
                  ADDRESSED_FENCED),                                                               \
            ENTRY("addressed: store of the mark alone", pauses, AFTER_HOLD_OFF,                    \
                  ADDRESSED_UNFENCED),                                                             \
    }

/* ---- What a step costs where no line has to be fetched: one thread, one after the other ---- */

enum step { CAS_OF_WORD, EXCHANGE_OF_MARK, STORE_AND_FENCE, STORE_ALONE };

static inline uint64_t time_steps(struct shared *s, enum step step) {
    enum { STEPS = 200000 };
    uint64_t begin = now_ns();
    for (uint64_t i = 1; i <= STEPS; i++) {
        uint64_t old = i - 1;
        if (step == CAS_OF_WORD)
            (void)atomic_compare_exchange_strong(&s->word, &old, i);
        if (step == EXCHANGE_OF_MARK)
            (void)start(s, i, ADDRESSED);
        if (step == STORE_AND_FENCE)
            (void)start(s, i, ADDRESSED_FENCED);
        if (step == STORE_ALONE)
            (void)start(s, i, ADDRESSED_UNFENCED);
    }
    uint64_t taken = now_ns() - begin;
    atomic_store(&s->word, 0);
    return taken * 1000 / STEPS;
}

static inline void print_step(const char *name, uint64_t ps) {
    printf("%-52s %8.1f\n", name, (double)ps / 1000);
}

#define PRINT_STEP(name, step)                                                                     \
    do {                                                                                           \
        uint64_t least = UINT64_MAX;                                                               \
        for (int i = 0; i < 50; i++) {                                                             \
            uint64_t ps = time_steps(&alone, step);                                                \
            least = ps < least ? ps : least;                                                       \
        }                                                                                          \
        print_step(name, least);                                                                   \
    } while (0)

static void print_steps(void) {
    static struct shared alone;
    printf("in one thread\n");
    PRINT_STEP("CAS of the word", CAS_OF_WORD);
    PRINT_STEP("exchange of the mark, look", EXCHANGE_OF_MARK);
    PRINT_STEP("store of the mark, fence, look", STORE_AND_FENCE);
    PRINT_STEP("store of the mark, look", STORE_ALONE);
}

int main(void) {
    static const struct way none[] = TABLE(0);
    static const struct way one[] = TABLE(1);
    static const struct way two[] = TABLE(2);
    static const struct way four[] = TABLE(4);
    print_steps();
    int failed = compare_ways("no hold-off", none, sizeof none / sizeof *none);
    if (!failed)
        failed = compare_ways("hold-offs of 1 pause", one, sizeof one / sizeof *one);
    if (!failed)
        failed = compare_ways("hold-offs of 2 pauses", two, sizeof two / sizeof *two);
    if (!failed)
        failed = compare_ways("hold-offs of 4 pauses", four, sizeof four / sizeof *four);
    return failed;
}
