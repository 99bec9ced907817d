/*
 * The poller: at most one worker of a peer looks for requests again and again. While it does, its
 * peer's bit in the eventcount says that callers need not notify. So a poller that stops looks at
 * all slots once more, or has another worker do so.
 */
#ifndef SHMIPC_POLLER_H
#define SHMIPC_POLLER_H

#include "serve/worker_state.h"

/* Where the poller enters itself stands this while the bit is changed, by one thread at a time: so
   it never says what a worker before has said. */
#define POLLER_CHANGES UINT32_MAX

/* SEARCHING -> POLLING. False if another worker of this peer polls. */
bool shmi_poller_begin(shmipc_peer *peer, struct worker *worker);

/* POLLING -> SEARCHING. The worker is going to look at all slots once more. Legal after it was
   superseded. */
void shmi_poller_stop(shmipc_peer *peer, struct worker *worker);

/* The same for a worker that is not going to look soon: another one is woken if a request waits. */
void shmi_poller_hand_over(shmipc_peer *peer, struct worker *worker);

/* Wakes a worker if a request waits that nobody may have been notified of. */
void shmi_poller_pass_on(shmipc_peer *peer);

/* By another worker, which has found a request in `slot`, counted within the direction. True if
   somebody has taken it since. Else nobody polls, or the poller has not looked for as long as the
   policy is patient. */
bool shmi_poller_takes(const shmipc_peer *peer, uint32_t slot);

/* Then the poller is in a handler that was expected to be short. From now on callers notify. True
   if they may not have notified before. */
bool shmi_poller_supersede(shmipc_peer *peer);

/* The other side of that: POLLING -> SEARCHING. The type of the handler is one that may be long. */
void shmi_poller_notice_superseded(shmipc_peer *peer, struct worker *worker);

/* Whether the worker polls. It does not if it was superseded: then it is SEARCHING. */
static inline bool poller_is(shmipc_peer *p, struct worker *worker) {
    if (worker->state == WORKER_POLLING && load_relaxed32(&p->poller) != worker->id)
        shmi_poller_notice_superseded(p, worker);
    return worker->state == WORKER_POLLING;
}

/* Whether any worker of the peer polls. seq_cst: see sentry.c and home.c. */
static inline bool poller_exists(const shmipc_peer *p) {
    return load_seq_cst32(&p->poller) != 0;
}

/* By a worker that ends. It may have been notified of a request that waits: another one is. */
void shmi_poller_resign(shmipc_peer *peer, struct worker *worker);

#endif
