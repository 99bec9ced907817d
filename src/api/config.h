/*
 * Reading a configuration whose writer was compiled with another version of the header.
 */
#ifndef SHMIPC_CONFIG_H
#define SHMIPC_CONFIG_H

#include <stddef.h>

/* A configuration may grow if it has no padding after its last member: old programs leave padding
   undefined, and the next member would be read from it. */
#define CONFIG_CAN_GROW(type, last)                                                                \
    _Static_assert(offsetof(type, last) + sizeof((type *)0)->last == sizeof(type),                 \
                   "padding at the end of " #type)

/* Copies the members that `given` has, by the size in it, over the defaults in `known`, which has
   `known_size` bytes. `given` NULL: copies none. INVALID: no header has a configuration of that
   size, or `given` sets a member that this library does not know. */
int shmi_config_read(void *known, size_t known_size, const void *given);

#endif
