#include "peer/address.h"

#include "base/error.h"

int shmi_address_refuse(const shmipc_peer *p, uint64_t to) {
    uint32_t index = (uint32_t)to;
    uint32_t epoch = (uint32_t)(to >> ADDRESS_EPOCH_SHIFT);
    if (!peer_is_host(p))
        return shmi_fail(SHMIPC_E_INVALID, "a guest's calls go to the host: `to` must be 0");
    if (index == HOST || index >= PEERS || epoch == 0)
        return shmi_fail(SHMIPC_E_INVALID, "0x%llx is no guest's address", (unsigned long long)to);
    return shmi_fail(SHMIPC_E_NO_PEER, "guest %u of epoch %u is gone, or does not serve",
                     (unsigned)index, (unsigned)epoch);
}

static uint64_t find(const shmipc_peer *p, uint64_t service) {
    const struct region_layout *shared = p->region.shared;
    for (uint32_t i = HOST + 1; i < PEERS; i++) {
        uint64_t address = address_make(i, load_acquire32(&shared->peers[i].epoch));
        if (address_is_there(p, address) && load_acquire64(&shared->services[i]) == service &&
            address_is_there(p, address)) /* the service was not a successor's */
            return address;
    }
    return 0;
}

int shmipc_find_guest(shmipc_peer *p, uint64_t service, uint64_t *address) {
    if (address == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the place for the address is NULL");
    int error = shmi_peer_enter(p);
    if (error)
        return error;
    if (!peer_is_host(p))
        error = shmi_fail(SHMIPC_E_INVALID, "only a host finds guests");
    else if ((*address = find(p, service)) == 0)
        error = shmi_fail(SHMIPC_E_NO_PEER, "no guest is attached that serves 0x%llx",
                          (unsigned long long)service);
    shmi_peer_leave(p);
    return error;
}
