/* The library's functions called from C++: an exception that comes out of one is caught. */
#ifndef SHMIPC_TESTS_CATCHING_H
#define SHMIPC_TESTS_CATCHING_H

#include "shmipc/shmipc.h"

#ifdef __cplusplus
extern "C" {
#endif

enum { CAUGHT = 1000 }; /* no function returns that */

int throwing_handler(void *context, const shmipc_request *request, shmipc_response *response);
void *throwing_allocate(void *context, size_t length);

/* What the function returns, or CAUGHT. */
int serve_and_catch(shmipc_peer *peer, shmipc_handler handler, void *context,
                    shmipc_stop_token *token);
int poll_and_catch(shmipc_peer *peer, shmipc_handler handler, void *context);
int call_and_catch(shmipc_peer *peer, const shmipc_request *request, shmipc_response *response,
                   int64_t timeout);

#ifdef __cplusplus
}
#endif

#endif
