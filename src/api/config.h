/*
 * Reading a configuration whose writer was compiled with another version of the header.
 */
#ifndef SHMIPC_CONFIG_H
#define SHMIPC_CONFIG_H

#include <stddef.h>

/* A configuration may grow if its last member ends where it ends: bytes of padding, which old
   programs leave undefined, would be read as the next member. */
#define CONFIG_CAN_GROW(type, last)                                                                \
    _Static_assert(offsetof(type, last) + sizeof((type *)0)->last == sizeof(type),                 \
                   "padding at the end of " #type)

/* Stores the members that `given` has, by its own size, over the defaults in `known`, whose size
   the library knows. `given` NULL: none. INVALID: no header has a configuration of that size, or it
   sets a member that this library does not know. */
int shmi_config_read(void *known, size_t known_size, const void *given);

#endif
