/*
 * The sentry: the one parked worker that looks, every now and then, whether the poller still polls.
 * While somebody polls callers do not notify, and a request whose caller does not wait would lie
 * there until a handler returns. So a poller that takes a request has a sentry, or calls one.
 */
#ifndef SHMIPC_SENTRY_H
#define SHMIPC_SENTRY_H

#include "serve/worker_state.h"

/* What a peer's `sentry` says. */
enum sentry_state {
    SENTRY_ABSENT,
    SENTRY_IN_DOUBT, /* when it last looked, somebody polled, and has taken nothing since */
    SENTRY_CALLED,   /* one was notified, and has not come yet */
    SENTRY_CONTENT,
};

/* By a poller that has taken a request. seq_cst: the partner of a sentry that goes because nobody
   polls. */
static inline bool sentry_wants_call(const shmipc_peer *peer) {
    return load_seq_cst32(&peer->sentry) < SENTRY_CALLED;
}

/* Takes a sentry's doubt away, or calls for one if there is none. */
void shmi_sentry_call(shmipc_peer *peer);

/* By a worker that has woken up and does not park again: it may have heard the call. Then there is
   another one. */
void shmi_sentry_miss(shmipc_peer *peer);

/* Becomes the sentry if there is none and one is needed. By a worker that parks. */
void shmi_sentry_join(shmipc_peer *peer, struct sentry *sentry);

/* Looks, if it is time: true if the poller is stuck in a handler, so that this worker is to take
   its place. One that has seen for a while that nobody polls goes. */
bool shmi_sentry_look(shmipc_peer *peer, struct sentry *sentry);

/* Goes: it has work. */
void shmi_sentry_leave(shmipc_peer *peer, struct sentry *sentry);

/* Goes, or does not come though it may have heard the call: another worker must. */
void shmi_sentry_resign(shmipc_peer *peer, struct sentry *sentry);

#endif
