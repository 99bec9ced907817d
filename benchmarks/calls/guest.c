/* The guest in C: guest NAME SPIN_NS (0: the library's choice; -1: none). */
#define _GNU_SOURCE
#include "pair.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int sleep_long(const shmipc_request *request, shmipc_response *response) {
    uint32_t ms;
    if (request->length != sizeof ms)
        return shmipc_fail(response, "a request of %zu bytes", request->length);
    memcpy(&ms, request->data, sizeof ms);
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
    return 0;
}

static int count(shmipc_peer *guest, shmipc_response *response) {
    shmipc_stats stats;
    int error = shmipc_get_stats(guest, &stats);
    if (error)
        return shmipc_fail(response, "%s", shmipc_last_error());
    uint64_t sum = stats.parks + stats.wakes;
    memcpy(response->data, &sum, sizeof sum);
    response->length = sizeof sum;
    return 0;
}

static int handle(void *guest, const shmipc_request *request, shmipc_response *response) {
    switch (request->type) {
    case SHMIPC_TYPE_NORMAL:
        memcpy(response->data, request->data, request->length);
        response->length = request->length;
        return 0;
    case TYPE_SLEEP:
        return sleep_long(request, response);
    case TYPE_COUNT:
        return count(guest, response);
    case TYPE_LENGTH:
        response->length = request->length;
        return 0;
    default:
        return shmipc_fail(response, "unknown type %u", (unsigned)request->type);
    }
}

static void *serve(void *guest) {
    (void)shmipc_serve(guest, handle, guest);
    return NULL;
}

static int run(shmipc_peer *guest) {
    pthread_t second;
    if (pthread_create(&second, NULL, serve, guest) != 0)
        return EXIT_FAILURE;
    (void)serve(guest);
    pthread_join(second, NULL);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        (void)fprintf(stderr, "usage: %s NAME SPIN_NS\n", argv[0]);
        return 2;
    }
    shmipc_guest_config config = SHMIPC_GUEST_CONFIG_INIT;
    shmipc_peer *guest;
    int64_t spin_ns = strtoll(argv[2], NULL, 10);
    if (spin_ns)
        config.spin_ns = spin_ns < 0 ? 0 : spin_ns;
    if (shmipc_guest_attach(argv[1], &config, SHMIPC_TIMEOUT_DEFAULT, &guest)) {
        (void)fprintf(stderr, "bench: guest: %s\n", shmipc_last_error());
        return EXIT_FAILURE;
    }
    int status = run(guest);
    shmipc_free(guest);
    return status;
}
