/*
 * An add-in that leaves when it is unloaded, with what it has: a slot that it holds, and a handler
 * that runs until its answer is of no use.
 */
#include "hazard/plugin.h"

#include "shmipc/shmipc.h"

#include <pthread.h>
#include <stddef.h>
#include <time.h>

static shmipc_peer *host;
static pthread_t server;

static int handle(void *context, const shmipc_request *request, shmipc_response *response) {
    const struct timespec moment = {.tv_nsec = 1000000};
    (void)context;
    (void)response;
    while (!shmipc_abandoned(request))
        nanosleep(&moment, NULL);
    return 0;
}

static void *serve(void *context) {
    (void)context;
    (void)shmipc_serve(host, handle, NULL);
    return NULL;
}

static int start(const char *name) {
    shmipc_slot slot;
    int error = shmipc_host_create(name, NULL, &host);
    if (error)
        return error;
    error = shmipc_slot_claim(host, 0, &slot);
    return error ? error : -pthread_create(&server, NULL, serve, NULL);
}

/* As docs/running.md says: the code goes away next. */
__attribute__((destructor)) static void leave(void) {
    (void)shmipc_shutdown(host, 50000000);
    (void)shmipc_close(host);
    (void)pthread_join(server, NULL);
    shmipc_free(host);
}

__attribute__((visibility("default"))) plugin_start *plugin(void) {
    return start;
}
