/* Sleep and wake on a word in memory that processes share. */
#ifndef BENCHMARKS_SUPPORT_FUTEX_H
#define BENCHMARKS_SUPPORT_FUTEX_H

#include <limits.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

/* As in the kernel's uapi/linux/futex.h, which a C library such as musl comes without. */
enum { FUTEX_WAIT = 0, FUTEX_WAKE = 1 };

static inline void futex_sleep_while(_Atomic uint32_t *word, uint32_t old) {
    while (atomic_load_explicit(word, memory_order_acquire) == old)
        syscall(SYS_futex, word, FUTEX_WAIT, old, NULL, NULL, 0);
}

static inline void futex_wake_all(_Atomic uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
}

static inline void futex_wake_one(_Atomic uint32_t *word) {
    syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

#endif
