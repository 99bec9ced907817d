/*
 * The library's state of each thread, which the platform provides (each system's thread.c).
 */
#ifndef SHMIPC_THREAD_H
#define SHMIPC_THREAD_H

#include <stdint.h>

struct shmipc_stop_token;

/* The system's code, and a sentence. A function that must not change it saves a copy and restores
   it. */
struct last_failure {
    int os_error;
    char text[512];
};

/* Zero at first. Its storage needs no destructor, so that the library can be unloaded. */
struct thread_state {
    const struct served *serving;   /* peer.h */
    const void *steps_aside;        /* turns.c's: the peer in whose slot a turn has just ended */
    struct shmipc_stop_token *stop; /* stop.c's: ends this thread's waits; NULL: none */
    uint32_t affinity;              /* pool.c's and turns.c's: the slot used last */
    struct last_failure last;       /* error.c */
};

struct thread_state *shmi_thread_state(void);

#endif
