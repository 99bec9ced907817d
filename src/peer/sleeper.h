/*
 * A thread that sleeps on an eventcount of its peer, and that its stop token can wake.
 */
#ifndef SHMIPC_SLEEPER_H
#define SHMIPC_SLEEPER_H

#include "peer/peer.h"
#include "wait/stop.h"

/* Lies on the thread's stack, from begin to end. */
struct sleeper {
    shmipc_peer *peer;
    struct local_eventcount *eventcount;
    shmipc_stop_token *token; /* the thread's, when the wait began; NULL: none */
    struct stop_waiter waiter;
};

/* From now on a stop changes the eventcount's generation. The thread reads the generation, then
   sleeper_is_stopped, then sleeps. */
void shmi_sleeper_begin(struct sleeper *sleeper, shmipc_peer *peer,
                        struct local_eventcount *eventcount);
void shmi_sleeper_end(struct sleeper *sleeper);

static inline bool sleeper_is_stopped(const struct sleeper *s) {
    return stop_is_asked(s->token);
}

#endif
