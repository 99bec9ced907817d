/*
 * Message types on the wire (docs/protocol.md, Messages).
 */
#ifndef SHMIPC_TYPES_H
#define SHMIPC_TYPES_H

#include "shmipc/shmipc.h"

#include <stdbool.h>

enum {
    TYPE_HEARTBEAT = 1,
    TYPE_HEARTBEAT_REPLY = 2,
};

/* True for a type that an application may send, in a request or a response. */
static inline bool type_is_sendable(uint32_t type) {
    return type >= SHMIPC_TYPE_APPLICATION || type == SHMIPC_TYPE_NORMAL ||
           type == SHMIPC_TYPE_FLATBUFFER || type == SHMIPC_TYPE_GUEST_CALL;
}

/* An error response's type is the negated error code. */
static inline uint32_t type_of_error(int error) {
    return (uint32_t)-error;
}

/* The payload of a TOO_LARGE response. */
struct excess {
    uint64_t size;
    uint64_t capacity;
};

#endif
