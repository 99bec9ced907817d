/*
 * The bits of a slot's state word (docs/protocol.md, State word). Pure: values in, values out;
 * only slot.c stores them.
 */
#ifndef SHMIPC_WORD_H
#define SHMIPC_WORD_H

#include <stdbool.h>
#include <stdint.h>

typedef uint64_t word;

enum slot_state {
    SLOT_FREE = 0,
    SLOT_BUSY = 1,
    SLOT_REQUEST = 2,
    SLOT_WORKING = 3,
    SLOT_RESPONSE = 4,
    SLOT_CANCELLED = 5,
};

#define WORD_STATE UINT64_C(0xf)
#define WORD_PARKED UINT64_C(0x10)
#define WORD_ERROR UINT64_C(0x20)
#define WORD_RECLAIMED UINT64_C(0x40)
#define WORD_ALIGN_END UINT64_C(0x80)
#define WORD_FLAGS (WORD_PARKED | WORD_ERROR | WORD_RECLAIMED | WORD_ALIGN_END)
#define WORD_OWNER UINT64_C(0x0000ffff00000000)
#define WORD_SEQUENCE UINT64_C(0xffff0000ffffff00)

/* An owner, at its place in the word: guest index and epoch, bits 32 to 47. 0: none. */
typedef uint64_t owner;

enum { OWNER_SHIFT = 32, EPOCH_SHIFT = 36, EPOCH_MAX = 4095 };

/* `epoch` as in a word. */
static inline owner owner_make(uint32_t index, uint32_t epoch) {
    return (uint64_t)index << OWNER_SHIFT | (uint64_t)epoch << EPOCH_SHIFT;
}

static inline owner word_owner(word w) {
    return w & WORD_OWNER;
}

static inline uint32_t owner_index(owner o) {
    return (uint32_t)(o >> OWNER_SHIFT) & 0xf;
}

static inline uint32_t owner_epoch(owner o) {
    return (uint32_t)(o >> EPOCH_SHIFT) & EPOCH_MAX;
}

/* False for 0, and for what is no guest's name. */
static inline bool owner_is_named(owner o) {
    return owner_index(o) != 0 && owner_epoch(o) != 0;
}

/* The epoch of an index's next owner, in the peer table, where 0 means that no guest has come
   yet. */
static inline uint32_t epoch_next(uint32_t epoch) {
    return epoch == UINT32_MAX ? 1 : epoch + 1;
}

/* The part of an epoch that a word holds: 1 to EPOCH_MAX, so that no owner is all zero. */
static inline uint32_t epoch_in_word(uint32_t epoch) {
    return epoch == 0 ? 0 : (epoch - 1) % EPOCH_MAX + 1;
}

static inline enum slot_state word_state(word w) {
    return (enum slot_state)(w & WORD_STATE);
}

static inline bool word_same_sequence(word a, word b) {
    return ((a ^ b) & WORD_SEQUENCE) == 0;
}

static inline bool word_same_but_parked(word a, word b) {
    return ((a ^ b) & ~WORD_PARKED) == 0;
}

/* The sequence bits after those of `w`: 24 low bits carry into 16 high bits, then wrap. */
static inline word word_next_sequence(word w) {
    uint64_t low = (w >> 8 & 0xffffff) + 1;
    uint64_t high = (w >> 48) + (low >> 24);
    return high << 48 | (low & 0xffffff) << 8;
}

/* `w` with another state, and no flags but those given. */
static inline word word_with(word w, enum slot_state state, uint64_t flags) {
    return (w & ~(WORD_STATE | WORD_FLAGS)) | (uint64_t)state | flags;
}

static inline word word_with_owner(word w, owner o) {
    return (w & ~WORD_OWNER) | o;
}

/* The half of the word that a parked caller sleeps on. */
static inline uint32_t word_low(word w) {
    return (uint32_t)w;
}

#endif
