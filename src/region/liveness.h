/*
 * Finding out which peers are alive, and reclaiming what dead peers left (docs/protocol.md,
 * Liveness and Reclaiming).
 */
#ifndef SHMIPC_LIVENESS_H
#define SHMIPC_LIVENESS_H

#include "region/region.h"
#include "wait/eventcount.h"
#include "wire/word.h"

/* For a guest: the host holds its lock and the region still has its name. */
bool shmi_host_is_alive(const struct region *region);

/* True if this guest is alive, serves, and is not leaving. A peer must not ask this about itself:
   it cannot test its own lock. */
bool shmi_guest_serves(const struct region *region, uint32_t index);

/* True if this guest is alive, serves, and is not leaving. */
bool shmi_owner_serves(const struct region *region, owner guest);

/* True if any guest is alive, serves, and is not leaving: one system call in most cases. */
bool shmi_any_guest_serves(const struct region *region);

/* True if the guest that the word names as owner can no longer write. */
bool shmi_owner_is_dead(const struct region *region, word seen);

/* Takes guest `index`'s lock if it is free, reclaims everything its former owners left, marks the
   peer record vacant, and gives the lock back. True if a dead guest was found. Only one thread of
   the host may call it at a time: the lock belongs to the process. */
bool shmi_reap_guest(const struct region *region, uint32_t index);

/* Reclaims what the former owners of `index` left; the caller holds its lock. */
void shmi_reclaim_index(const struct region *region, uint32_t index);

/* For the holder of the index's lock: removes the index from the sleepers and pollers of every
   eventcount. */
void shmi_silence_eventcounts(const struct region *region, uint32_t index);

/* For the holder of the index's lock: marks its peer record vacant. `left`: the epoch that left
   gracefully, or 0 after a death. */
void shmi_vacate_record(struct peer_record *record, uint32_t left);

/* For a host that leaves: answers a guest slot in which a handler of the host still runs as if the
   host had died, and frees a slot that its caller has given up. */
void shmi_answer_for_responder(const struct region *region, uint32_t index);

/* Reclaims one word whose owner was found dead. True if it has changed. */
bool shmi_reclaim_slot(const struct region *region, uint32_t slot, word seen);

#endif
