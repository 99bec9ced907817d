/*
 * Homes. Each worker is at home in one slot. The slot's callers wake that worker rather than
 * another, so that caller and worker wake only each other: the scheduler then keeps both on one
 * processor. It does not if a thread wakes several others.
 *
 * A keeper of a slot is a worker at home there that polls, or is not in a handler for another slot.
 * A worker that comes out of a long handler leaves the requests in slots with keepers to these
 * keepers. In its look before it sleeps it leaves none while another worker polls, as callers do
 * not notify then. No request is lost: a parked keeper was notified of the request, and any other
 * keeper looks at its home before it sleeps, before it goes out, and first of all when it begins to
 * poll. A worker that was woken, or polls, leaves nothing to others; nor does any worker while a
 * superseded poller, which is in a handler, has not noticed.
 */
#ifndef SHMIPC_HOME_H
#define SHMIPC_HOME_H

#include "serve/worker_state.h"

/* Finds a home: the slot that is home to the fewest workers. A worker of shmipc_poll has no home,
   nor has any worker if there are no slots. */
void shmi_home_settle(shmipc_peer *peer, struct worker *worker);
void shmi_home_move_out(shmipc_peer *peer, struct worker *worker);

/* Called before and after a handler for a request in `slot`, by a worker that does not poll, or is
   about to hand over. */
void shmi_home_go_out(shmipc_peer *peer, struct worker *worker, uint32_t slot);
void shmi_home_come_back(shmipc_peer *peer, struct worker *worker);

/* True if this worker leaves a request in `slot` to a keeper of it. */
static inline bool home_is_kept(const shmipc_peer *p, const struct worker *worker, uint32_t slot) {
    return worker->keeps_home && slot != worker->home &&
           load_seq_cst32(&p->serving.superseded) == 0 &&
           load_seq_cst32(&p->slots[p->serves.first + slot].service.keepers) != 0;
}

enum home_look {
    HOME_QUIET,  /* no request waits, or the poller has taken each */
    HOME_LEFT,   /* the worker leaves the other requests to keepers */
    HOME_NEEDED, /* a request waits that this worker has to take */
};

/* A worker's look at all slots before it sleeps. */
enum home_look shmi_home_look(const shmipc_peer *peer, const struct worker *worker);

#endif
