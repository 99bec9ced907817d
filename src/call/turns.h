/*
 * Turns: if more threads call than there are slots, a thread's releases wake nobody for a turn of
 * calls, so the thread finds the same slot free again; then it steps aside. policy.h decides how
 * long a turn is, and how many are under way at a time; this file applies these decisions to a
 * release. No thread depends on a turn's end: a waiter for a slot also looks by itself (pool.c).
 */
#ifndef SHMIPC_TURNS_H
#define SHMIPC_TURNS_H

#include "peer/peer.h"

/* For a release while others wait. True: release without notifying, since this thread's turn
   lasts, or enough other turns are under way. */
COLD bool shmi_turns_keep(shmipc_peer *peer, struct local_slot *local);

/* True, once, if the calling thread's turn in a slot of this peer is over: it must let others go
   first. */
bool shmi_turns_step_aside(const shmipc_peer *peer);

/* True if one more thread may have a turn. */
bool shmi_turns_leave_room(const shmipc_peer *peer);

#endif
