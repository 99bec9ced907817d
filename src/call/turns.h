/*
 * Turns: where more threads call than there are slots, a thread keeps its slot for a turn of calls,
 * then steps aside. How long a turn is, and how many are under way at a time, is policy.h's; what
 * follows here is what a release does with it. Nobody depends on a turn being over: a thread that
 * waits for a slot looks by itself, too (pool.c).
 */
#ifndef SHMIPC_TURNS_H
#define SHMIPC_TURNS_H

#include "peer/peer.h"

/* For a release while others wait. True: the slot is given back in silence, as this thread's turn
   lasts, or another one's has begun in its place. */
COLD bool shmi_turns_keep(shmipc_peer *peer, struct local_slot *local);

/* True, once, if the calling thread's turn in a slot of this peer is over: others come first. */
bool shmi_turns_step_aside(const shmipc_peer *peer);

/* True if a thread more may have a turn. */
bool shmi_turns_leave_room(const shmipc_peer *peer);

#endif
