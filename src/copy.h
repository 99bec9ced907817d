/*
 * Copies of a few bytes. A call to memcpy costs more than moving 48 bytes does; two loads that
 * overlap in the middle cover a range of lengths without a loop.
 */
#ifndef SHMIPC_COPY_H
#define SHMIPC_COPY_H

#include <stddef.h>
#include <stdint.h>
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

#endif
