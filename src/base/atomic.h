/*
 * The atomic operations of the library, named by their order. Words in the region are shared with
 * another process, so they must be lock-free; a plain atomic then works across processes.
 *
 * Where the compiler has no C11 atomics, they are made of its intrinsics.
 */
#ifndef SHMIPC_ATOMIC_H
#define SHMIPC_ATOMIC_H

#ifdef _MSC_VER
#include "base/atomic_interlocked.h"
#else
#include "base/atomic_c11.h"
#endif

_Static_assert(sizeof(atomic_u32) == 4 && sizeof(atomic_u64) == 8,
               "an atomic in the region has the size of its value");

/* Only its owner writes a counter, so a load and a store are enough; readers may lag. */
static inline void count64(atomic_u64 *counter) {
    store_relaxed64(counter, load_relaxed64(counter) + 1);
}

#endif
