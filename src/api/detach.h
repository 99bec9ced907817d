/*
 * Leaving while others stay: a handler that runs on, a thread that keeps its slot.
 */
#ifndef SHMIPC_DETACH_H
#define SHMIPC_DETACH_H

#include "peer/peer.h"

/* Cuts off who is still inside a closed peer: they go on in memory of this process, with the
   slots they have as they are; the calls that they have under way are given up. Stores in *real the
   region as the peer sees it now, to leave it. False: the system cannot do that. */
bool shmi_detach(shmipc_peer *peer, struct region *real);

/* By a peer that nobody's late writes leave any more: gives up the slots that it has. Whom its
   handlers worked for is told that they had started; what its own calls had becomes free. */
void shmi_disown(const shmipc_peer *peer, const struct region *real);

#endif
