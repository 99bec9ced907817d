/* The other direction: a guest in Go calls its host, a thread of this process, which answers the
   same bytes; against one word on one line. */
#include "rows.h"

#include "alternatives/remote.h"
#include "calls/pair.h"
#include "limits/lines.h"
#include "support/child.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CAPACITY = 4096 };

static int echo(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)context;
    memcpy(response->data, request->data, request->length);
    response->length = request->length;
    return 0;
}

static void *serve(void *host) {
    (void)shmipc_serve(host, echo, NULL);
    return NULL;
}

static shmipc_peer *create(char name[64]) {
    shmipc_host_config config = SHMIPC_HOST_CONFIG_INIT;
    shmipc_peer *host;
    config.request_capacity = config.response_capacity = CAPACITY;
    (void)snprintf(name, 64, "guest_calls.%ld", (long)getpid());
    check(shmipc_host_create(name, &config, &host));
    return host;
}

void measure_guest_calls(const struct effort *effort) {
    char name[64];
    struct plan plan = short_blocks(effort);
    shmipc_peer *host = create(name);
    pthread_t server;
    if (pthread_create(&server, NULL, serve, host) != 0)
        die("thread");
    struct subject subjects[] = {lines_start(1), remote_guest_start(name, SMALL),
                                 remote_guest_start(name, CAPACITY)};
    check(shmipc_wait_guests(host, 2, SHMIPC_TIMEOUT_DEFAULT));
    emit_all(subjects, sizeof subjects / sizeof *subjects, &plan);
    check(shmipc_shutdown(host, SHMIPC_TIMEOUT_DEFAULT));
    pthread_join(server, NULL);
    shmipc_free(host);
}
