/*
 * Claiming the slots of a peer's calling direction. Threads of one process compete by a private
 * word per slot; for guest slots, processes compete by the state word too.
 */
#ifndef SHMIPC_POOL_H
#define SHMIPC_POOL_H

#include "peer/peer.h"

/* Claims a slot within the deadline. Errors: TIMEOUT, and as peer_refusal. */
int shmi_pool_claim(shmipc_peer *peer, struct deadline *deadline, struct local_slot **slot);

/* Gives back a slot without a request under way. */
void shmi_pool_release(shmipc_peer *peer, struct local_slot *local);

/* OK, or an error as peer_refusal if the peer takes no calls; then the slot is given back. */
static inline int pool_admit(shmipc_peer *p, struct local_slot *l) {
    int error = peer_refusal(p);
    if (error)
        shmi_pool_release(p, l);
    return error;
}

/* Gives back the claim on a slot whose word is no longer the caller's, or is quarantined. */
void shmi_pool_unclaim(shmipc_peer *peer, struct local_slot *local);

/* Gives back the claim on a slot whose word is FREE again. */
void shmi_pool_unclaim_free(shmipc_peer *peer, struct local_slot *local);

/* True if more threads have slots than there are processors for them. */
bool shmi_pool_is_crowded(const shmipc_peer *peer);

static inline bool pool_holds(const struct local_slot *slot, uint32_t ticket) {
    return ticket % 2 != 0 && load_acquire32(&slot->claim) == ticket;
}

/* The slot of a user's handle; NULL if the handle is stale. */
static inline struct local_slot *pool_find(shmipc_slot slot) {
    if (slot.peer == NULL || slot.index >= region_slots(&slot.peer->region))
        return NULL;
    struct local_slot *l = &slot.peer->slots[slot.index];
    return pool_holds(l, slot.ticket) ? l : NULL;
}

/* STALE for NULL; STATE for a slot in which a request is under way. */
COLD int shmi_pool_refuse(const struct local_slot *local);

/* Like pool_find, but return an error; the second also refuses a slot with a request under way. */
static inline int pool_resolve(shmipc_slot slot, struct local_slot **local) {
    *local = pool_find(slot);
    if (*local != NULL)
        return SHMIPC_OK;
    (void)shmi_pool_refuse(NULL);
    return SHMIPC_E_STALE;
}

static inline int pool_resolve_idle(shmipc_slot slot, struct local_slot **local) {
    *local = pool_find(slot);
    return *local != NULL && (*local)->phase != PHASE_SENT ? SHMIPC_OK : shmi_pool_refuse(*local);
}

#endif
