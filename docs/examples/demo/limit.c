#define _GNU_SOURCE
#include "limit.h"

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

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
static uint64_t await_change(_Atomic uint64_t *word, uint64_t old, int pauses, pid_t parent) {
    int looks = PATIENCE / (1 + PAUSE * pauses);
    for (;;) {
        for (int i = 0; i < looks; i++) {
            uint64_t found = atomic_load_explicit(word, memory_order_acquire);
            if (found != old)
                return found;
            for (int pause = 0; pause < pauses; pause++)
                cpu_pause();
        }
        if (parent && getppid() != parent)
            _exit(1);
        sched_yield();
    }
}

static void answer_block(_Atomic uint64_t *word, int pauses, pid_t parent) {
    uint64_t found = await_change(word, 0, pauses, parent);
    while (found != STOP) {
        uint64_t answer = found + 1;
        atomic_store_explicit(word, answer, memory_order_release);
        found = await_change(word, answer, pauses, parent);
    }
    atomic_store_explicit(word, 0, memory_order_release);
}

static _Noreturn void answer_blocks(_Atomic uint64_t *word, int bell, pid_t parent) {
    unsigned char pauses;
    while (read(bell, &pauses, 1) == 1)
        answer_block(word, pauses, parent);
    _exit(0);
}

bool limit_start(struct limit *limit) {
    enum { PAGE = 4096 };
    int ends[2];
    pid_t parent = getpid();
    void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED || pipe2(ends, O_CLOEXEC) != 0) {
        perror("demo: cannot share a page");
        return false;
    }
    *limit = (struct limit){.word = page, .bell = ends[1], .child = fork()};
    if (limit->child < 0) {
        perror("demo: fork");
        return false;
    }
    if (limit->child == 0) {
        close(ends[1]);
        answer_blocks(limit->word, ends[0], parent);
    }
    close(ends[0]);
    return true;
}

void limit_stop(struct limit *limit) {
    close(limit->bell);
    waitpid(limit->child, NULL, 0);
}

void limit_begin_block(struct limit *limit, unsigned char pauses) {
    limit->sent = 0;
    limit->pauses = pauses;
    if (write(limit->bell, &pauses, 1) != 1) {
        perror("demo: the bare limit's other process");
        exit(1);
    }
}

/* The word is at an even number here: the child's last answer, or 0. */
void limit_round_trip(struct limit *limit) {
    uint64_t request = limit->sent + 1;
    atomic_store_explicit(limit->word, request, memory_order_release);
    limit->sent = await_change(limit->word, request, limit->pauses, 0);
}

void limit_end_block(struct limit *limit) {
    atomic_store_explicit(limit->word, STOP, memory_order_release);
    await_change(limit->word, STOP, limit->pauses, 0);
}
