/*
 * Looking for requests that wait in slots.
 */
#ifndef SHMIPC_REQUESTS_H
#define SHMIPC_REQUESTS_H

#include "peer/peer.h"
#include "region/slot.h"

/* Slots are counted within the direction that the peer serves. */
static inline struct slot *requests_slot(const shmipc_peer *p, uint32_t slot) {
    return region_slot(&p->region, p->serves.first + slot);
}

/* The next slot; after the last one, the first. */
static inline uint32_t requests_slot_behind(const shmipc_peer *p, uint32_t slot) {
    return slot + 1 < p->serves.count ? slot + 1 : 0;
}

/* A request in a host slot may be addressed to one guest: then it is no concern of the others. An
   owner that is no guest's name is everybody's concern: it is corrupt. */
static inline bool request_is_ours(const shmipc_peer *p, word seen) {
    owner to = word_owner(seen);
    return word_state(seen) == SLOT_REQUEST &&
           (to == 0 || to == p->self || peer_is_host(p) || !owner_is_named(to));
}

/* seq_cst: pairs with slot_publish_request. Before this look the thread has announced a sleeper,
   read the generation, or left the pollers. */
static inline bool requests_wait_in(const shmipc_peer *p, uint32_t slot) {
    return request_is_ours(p, slot_look_again(requests_slot(p, slot)));
}

/* The first slot in which a request waits, in a round that begins at `first`; the number of slots
   if none. */
static inline uint32_t requests_find(const shmipc_peer *p, uint32_t first) {
    for (uint32_t n = 0, slot = first; n < p->serves.count;
         n++, slot = requests_slot_behind(p, slot)) {
        if (requests_wait_in(p, slot))
            return slot;
    }
    return p->serves.count;
}

static inline bool requests_wait(const shmipc_peer *p) {
    return requests_find(p, 0) != p->serves.count;
}

#endif
