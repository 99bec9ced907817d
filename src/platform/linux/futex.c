/*
 * Shared futexes: no private flag, since the sleeper may be in another process. A sleeper on a word
 * of a region has the bit of its peer, and another bit for its home.
 */
#define _GNU_SOURCE
#include "platform/linux/futex.h"
#include "platform/posix/object.h"

#include <limits.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { PEER_BITS = 16 };
_Static_assert((int)PEERS <= (int)PEER_BITS, "each peer has a bit");

static uint32_t home_bit(uint32_t peer, uint32_t home) {
    return UINT32_C(1) << (PEER_BITS + (5 * peer + home) % PEER_BITS);
}

static uint32_t bits_of(const struct object *o, uint32_t home) {
    if (o == NULL || o->self == NO_PEER)
        return FUTEX_BITSET_MATCH_ANY;
    return UINT32_C(1) << o->self | (home == NO_HOME ? 0 : home_bit(o->self, home));
}

/* FUTEX_WAIT_BITSET also because its deadline is absolute, so that a loop does not drift. */
bool shmi_word_wait(struct object *o, atomic_u32 *word, uint32_t expected, uint64_t deadline,
                    uint32_t home) {
    struct timespec until = {.tv_sec = (time_t)(deadline / 1000000000u),
                             .tv_nsec = (long)(deadline % 1000000000u)};
    (void)syscall(SYS_futex, word, FUTEX_WAIT_BITSET, expected,
                  deadline == CLOCK_NEVER ? NULL : &until, NULL, bits_of(o, home));
    return false;
}

static uint32_t wake(atomic_u32 *word, int how, uint32_t count, uint32_t whom) {
    int limit = count > INT_MAX ? INT_MAX : (int)count;
    long woken = syscall(SYS_futex, word, how, limit, NULL, NULL, whom);
    return woken > 0 ? (uint32_t)woken : 0;
}

uint32_t shmi_word_wake(struct object *o, atomic_u32 *word, uint32_t count) {
    (void)o; /* the kernel knows a shared word by its address */
    return wake(word, FUTEX_WAKE, count, 0);
}

uint32_t shmi_word_wake_peer(struct object *o, atomic_u32 *word, uint32_t peer) {
    (void)o;
    return wake(word, FUTEX_WAKE_BITSET, 1, UINT32_C(1) << peer);
}

uint32_t shmi_word_wake_home(struct object *o, atomic_u32 *word, uint32_t peer, uint32_t home) {
    (void)o;
    return wake(word, FUTEX_WAKE_BITSET, 1, home_bit(peer, home));
}
