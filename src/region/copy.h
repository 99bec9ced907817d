/*
 * Copies of inline messages. Calling memcpy costs more than moving 48 bytes; two loads that overlap
 * in the middle cover a range of lengths without a loop.
 */
#ifndef SHMIPC_COPY_H
#define SHMIPC_COPY_H

#include "platform/platform.h"

#include <stdbool.h>
#include <string.h>

static inline void copy_ends(uint8_t *to, const uint8_t *from, size_t length, size_t part) {
    uint8_t last[16];
    memcpy(last, from + length - part, part);
    memcpy(to, from, part);
    memcpy(to + length - part, last, part);
}

/* Copies 0 to 48 bytes. */
static inline void copy_small(void *to_bytes, const void *from_bytes, size_t length) {
    uint8_t *to = to_bytes;
    const uint8_t *from = from_bytes;
    if (length >= 16) {
        if (length > 32)
            memcpy(to + 16, from + 16, 16);
        copy_ends(to, from, length, 16);
    } else if (length >= 8) {
        copy_ends(to, from, length, 8);
    } else if (length >= 4) {
        copy_ends(to, from, length, 4);
    } else if (length >= 2) {
        copy_ends(to, from, length, 2);
    } else if (length == 1) {
        *to = *from;
    }
}

/*
 * The offset of an inline message in the payload. A message at the end ends with the first line, if
 * it fits there, or else with the second: so its end is aligned to 64, as in a buffer. The
 * beginning of the payload is aligned to 16.
 */
static inline size_t inline_offset(size_t length, bool at_end) {
    if (!at_end)
        return 0;
    cpu_branch(); /* speculation reads the payload's beginning before length and flags arrive */
    return (length > FIRST_LINE_SIZE ? INLINE_SIZE : FIRST_LINE_SIZE) - length;
}

/* True for an inline message that is put at the end even without SHMIPC_ALIGN_END: this aligns it
   to 32 or 64, as an object of its size may need. */
static inline bool belongs_at_end(size_t length) {
    enum { BETTER = 32 };
    return length % BETTER == 0 && length != 0;
}

/*
 * Writes an inline message into a slot. The second line is written first: the other side polls the
 * first line, and would take that line away between a store to it and the change of the word.
 */
static inline void copy_in(uint8_t *payload, size_t offset, const void *message, size_t length) {
    size_t room = offset < FIRST_LINE_SIZE ? FIRST_LINE_SIZE - offset : 0;
    size_t first = length < room ? length : room;
    if (length > first) {
        memcpy(payload + offset + first, (const uint8_t *)message + first, length - first);
        keep_store_order();
    }
    copy_small(payload + offset, message, first);
}

/* Reads an inline message out of a slot. */
static inline void copy_out(void *to, const void *payload, size_t length) {
    if (length > FIRST_LINE_SIZE)
        memcpy(to, payload, length);
    else
        copy_small(to, payload, length);
}

#endif
