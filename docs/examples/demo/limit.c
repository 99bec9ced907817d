#include "limit.h"

#include "limit_system.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

/* In a block this process writes 1, 3, 5... and the child answers 2, 4, 6...; STOP is answered by
   0, which ends the block. */
#define STOP UINT64_MAX

/* Some microseconds of looking at the word, a pause taking as long as some looks. */
enum { PATIENCE = 2048, PAUSE = 20 };

static inline void cpu_pause(void) {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

/* Spins until the word is no longer `old`. A process without a processor of its own must let the
   other one run; and one whose parent was killed must end. */
static uint64_t await_change(_Atomic uint64_t *word, uint64_t old, int pauses,
                             const struct limit_child *child) {
    int looks = PATIENCE / (1 + PAUSE * pauses);
    for (;;) {
        for (int i = 0; i < looks; i++) {
            uint64_t found = atomic_load_explicit(word, memory_order_acquire);
            if (found != old)
                return found;
            for (int pause = 0; pause < pauses; pause++)
                cpu_pause();
        }
        if (child && limit_is_orphan(child))
            exit(1);
        sched_yield();
    }
}

static void answer_block(const struct limit_child *child, int pauses) {
    _Atomic uint64_t *word = child->word;
    uint64_t found = await_change(word, 0, pauses, child);
    while (found != STOP) {
        uint64_t answer = found + 1;
        atomic_store_explicit(word, answer, memory_order_release);
        found = await_change(word, answer, pauses, child);
    }
    atomic_store_explicit(word, 0, memory_order_release);
}

int limit_answer_blocks(const struct limit_child *child) {
    unsigned char pauses;
    while (limit_hear(child, &pauses))
        answer_block(child, pauses);
    return 0;
}

void limit_begin_block(struct limit *limit, unsigned char pauses) {
    limit->sent = 0;
    limit->pauses = pauses;
    if (!limit_ring(limit, pauses)) {
        perror("demo: the bare limit's other process");
        exit(1);
    }
}

/* The word is at an even number here: the child's last answer, or 0. */
void limit_round_trip(struct limit *limit) {
    uint64_t request = limit->sent + 1;
    atomic_store_explicit(limit->word, request, memory_order_release);
    limit->sent = await_change(limit->word, request, limit->pauses, NULL);
}

void limit_end_block(struct limit *limit) {
    atomic_store_explicit(limit->word, STOP, memory_order_release);
    await_change(limit->word, STOP, limit->pauses, NULL);
}
