/*
 * The directory of a name: a small section that holds the nonce of the name's current region.
 */
#ifndef SHMIPC_WIN32_DIRECTORY_H
#define SHMIPC_WIN32_DIRECTORY_H

#include <stdint.h>

struct object;

/* Stores the nonce in the directory of the object's name. NOT_FOUND if there is none, DENIED if the
   directory's owner is not trusted. */
int shmi_directory_read(const struct object *object, uint64_t *nonce);

#endif
