#include "support/catching.h"

#include <stdexcept>

int throwing_handler(void *, const shmipc_request *, shmipc_response *) {
    throw std::runtime_error("a handler's");
}

void *throwing_allocate(void *, size_t) {
    throw std::runtime_error("an allocation's");
}

int serve_and_catch(shmipc_peer *peer, shmipc_handler handler, void *context,
                    shmipc_stop_token *token) {
    try {
        return shmipc_serve_until(peer, handler, context, token);
    } catch (const std::exception &) {
        return CAUGHT;
    }
}

int poll_and_catch(shmipc_peer *peer, shmipc_handler handler, void *context) {
    try {
        return shmipc_poll(peer, handler, context);
    } catch (const std::exception &) {
        return CAUGHT;
    }
}

int call_and_catch(shmipc_peer *peer, const shmipc_request *request, shmipc_response *response,
                   int64_t timeout) {
    try {
        return shmipc_call(peer, request, response, timeout);
    } catch (const std::exception &) {
        return CAUGHT;
    }
}
