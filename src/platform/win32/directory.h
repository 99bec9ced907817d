/*
 * What a name means now: a small section of that name tells the nonce of the current region.
 */
#ifndef SHMIPC_WIN32_DIRECTORY_H
#define SHMIPC_WIN32_DIRECTORY_H

#include <stdint.h>

struct object;

/* The nonce that the object's name tells. NOT_FOUND if it tells none, DENIED if the directory
   belongs to somebody who is not trusted. */
int shmi_directory_read(const struct object *object, uint64_t *nonce);

#endif
