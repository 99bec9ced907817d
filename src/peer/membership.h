/*
 * Who has come and gone: public functions of shmipc.h, Notice; and the host's care for the dead.
 */
#ifndef SHMIPC_MEMBERSHIP_H
#define SHMIPC_MEMBERSHIP_H

#include "peer/peer.h"

/* Host: reclaims what dead guests left, unless another thread is at it. */
void shmi_membership_reap_dead(shmipc_peer *peer);

/* If a tick has passed since the last one, or a peer's process was seen to end: looks for deaths,
   and says true. For whoever comes out of a sleep; notifications do not put it off. */
bool shmi_membership_tick(shmipc_peer *peer, bool death);

/* When somebody of this process last looked. After the first look only. */
uint64_t shmi_membership_last_look(const shmipc_peer *peer);

/* Writes the peer's counters to its line, for others to look at. */
void shmi_membership_publish_counters(const shmipc_peer *peer, struct peer_record *record);

/* Tells everybody that something about this peer has changed. */
void shmi_membership_announce(shmipc_peer *peer);

#endif
