/* Handlers that return at once, compute, sleep, fail, or call back, and enter it in the ledger. */
#ifndef SHMIPC_TESTS_CHAOS_HANDLER_H
#define SHMIPC_TESTS_CHAOS_HANDLER_H

#include "chaos/ledger.h"

/* A shmipc_handler's context. */
struct service {
    struct ledger *ledger;
    struct post *post;
    shmipc_peer *peer; /* to call back on; NULL: such a wish is passed over */
};

int chaos_handler(void *context, const shmipc_request *request, shmipc_response *response);

#endif
