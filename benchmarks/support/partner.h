/* The other side of a ping-pong: a process that answers in blocks, and sleeps between them. */
#ifndef BENCHMARKS_PARTNER_H
#define BENCHMARKS_PARTNER_H

#include <sys/types.h>

struct partner {
    int bell[2];
    pid_t pid;
};

/* `answer_block` runs in the other process, once for each partner_wake. */
void partner_start(struct partner *partner, void (*answer_block)(void *self), void *self);
void partner_wake(const struct partner *partner);
void partner_stop(struct partner *partner);

#endif
