#include <shmipc/shmipc.h>
#include <stddef.h>

/* Whether a region of this name can be made. */
int parent_try(const char *name) {
    shmipc_peer *peer;
    int error = shmipc_host_create(name, NULL, &peer);
    if (error == SHMIPC_OK) {
        shmipc_close(peer);
        shmipc_free(peer);
    }
    return error;
}
