/*
 * Homes. Each worker is at home in one slot, and its callers wake it rather than another worker, so
 * that the two of them wake each other and nobody else: the system then keeps them on one
 * processor. It does not if each wakes several.
 *
 * A keeper of a slot is a worker at home there that is not in a handler for another slot, or polls.
 * A worker that comes out of a long handler leaves requests in slots with keepers to those, but in
 * its look before it sleeps none while another one polls, as callers do not notify then. That loses
 * no request: a keeper that is parked was notified of it, and any other one looks at its home
 * before it sleeps, before it goes out, and first of all when it begins to poll. A worker that was
 * woken, or polls, leaves nothing to others; and nobody does while a poller that was superseded has
 * not noticed, as that one is in a handler.
 */
#ifndef SHMIPC_HOME_H
#define SHMIPC_HOME_H

#include "serve/worker_state.h"

/* Finds a home: the slot in which fewest are. A worker of shmipc_poll has none, nor has one where
   there are no slots. */
void shmi_home_settle(shmipc_peer *peer, struct worker *worker);
void shmi_home_move_out(shmipc_peer *peer, struct worker *worker);

/* Around a handler for a request in `slot`, by a worker that does not poll, or hands over next. */
void shmi_home_go_out(shmipc_peer *peer, struct worker *worker, uint32_t slot);
void shmi_home_come_back(shmipc_peer *peer, struct worker *worker);

/* True if this worker leaves a request in `slot` to a keeper of it. */
static inline bool home_is_kept(const shmipc_peer *p, const struct worker *worker, uint32_t slot) {
    return worker->keeps_home && slot != worker->home && load_seq_cst32(&p->superseded) == 0 &&
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
