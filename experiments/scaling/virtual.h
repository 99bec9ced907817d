/*
 * Included before each of the library's sources: its atomic operations and its pauses take virtual
 * time. Nothing runs at the same time as anything else, so plain accesses do.
 */
#ifndef SCALING_VIRTUAL_H
#define SCALING_VIRTUAL_H

#define SHMIPC_ATOMIC_C11_H /* this is in its place */

#include "lines.h"

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t atomic_u32;
typedef uint64_t atomic_u64;

#define DEFINE_LOAD(order, bits)                                                                   \
    static inline uint##bits##_t load_##order##bits(const atomic_u##bits *word) {                  \
        lines_look(word);                                                                          \
        return *word;                                                                              \
    }

#define DEFINE_STORE(order, bits)                                                                  \
    static inline void store_##order##bits(atomic_u##bits *word, uint##bits##_t value) {           \
        lines_store(word);                                                                         \
        *word = value;                                                                             \
    }

#define DEFINE_CHANGE(name, bits, expression)                                                      \
    static inline uint##bits##_t name##bits(atomic_u##bits *word, uint##bits##_t value) {          \
        lines_change(word);                                                                        \
        uint##bits##_t before = *word;                                                             \
        *word = expression;                                                                        \
        return before;                                                                             \
    }

#define DEFINE_CAS(order, bits)                                                                    \
    static inline bool cas_##order##bits(atomic_u##bits *word, uint##bits##_t *seen,               \
                                         uint##bits##_t value) {                                   \
        lines_change(word);                                                                        \
        bool same = *word == *seen;                                                                \
        *seen = *word;                                                                             \
        *word = same ? value : *word;                                                              \
        return same;                                                                               \
    }

#define DEFINE_ATOMIC(bits)                                                                        \
    DEFINE_LOAD(relaxed, bits)                                                                     \
    DEFINE_LOAD(acquire, bits)                                                                     \
    DEFINE_LOAD(seq_cst, bits)                                                                     \
    DEFINE_STORE(relaxed, bits)                                                                    \
    DEFINE_STORE(release, bits)                                                                    \
    DEFINE_CHANGE(exchange_seq_cst, bits, value)                                                   \
    DEFINE_CHANGE(add_seq_cst, bits, before + value)                                               \
    DEFINE_CHANGE(or_seq_cst, bits, before | value)                                                \
    DEFINE_CHANGE(and_seq_cst, bits, before &value)                                                \
    DEFINE_CAS(acquire, bits)                                                                      \
    DEFINE_CAS(acq_rel, bits)                                                                      \
    DEFINE_CAS(seq_cst, bits)

DEFINE_ATOMIC(32)
DEFINE_ATOMIC(64)

static inline void add_relaxed64(atomic_u64 *counter) {
    (void)add_seq_cst64(counter, 1);
}

static inline uint32_t add_relaxed32(atomic_u32 *counter) {
    return add_seq_cst32(counter, 1);
}

static inline void keep_store_order(void) {}

#define cpu_pause cpu_pause_of_this_machine
#define cpu_delay cpu_delay_of_this_machine
#define cpu_prefetch cpu_prefetch_of_this_machine
#define cpu_prefetch_to_write cpu_prefetch_to_write_of_this_machine
#include "platform/platform.h"
#undef cpu_pause
#undef cpu_delay
#undef cpu_prefetch
#undef cpu_prefetch_to_write

#include "processors.h"

static inline void cpu_pause(void) {
    processors_spend(ps_of(processors_costs()->pause));
}

static inline void cpu_delay(uint32_t turns) {
    processors_spend(ps_of(processors_costs()->delay * turns));
}

/* Of lines that hold no atomics. */
static inline void cpu_prefetch(const void *line) {
    (void)line;
}

static inline void cpu_prefetch_to_write(const void *line) {
    lines_expect(line);
}

#endif
