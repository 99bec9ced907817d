/*
 * The poller: the one worker of a peer, at most, that looks for requests again and again. While it
 * polls, the peer's bit in the eventcount tells callers that they need not notify. So a poller that
 * stops looks at all slots once more, or makes another worker do so.
 */
#ifndef SHMIPC_POLLER_H
#define SHMIPC_POLLER_H

#include "serve/worker_state.h"

/* The value of shmipc_peer.serving.poller while one thread changes the bit. Only one thread changes
   the bit at a time, so it always describes the worker named in that field. */
#define POLLER_CHANGES UINT32_MAX

/* SEARCHING -> POLLING. False if another worker of this peer polls. */
bool shmi_poller_begin(shmipc_peer *peer, struct worker *worker);

/* POLLING -> SEARCHING. The worker must then look at all slots once more. Legal if it was
   superseded. */
void shmi_poller_stop(shmipc_peer *peer, struct worker *worker);

/* The same for a worker that will not look soon: wakes another worker if a request waits. */
void shmi_poller_hand_over(shmipc_peer *peer, struct worker *worker);

/* Wakes a worker if a request waits, since perhaps no worker was notified of it. */
void shmi_poller_pass_on(shmipc_peer *peer);

/* Called by another worker that has found a request in `slot`, counted within the direction. True
   if the request has been taken since. False: no worker polls, or the poller has not taken it
   within the patience that the policy grants. */
bool shmi_poller_takes(const shmipc_peer *peer, uint32_t slot);

/* Removes a poller that does not look: it is in a handler that was expected to be short. From now
   on callers notify. True if they may not have notified before. */
bool shmi_poller_supersede(shmipc_peer *peer);

/* POLLING -> SEARCHING, when the poller finds that it was superseded. Learns that handlers of this
   message type may be long. */
void shmi_poller_notice_superseded(shmipc_peer *peer, struct worker *worker);

/* True if the worker polls. A worker that was superseded does not, and becomes SEARCHING here. */
static inline bool poller_is(shmipc_peer *p, struct worker *worker) {
    if (worker->state == WORKER_POLLING && load_relaxed32(&p->serving.poller) != worker->id)
        shmi_poller_notice_superseded(p, worker);
    return worker->state == WORKER_POLLING;
}

/* Whether any worker of the peer polls. seq_cst: see sentry.c and home.c. */
static inline bool poller_exists(const shmipc_peer *p) {
    return load_seq_cst32(&p->serving.poller) != 0;
}

/* For a worker that ends. It may have been notified of a request that still waits, so it notifies
   another worker. */
void shmi_poller_resign(shmipc_peer *peer, struct worker *worker);

#endif
