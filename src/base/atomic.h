/*
 * The atomic operations of the library, named by their order. Words in the region are shared with
 * another process, so they must be lock-free; a plain atomic then works across processes.
 *
 * For a compiler without C11 atomics its intrinsics implement them.
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

/* For a counter that only one thread writes at a time: a load and a store are enough; readers may
   lag. */
static inline void count64(atomic_u64 *counter) {
    store_relaxed64(counter, load_relaxed64(counter) + 1);
}

#endif
