/* What the bare limit needs of the system: another process, a page that both have, and a bell. */
#ifndef DEMO_LIMIT_SYSTEM_H
#define DEMO_LIMIT_SYSTEM_H

#include "limit.h"

/* As the other process has it. */
struct limit_child {
    _Atomic uint64_t *word;
    intptr_t bell;
    intptr_t parent;
};

/* What the other process does; its exit status. */
int limit_answer_blocks(const struct limit_child *child);

bool limit_ring(const struct limit *limit, unsigned char pauses);

/* Sleeps until the bell is rung. False when the parent has gone. */
bool limit_hear(const struct limit_child *child, unsigned char *pauses);

bool limit_is_orphan(const struct limit_child *child);

#endif
