/*
 * What a name means now: a small section of that name tells the nonce of the current region.
 */
#ifndef SHMIPC_WIN32_DIRECTORY_H
#define SHMIPC_WIN32_DIRECTORY_H

#include "names.h"

/* The nonce that the name tells. NOT_FOUND if it tells none. */
int shmi_directory_read(const struct object_names *names, uint64_t *nonce);

#endif
