/*
 * Leaving a region while a handler still runs, or a thread keeps its slot.
 */
#ifndef SHMIPC_DETACH_H
#define SHMIPC_DETACH_H

#include "peer/peer.h"

/* Cuts off the threads that are still inside a closed peer: they go on in private memory, with
   unchanged copies of their slots, and their calls under way are given up. Stores in *real a view
   of the real region, in which the peer can leave it. False: the system cannot do that. */
bool shmi_detach(shmipc_peer *peer, struct region *real);

/* For a peer whose threads can no longer write to the region: gives up its slots. Callers of its
   running handlers get an answer that says that the handler had started; the slots of its own calls
   become free. */
void shmi_disown(const shmipc_peer *peer, const struct region *real);

#endif
