/* The guest in C: guest NAME SPIN_NS [WORKERS] (SPIN_NS 0: the library's choice; -1: none. WORKERS:
   how many threads serve; with it handlers do jobs, too). */
#define _GNU_SOURCE
#include "pair.h"

#include "support/job.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { USUAL_WORKERS = 2 };

static int sleep_long(const shmipc_request *request, shmipc_response *response) {
    uint32_t ms;
    if (request->length != sizeof ms)
        return shmipc_fail(response, "a request of %zu bytes", request->length);
    memcpy(&ms, request->data, sizeof ms);
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    nanosleep(&time, NULL);
    return 0;
}

static int echo(const shmipc_request *request, shmipc_response *response) {
    memcpy(response->data, request->data, request->length);
    response->length = request->length;
    return 0;
}

static int work(const shmipc_request *request, shmipc_response *response) {
    struct job job;
    if (request->length < sizeof job)
        return shmipc_fail(response, "a job of %zu bytes", request->length);
    memcpy(&job, request->data, sizeof job);
    job_do(job);
    return echo(request, response);
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
        return echo(request, response);
    case TYPE_SLEEP:
        return sleep_long(request, response);
    case TYPE_COUNT:
        return count(guest, response);
    case TYPE_LENGTH:
        response->length = request->length;
        return 0;
    case TYPE_JOB:
        return work(request, response);
    default:
        return shmipc_fail(response, "unknown type %u", (unsigned)request->type);
    }
}

static void *serve(void *guest) {
    (void)shmipc_serve(guest, handle, guest);
    return NULL;
}

static int run(shmipc_peer *guest, unsigned workers) {
    pthread_t *others = calloc(workers, sizeof *others);
    for (unsigned i = 1; i < workers; i++) {
        if (!others || pthread_create(&others[i], NULL, serve, guest) != 0)
            return EXIT_FAILURE;
    }
    (void)serve(guest);
    for (unsigned i = 1; i < workers; i++)
        pthread_join(others[i], NULL);
    free(others);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv) {
    if (argc != 3 && argc != 4) {
        (void)fprintf(stderr, "usage: %s NAME SPIN_NS [WORKERS]\n", argv[0]);
        return 2;
    }
    shmipc_guest_config config = SHMIPC_GUEST_CONFIG_INIT;
    shmipc_peer *guest;
    int64_t spin_ns = strtoll(argv[2], NULL, 10);
    unsigned workers = argc > 3 ? (unsigned)strtoul(argv[3], NULL, 10) : USUAL_WORKERS;
    if (spin_ns)
        config.spin_ns = spin_ns < 0 ? 0 : spin_ns;
    if (argc > 3)
        job_calibrate();
    if (shmipc_guest_attach(argv[1], &config, SHMIPC_TIMEOUT_DEFAULT, &guest)) {
        (void)fprintf(stderr, "bench: guest: %s\n", shmipc_last_error());
        return EXIT_FAILURE;
    }
    int status = run(guest, workers);
    shmipc_free(guest);
    return status;
}
