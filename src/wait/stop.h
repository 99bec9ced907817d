/*
 * Stop tokens: the layout of their opaque words, and the list of waiters. shmipc_stop, the trigger,
 * stores, then wakes the waiters; it never waits for a lock that another thread holds, so a signal
 * handler that calls it may interrupt any of these functions.
 */
#ifndef SHMIPC_STOP_H
#define SHMIPC_STOP_H

#include "base/atomic.h"

#include "shmipc/shmipc.h"

/* One wait that the token ends. It lies on the waiter's stack; the list's lock protects it. */
struct stop_waiter {
    struct stop_waiter *next;
    struct stop_waiter **link;
    void (*wake)(void *context); /* has the waiter look at the token again; may not block */
    void *context;
};

struct stop {
    atomic_u32 stopped; /* 1 for ever after shmipc_stop */
    atomic_u32 untold;  /* 1: the waiters were not woken since shmipc_stop */
    atomic_u32 lock;    /* 1: a thread changes the list, or wakes its waiters */
    struct stop_waiter *first;
};

_Static_assert(sizeof(struct stop) <= sizeof(shmipc_stop_token), "the token has room for it");

static inline struct stop *stop_of(shmipc_stop_token *token) {
    return (struct stop *)(void *)token;
}

/* seq_cst: follows shmi_stop_join, and the look at the word that the waiter sleeps on; a trigger
   stores first, then wakes. */
static inline bool stop_is_asked(shmipc_stop_token *token) {
    return token != NULL && load_seq_cst32(&stop_of(token)->stopped) != 0;
}

/* The token that ends this thread's waits; NULL: none. */
shmipc_stop_token *shmi_stop_of_thread(void);

/* From now on a trigger wakes the waiter. `token` NULL: no trigger ever does. */
void shmi_stop_join(shmipc_stop_token *token, struct stop_waiter *waiter);

/* After it returns no trigger wakes the waiter any more. */
void shmi_stop_leave(shmipc_stop_token *token, struct stop_waiter *waiter);

#endif
