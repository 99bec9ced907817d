/* Calls without bytes, in a claimed slot. */
#ifndef SHMIPC_TESTS_EMPTY_CALLS_H
#define SHMIPC_TESTS_EMPTY_CALLS_H

#include "support/fixture.h"

#include "region/slot.h"

/* A request for shmipc_call. */
static const shmipc_request nothing = {.data = NULL};

/* Claims a slot and sends a request in it. */
shmipc_slot send_empty(shmipc_peer *peer);

/* Returns how the call ended. */
int receive_and_release(shmipc_slot slot);

/* The slot in the region. */
struct slot *shared(shmipc_slot slot);

#endif
