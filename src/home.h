/*
 * Homes. Each worker is at home in one slot, and its callers wake it rather than another worker, so
 * that the two of them wake each other and nobody else: the system then keeps them on one
 * processor. It does not if each wakes several.
 *
 * A keeper of a slot is a worker at home there that is not in a long handler for another slot. A
 * worker that comes out of a long handler leaves requests in slots with keepers to those. That
 * loses no request: a keeper that is parked was rung for it, or will look at its home before it
 * sleeps; a worker that was woken leaves nothing to others; and one that parks in spite of a
 * request soon looks again, as its keeper may be in a handler, or just about to run one.
 */
#ifndef SHMIPC_HOME_H
#define SHMIPC_HOME_H

#include "worker.h"

/* Finds a home: the slot in which fewest are. A worker of shmipc_poll has none, nor has one where
   there are no slots. */
void shmi_home_settle(shmipc_peer *peer, struct worker *worker);
void shmi_home_leave(shmipc_peer *peer, const struct worker *worker);

/* Around a long handler for a request in `slot`. */
void shmi_home_go_out(shmipc_peer *peer, const struct worker *worker, uint32_t slot);
void shmi_home_come_back(shmipc_peer *peer, const struct worker *worker, uint32_t slot);

/* True if this worker leaves a request in `slot` to a keeper of it. */
static inline bool home_is_kept(const shmipc_peer *p, const struct worker *worker, uint32_t slot) {
    return worker->keeps_home && slot != worker->home &&
           load_seq_cst32(&p->slots[p->serves.first + slot].keepers) != 0;
}

enum home_look {
    HOME_QUIET,  /* no request waits that the poller does not take, */
    HOME_LEFT,   /* or the worker leaves all those to others, */
    HOME_NEEDED, /* or not */
};

/* A worker's look at all slots before it sleeps. */
enum home_look shmi_home_look(const shmipc_peer *peer, const struct worker *worker);

#endif
