/*
 * What atomic operations cost: a cache line that is somewhere else has to be brought, one transfer
 * after the other. The library's atomic operations call these before they take effect.
 */
#ifndef SCALING_LINES_H
#define SCALING_LINES_H

#include <stddef.h>

/* Zeroed memory on lines of its own, in which operations cost what they do. Elsewhere, as on
   stacks, they cost what they do on a line that is here. NULL: there is no more. */
void *lines_allocate(size_t size);

void lines_look(const void *address);

/* Does not wait for the line. */
void lines_store(const void *address);
void lines_expect(const void *address); /* fetches it for writing */

void lines_change(const void *address);

#endif
