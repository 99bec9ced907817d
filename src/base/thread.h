/*
 * What the library keeps of each thread. The platform provides it (thread.c of each system).
 */
#ifndef SHMIPC_THREAD_H
#define SHMIPC_THREAD_H

#include <stdint.h>

/* The system's code, and a sentence. Who must not change it keeps a copy and puts that back. */
struct last_failure {
    int os_error;
    char text[512];
};

/* Zero at first. Its storage needs no destructor, so that the library can be unloaded. */
struct thread_state {
    const struct served *serving; /* peer.h */
    const void *steps_aside;      /* turns.c: the peer of whose slots it has just had a turn */
    uint32_t affinity;            /* pool.c: the slot that it used last */
    struct last_failure last;     /* error.c */
};

struct thread_state *shmi_thread_state(void);

#endif
