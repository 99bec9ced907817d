/*
 * The operations of atomic.h by the compiler's Interlocked intrinsics, each a full barrier, and by
 * volatile accesses with the barriers that their order needs.
 *
 * On x64 the processor's loads acquire and its stores release; only the compiler must be held back.
 * A seq_cst load needs no more there: it must not overtake a read-modify-write, but never has to
 * wait for a plain store. (It may overtake the store that gives back a claim: pool.c.) On arm64
 * each order needs its barrier.
 */
#ifndef SHMIPC_ATOMIC_INTERLOCKED_H
#define SHMIPC_ATOMIC_INTERLOCKED_H

#include <intrin.h>
#include <stdbool.h>
#include <stdint.h>

typedef volatile uint32_t atomic_u32;
typedef volatile uint64_t atomic_u64;

#if defined(_M_ARM64)
#define ORDER_BARRIER() __dmb(_ARM64_BARRIER_ISH)
#elif defined(_M_X64)
#define ORDER_BARRIER() _ReadWriteBarrier()
#else
#error "libshmipc needs lock-free 64-bit atomics: build for x64 or arm64"
#endif

/* `integer` is the intrinsics' argument type, `suffix` the end of their names. */
#define DEFINE_ATOMIC(bits, integer, suffix)                                                       \
    static inline uint##bits##_t load_relaxed##bits(const atomic_u##bits *word) {                  \
        return (uint##bits##_t)__iso_volatile_load##bits(                                          \
            (const volatile __int##bits *)(const volatile void *)word);                            \
    }                                                                                              \
    static inline uint##bits##_t load_acquire##bits(const atomic_u##bits *word) {                  \
        uint##bits##_t value = load_relaxed##bits(word);                                           \
        ORDER_BARRIER();                                                                           \
        return value;                                                                              \
    }                                                                                              \
    static inline uint##bits##_t load_seq_cst##bits(const atomic_u##bits *word) {                  \
        ORDER_BARRIER();                                                                           \
        return load_acquire##bits(word);                                                           \
    }                                                                                              \
    static inline void store_relaxed##bits(atomic_u##bits *word, uint##bits##_t value) {           \
        __iso_volatile_store##bits((volatile __int##bits *)(volatile void *)word,                  \
                                   (__int##bits)value);                                            \
    }                                                                                              \
    static inline void store_release##bits(atomic_u##bits *word, uint##bits##_t value) {           \
        ORDER_BARRIER();                                                                           \
        store_relaxed##bits(word, value);                                                          \
    }                                                                                              \
    static inline uint##bits##_t exchange_seq_cst##bits(atomic_u##bits *word,                      \
                                                        uint##bits##_t value) {                    \
        return (uint##bits##_t)_InterlockedExchange##suffix(                                       \
            (volatile integer *)(volatile void *)word, (integer)value);                            \
    }                                                                                              \
    /* On failure *seen becomes the value found. */                                                \
    static inline bool cas_seq_cst##bits(atomic_u##bits *word, uint##bits##_t *seen,               \
                                         uint##bits##_t value) {                                   \
        uint##bits##_t found = (uint##bits##_t)_InterlockedCompareExchange##suffix(                \
            (volatile integer *)(volatile void *)word, (integer)value, (integer)*seen);            \
        bool done = found == *seen;                                                                \
        *seen = found;                                                                             \
        return done;                                                                               \
    }                                                                                              \
    static inline bool cas_acquire##bits(atomic_u##bits *word, uint##bits##_t *seen,               \
                                         uint##bits##_t value) {                                   \
        return cas_seq_cst##bits(word, seen, value);                                               \
    }                                                                                              \
    static inline bool cas_acq_rel##bits(atomic_u##bits *word, uint##bits##_t *seen,               \
                                         uint##bits##_t value) {                                   \
        return cas_seq_cst##bits(word, seen, value);                                               \
    }                                                                                              \
    static inline uint##bits##_t add_seq_cst##bits(atomic_u##bits *word, uint##bits##_t value) {   \
        return (uint##bits##_t)_InterlockedExchangeAdd##suffix(                                    \
            (volatile integer *)(volatile void *)word, (integer)value);                            \
    }                                                                                              \
    static inline uint##bits##_t or_seq_cst##bits(atomic_u##bits *word, uint##bits##_t value) {    \
        return (uint##bits##_t)_InterlockedOr##suffix((volatile integer *)(volatile void *)word,   \
                                                      (integer)value);                             \
    }                                                                                              \
    static inline uint##bits##_t and_seq_cst##bits(atomic_u##bits *word, uint##bits##_t value) {   \
        return (uint##bits##_t)_InterlockedAnd##suffix((volatile integer *)(volatile void *)word,  \
                                                       (integer)value);                            \
    }

DEFINE_ATOMIC(32, long, )
DEFINE_ATOMIC(64, __int64, 64)

#undef DEFINE_ATOMIC
#undef ORDER_BARRIER

/* For counters that several threads write. */
static inline void add_relaxed64(atomic_u64 *counter) {
    (void)add_seq_cst64(counter, 1);
}

/* Returns the old count. */
static inline uint32_t add_relaxed32(atomic_u32 *counter) {
    return add_seq_cst32(counter, 1);
}

/* The compiler does not move stores across this; the processor may. */
static inline void keep_store_order(void) {
    _ReadWriteBarrier();
}

#endif
