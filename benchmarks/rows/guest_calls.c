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

struct region {
    shmipc_peer *host;
    pthread_t server;
};

static shmipc_peer *create(char name[64]) {
    static unsigned number;
    shmipc_host_config config = SHMIPC_HOST_CONFIG_INIT;
    shmipc_peer *host;
    config.request_capacity = config.response_capacity = CAPACITY;
    (void)snprintf(name, 64, "guest_calls.%ld.%u", (long)getpid(), number++);
    check(shmipc_host_create(name, &config, &host));
    return host;
}

static size_t set_up(void *region, struct subject *subjects) {
    struct region *r = region;
    char name[64];
    r->host = create(name);
    if (pthread_create(&r->server, NULL, serve, r->host) != 0)
        die("thread");
    subjects[0] = lines_start(1);
    subjects[1] = remote_guest_start(name, SMALL, false);
    subjects[2] = remote_guest_start(name, SMALL, true);
    subjects[3] = remote_guest_start(name, CAPACITY, false);
    check(shmipc_wait_guests(r->host, 3, SHMIPC_TIMEOUT_DEFAULT));
    return 4;
}

static void take_down(void *region) {
    struct region *r = region;
    check(shmipc_shutdown(r->host, SHMIPC_TIMEOUT_DEFAULT));
    pthread_join(r->server, NULL);
    shmipc_free(r->host);
}

void measure_guest_calls(const struct effort *effort) {
    struct plan plan = short_blocks(effort);
    struct region region;
    emit_scenes(&(struct scene){set_up, take_down, &region}, &plan);
}
