/*
 * The address of one attachment of a guest, as shmipc.h gives it to users: index and whole epoch.
 */
#ifndef SHMIPC_ADDRESS_H
#define SHMIPC_ADDRESS_H

#include "peer/peer.h"

enum { ADDRESS_EPOCH_SHIFT = 32 };

static inline uint64_t address_make(uint32_t index, uint32_t epoch) {
    return (uint64_t)epoch << ADDRESS_EPOCH_SHIFT | index;
}

/* The owner of a request that is sent there; 0 for the address 0. */
static inline owner owner_of_address(uint64_t address) {
    uint32_t epoch = (uint32_t)(address >> ADDRESS_EPOCH_SHIFT);
    return owner_make((uint32_t)address, epoch_in_word(epoch));
}

/* INVALID: a guest cannot send there, or it is no address. NO_PEER: that guest is gone. */
COLD int shmi_address_refuse(const shmipc_peer *peer, uint64_t to);

/* True while that guest is attached, as far as the region says, and serves. */
static inline bool address_is_there(const shmipc_peer *p, uint64_t to) {
    uint32_t index = (uint32_t)to;
    if (!peer_is_host(p) || index == HOST || index >= PEERS)
        return false;
    const struct peer_record *record = &p->region.shared->peers[index];
    return load_acquire32(&record->status) == PEER_ATTACHED &&
           load_acquire32(&record->epoch) == (uint32_t)(to >> ADDRESS_EPOCH_SHIFT);
}

/* OK if a request may be sent to this address; 0 is any guest, or the host. Reads the region: the
   thread has claimed a slot, and was not refused since. */
static inline int check_address(const shmipc_peer *p, uint64_t to) {
    return to == 0 || address_is_there(p, to) ? SHMIPC_OK : shmi_address_refuse(p, to);
}

#endif
