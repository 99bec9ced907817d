/*
 * Several calls at a time, for a thread that waits for them in an event loop.
 */
#ifndef SHMIPC_COLLECT_H
#define SHMIPC_COLLECT_H

#include "peer/peer.h"

/* True if one of the calls under way in these slots, all of one peer, is over, or was told to end.
   `deaths`: also looks whether the responders are alive. */
bool shmi_collect_has_ended(shmipc_peer *peer, const shmipc_slot *slots, size_t count, bool deaths);

/* For a thread that is announced on calling.answers: from now on each of the answers notifies it.
   False if one of the calls is over already. */
bool shmi_collect_park(shmipc_peer *peer, const shmipc_slot *slots, size_t count);

#endif
