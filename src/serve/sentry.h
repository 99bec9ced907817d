/*
 * The sentry: the one parked worker that looks now and then whether the poller still looks. While a
 * worker polls, callers do not notify; if the poller is stuck in a handler, a request whose caller
 * does not wait would stay until that handler returns. So a poller that takes a request has a
 * sentry, or calls one.
 */
#ifndef SHMIPC_SENTRY_H
#define SHMIPC_SENTRY_H

#include "serve/worker_state.h"

/* The values of shmipc_peer.serving.sentry. */
enum sentry_state {
    SENTRY_ABSENT,
    SENTRY_IN_DOUBT, /* at its last look a worker polled, which has taken nothing since */
    SENTRY_CALLED,   /* a worker was notified to become the sentry, and has not yet */
    SENTRY_CONTENT,
};

/* For a poller that has taken a request. This seq_cst load pairs with a sentry that leaves because
   no worker polls. */
static inline bool sentry_wants_call(const shmipc_peer *peer) {
    return load_seq_cst32(&peer->serving.sentry) < SENTRY_CALLED;
}

/* Clears the sentry's doubt, or calls a sentry if there is none. */
void shmi_sentry_call(shmipc_peer *peer);

/* For a worker that has woken up and does not park again: its wake-up may have been the call for a
   sentry. Withdraws the call, so that the poller calls another worker. */
void shmi_sentry_miss(shmipc_peer *peer);

/* For a worker that parks: becomes the sentry if there is none and one is needed. */
void shmi_sentry_join(shmipc_peer *peer, struct sentry *sentry);

/* Looks, if it is time: true if the poller is stuck in a handler, so that this worker must take its
   place. A sentry that has seen no poller for some looks leaves. */
bool shmi_sentry_look(shmipc_peer *peer, struct sentry *sentry);

/* Leaves, as the worker has a request to serve. */
void shmi_sentry_leave(shmipc_peer *peer, struct sentry *sentry);

/* Leaves, or ignores a call that it may have received, and calls another worker instead. */
void shmi_sentry_resign(shmipc_peer *peer, struct sentry *sentry);

#endif
