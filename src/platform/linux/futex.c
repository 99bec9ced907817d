/* Shared futexes: no private flag, since the sleeper may be another process. */
#define _GNU_SOURCE
#include "platform.h"

#include <limits.h>
#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* FUTEX_WAIT_BITSET rather than FUTEX_WAIT: its deadline is absolute, so a loop cannot drift. */
bool shmi_word_wait(struct object *object, atomic_u32 *word, uint32_t expected, uint64_t deadline) {
    (void)object; /* the kernel knows a shared word by its address */
    struct timespec until = {.tv_sec = (time_t)(deadline / 1000000000u),
                             .tv_nsec = (long)(deadline % 1000000000u)};
    (void)syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected,
                  deadline == CLOCK_NEVER ? NULL : &until, NULL, FUTEX_BITSET_MATCH_ANY);
    return false;
}

uint32_t shmi_word_wake(struct object *object, atomic_u32 *word, uint32_t count) {
    (void)object;
    int limit = count > INT_MAX ? INT_MAX : (int)count;
    long woken = syscall(SYS_futex, word, FUTEX_WAKE, limit, NULL, NULL, 0);
    return woken > 0 ? (uint32_t)woken : 0;
}
