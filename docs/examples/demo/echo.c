#include "echo.h"

#include <shmipc/shmipc.h>
#include <stdio.h>
#include <string.h>

static int echo(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)context;
    if (request->length > response->capacity)
        return shmipc_fail(response, "%zu bytes are too many to echo", request->length);
    memcpy(response->data, request->data, request->length);
    response->length = request->length;
    return 0;
}

int echo_guest(const char *name) {
    shmipc_peer *guest;
    int error = shmipc_guest_attach(name, NULL, SHMIPC_TIMEOUT_DEFAULT, &guest);
    if (!error)
        error = shmipc_serve(guest, echo, NULL);
    if (error != SHMIPC_E_SHUTDOWN)
        fprintf(stderr, "demo: C guest: %s\n", shmipc_last_error());
    shmipc_free(guest);
    return error == SHMIPC_E_SHUTDOWN ? 0 : 1;
}
