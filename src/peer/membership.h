/*
 * Peers that come and go: the public functions of shmipc.h, Events; and how a host reaps dead
 * guests.
 */
#ifndef SHMIPC_MEMBERSHIP_H
#define SHMIPC_MEMBERSHIP_H

#include "peer/peer.h"

/* Host: reaps dead guests, unless another thread is doing so. */
void shmi_membership_reap_dead(shmipc_peer *peer);

/* For a thread that comes out of a sleep. If a tick has passed since the last look, or a peer's
   process was seen to end, looks for deaths and returns true. Notifications do not delay it. */
bool shmi_membership_tick(shmipc_peer *peer, bool death);

/* When a thread of this process last looked. Valid only after the first look. */
uint64_t shmi_membership_last_look(const shmipc_peer *peer);

/* True if shmipc_next_event would return an event or an error at once, other than TIMEOUT. */
bool shmi_membership_has_news(shmipc_peer *peer);

/* Writes the peer's counters to its record, where other processes can read them. */
void shmi_membership_publish_counters(const shmipc_peer *peer, struct peer_record *record);

/* Notifies all threads that wait for peers to come or go: this peer came, or is leaving. */
void shmi_membership_announce(shmipc_peer *peer);

#endif
