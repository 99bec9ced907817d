#include "support/empty_calls.h"

#include "peer/peer.h"

shmipc_slot send_empty(shmipc_peer *peer) {
    shmipc_slot slot;
    must_equal(shmipc_slot_claim(peer, SHMIPC_FOREVER, &slot), SHMIPC_OK);
    must_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    return slot;
}

int receive_and_release(shmipc_slot slot) {
    shmipc_response response;
    int error = shmipc_slot_receive(slot, SHMIPC_FOREVER, &response);
    must_equal(shmipc_slot_release(slot), SHMIPC_OK);
    return error;
}

struct slot *shared(shmipc_slot slot) {
    return region_slot(&slot.peer->region, slot.index);
}
