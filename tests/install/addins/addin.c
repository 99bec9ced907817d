/* An add-in with a library of its own inside: it is compiled as a user would, nothing hidden. */
#include "addin.h"

#include <shmipc/shmipc.h>
#include <stddef.h>

static shmipc_peer *peer;

static int host(const char *name) {
    return shmipc_host_create(name, NULL, &peer);
}

static int guest(const char *name) {
    return shmipc_guest_attach(name, NULL, SHMIPC_TIMEOUT_DEFAULT, &peer);
}

static void leave(void) {
    shmipc_close(peer);
    shmipc_free(peer);
    peer = NULL;
}

const struct addin *addin_start(void) {
    static const struct addin self = {shmipc_version, shmipc_last_error, host, guest, leave};
    return &self;
}
