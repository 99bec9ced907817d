/*
 * The operations of atomic.h by C11 atomics.
 */
#ifndef SHMIPC_ATOMIC_C11_H
#define SHMIPC_ATOMIC_C11_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2,
               "libshmipc needs lock-free 32-bit and 64-bit atomics");

typedef _Atomic uint32_t atomic_u32;
typedef _Atomic uint64_t atomic_u64;

#define DEFINE_ATOMIC(bits)                                                                        \
    static inline uint##bits##_t load_relaxed##bits(const atomic_u##bits *word) {                  \
        return atomic_load_explicit(word, memory_order_relaxed);                                   \
    }                                                                                              \
    static inline uint##bits##_t load_acquire##bits(const atomic_u##bits *word) {                  \
        return atomic_load_explicit(word, memory_order_acquire);                                   \
    }                                                                                              \
    static inline uint##bits##_t load_seq_cst##bits(const atomic_u##bits *word) {                  \
        return atomic_load_explicit(word, memory_order_seq_cst);                                   \
    }                                                                                              \
    static inline void store_relaxed##bits(atomic_u##bits *word, uint##bits##_t value) {           \
        atomic_store_explicit(word, value, memory_order_relaxed);                                  \
    }                                                                                              \
    static inline void store_release##bits(atomic_u##bits *word, uint##bits##_t value) {           \
        atomic_store_explicit(word, value, memory_order_release);                                  \
    }                                                                                              \
    static inline uint##bits##_t exchange_seq_cst##bits(atomic_u##bits *word,                      \
                                                        uint##bits##_t value) {                    \
        return atomic_exchange_explicit(word, value, memory_order_seq_cst);                        \
    }                                                                                              \
    /* On failure *seen becomes the value found, with acquire order. */                            \
    static inline bool cas_acquire##bits(atomic_u##bits *word, uint##bits##_t *seen,               \
                                         uint##bits##_t value) {                                   \
        return atomic_compare_exchange_strong_explicit(word, seen, value, memory_order_acquire,    \
                                                       memory_order_acquire);                      \
    }                                                                                              \
    static inline bool cas_acq_rel##bits(atomic_u##bits *word, uint##bits##_t *seen,               \
                                         uint##bits##_t value) {                                   \
        return atomic_compare_exchange_strong_explicit(word, seen, value, memory_order_acq_rel,    \
                                                       memory_order_acquire);                      \
    }                                                                                              \
    static inline bool cas_seq_cst##bits(atomic_u##bits *word, uint##bits##_t *seen,               \
                                         uint##bits##_t value) {                                   \
        return atomic_compare_exchange_strong_explicit(word, seen, value, memory_order_seq_cst,    \
                                                       memory_order_seq_cst);                      \
    }                                                                                              \
    static inline uint##bits##_t add_seq_cst##bits(atomic_u##bits *word, uint##bits##_t value) {   \
        return atomic_fetch_add_explicit(word, value, memory_order_seq_cst);                       \
    }                                                                                              \
    static inline uint##bits##_t or_seq_cst##bits(atomic_u##bits *word, uint##bits##_t value) {    \
        return atomic_fetch_or_explicit(word, value, memory_order_seq_cst);                        \
    }                                                                                              \
    static inline uint##bits##_t and_seq_cst##bits(atomic_u##bits *word, uint##bits##_t value) {   \
        return atomic_fetch_and_explicit(word, value, memory_order_seq_cst);                       \
    }

// NOLINTBEGIN(readability-non-const-parameter): a failed CAS writes *seen
DEFINE_ATOMIC(32)
DEFINE_ATOMIC(64)
// NOLINTEND(readability-non-const-parameter)

#undef DEFINE_ATOMIC

/* For counters that several threads write. */
static inline void add_relaxed64(atomic_u64 *counter) {
    atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* Returns the old count. */
static inline uint32_t add_relaxed32(atomic_u32 *counter) {
    return atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* The compiler does not move stores across this; the processor may. */
static inline void keep_store_order(void) {
    atomic_signal_fence(memory_order_release);
}

#endif
