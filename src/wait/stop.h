/*
 * Stop tokens: what their opaque words are, and who waits with one. A trigger stores, and wakes who
 * waits; it takes no lock that somebody else may hold, so it may interrupt any of these functions.
 */
#ifndef SHMIPC_STOP_H
#define SHMIPC_STOP_H

#include "base/atomic.h"

#include "shmipc/shmipc.h"

/* One wait that the token ends. It lies on the stack of who waits; under the list's lock. */
struct stop_waiter {
    struct stop_waiter *next;
    struct stop_waiter **link;
    void (*wake)(void *context); /* has the waiter look at the token again; may not block */
    void *context;
};

struct stop {
    atomic_u32 stopped; /* 1 for ever, once somebody has stopped */
    atomic_u32 untold;  /* 1: those who wait were not woken since */
    atomic_u32 lock;    /* 1: somebody changes the list, or wakes who is in it */
    struct stop_waiter *first;
};

_Static_assert(sizeof(struct stop) <= sizeof(shmipc_stop_token), "the token has room for it");

static inline struct stop *stop_of(shmipc_stop_token *token) {
    return (struct stop *)(void *)token;
}

/* seq_cst: follows shmi_stop_join, and the look at what the waiter sleeps on: a trigger stores
   first, and wakes then. */
static inline bool stop_is_asked(shmipc_stop_token *token) {
    return token != NULL && load_seq_cst32(&stop_of(token)->stopped) != 0;
}

/* From now on a trigger wakes the waiter. `token` NULL: nobody ever does. */
void shmi_stop_join(shmipc_stop_token *token, struct stop_waiter *waiter);

/* When it returns no trigger is about to wake the waiter any more. */
void shmi_stop_leave(shmipc_stop_token *token, struct stop_waiter *waiter);

#endif
