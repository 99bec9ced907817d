/* The other side of a ping-pong: a process that answers in blocks, and sleeps between them. */
#ifndef BENCHMARKS_PARTNER_H
#define BENCHMARKS_PARTNER_H

/* What a partner does. It is told by its name to a process that is this program, started again. */
struct role {
    const char *name;
    void (*answer_block)(void *memory); /* runs in the other process, once for each partner_wake */
};

struct partner;

/* `memory` is of shared_memory; a partner that is forked takes any. */
struct partner *partner_start(const struct role *role, void *memory);
void partner_wake(const struct partner *partner);
void partner_stop(struct partner *partner);

/* What main does first: if this process was started as a partner, it is one from here to its end.
   NULL ends `roles`, all that a partner may be started with. */
void partner_play(int argc, char **argv, const struct role *const roles[]);

#endif
