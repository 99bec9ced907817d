/*
 * The same load on this machine's processors, by the library as it is: callers in this process, as
 * many workers in a child, a slot for each. What scaling.c says of two processors can be checked by
 * it.
 *
 *     experiment_scaling_check CALLERS HANDLER_US [ROUNDS]
 */
#define _GNU_SOURCE
#include "support/clock.h"
#include "support/job.h"
#include "support/linux/fork.h"
#include "support/statistics.h"

#include "shmipc/shmipc.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CALLERS_MOST = 64, ROUNDS_MOST = 100, LINE = 64 };

static const uint64_t warm_up_ns = 30 * MILLISECOND, measured_ns = 60 * MILLISECOND;

static struct settings {
    unsigned callers;
    struct job job;
    char name[64];
} settings;

static struct caller { _Alignas(2 * LINE) _Atomic uint64_t calls; } callers[CALLERS_MOST];

static shmipc_peer *host;
static _Atomic int ends;

static void check(int error) {
    if (error == SHMIPC_OK || error == SHMIPC_E_SHUTDOWN)
        return;
    fprintf(stderr, "check: error %d: %s\n", error, shmipc_last_error());
    exit(1);
}

static int handle(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)context, (void)request;
    response->length = 0;
    if (settings.job.compute_ns > 0)
        job_do(settings.job);
    return 0;
}

static void *serve(void *guest) {
    check(shmipc_serve(guest, handle, NULL));
    return NULL;
}

static void start(pthread_t *thread, void *(*run)(void *argument), void *argument) {
    if (pthread_create(thread, NULL, run, argument) != 0) {
        perror("pthread_create");
        exit(1);
    }
}

static void serve_all(void *context) {
    (void)context;
    pthread_t threads[CALLERS_MOST] = {0};
    shmipc_guest_config config = SHMIPC_GUEST_CONFIG_INIT;
    shmipc_peer *guest;
    check(shmipc_guest_attach(settings.name, &config, SHMIPC_TIMEOUT_DEFAULT, &guest));
    for (unsigned i = 0; i < settings.callers; i++)
        start(&threads[i], serve, guest);
    for (unsigned i = 0; i < settings.callers; i++)
        (void)pthread_join(threads[i], NULL);
    (void)shmipc_close(guest);
}

static void *call(void *argument) {
    struct caller *self = argument;
    while (!atomic_load_explicit(&ends, memory_order_relaxed)) {
        shmipc_request request = {.data = NULL};
        shmipc_response response = {.data = NULL};
        check(shmipc_call(host, &request, &response, SHMIPC_TIMEOUT_DEFAULT));
        const uint64_t calls = atomic_load_explicit(&self->calls, memory_order_relaxed);
        atomic_store_explicit(&self->calls, calls + 1, memory_order_relaxed);
    }
    return NULL;
}

static uint64_t total(void) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < settings.callers; i++)
        sum += atomic_load(&callers[i].calls);
    return sum;
}

static double measure_round(void) {
    sleep_until(now_ns() + warm_up_ns);
    const uint64_t before = total(), begin = now_ns();
    sleep_until(begin + measured_ns);
    return (double)(total() - before) / (double)(now_ns() - begin) * 1e9;
}

/* Each round begins with a new region and new threads, as each of the simulation's cells does. */
static double run_round(void) {
    pthread_t threads[CALLERS_MOST] = {0};
    shmipc_host_config config = SHMIPC_HOST_CONFIG_INIT;
    config.host_slots = settings.callers;
    check(shmipc_host_create(settings.name, &config, &host));
    (void)child_fork(serve_all, NULL);
    check(shmipc_wait_guests(host, 1, SHMIPC_TIMEOUT_DEFAULT));
    atomic_store(&ends, 0);
    for (unsigned i = 0; i < settings.callers; i++)
        start(&threads[i], call, &callers[i]);
    const double speed = measure_round();
    atomic_store(&ends, 1);
    for (unsigned i = 0; i < settings.callers; i++)
        (void)pthread_join(threads[i], NULL);
    check(shmipc_shutdown(host, SHMIPC_TIMEOUT_DEFAULT));
    shmipc_free(host);
    return speed;
}

int main(int count, char **arguments) {
    double speeds[ROUNDS_MOST];
    const int rounds = count > 3 ? atoi(arguments[3]) : 15;
    settings.callers = count > 1 ? (unsigned)atoi(arguments[1]) : 0;
    if (count < 3 || settings.callers < 1 || settings.callers > CALLERS_MOST || rounds < 1 ||
        rounds > ROUNDS_MOST) {
        fprintf(stderr, "usage: %s CALLERS HANDLER_US [ROUNDS]\n", arguments[0]);
        return 1;
    }
    settings.job.compute_ns = (uint32_t)(strtod(arguments[2], NULL) * MICROSECOND);
    (void)snprintf(settings.name, sizeof settings.name, "scaling-check.%ld", (long)getpid());
    job_calibrate();
    for (int i = 0; i < rounds; i++)
        speeds[i] = run_round();
    const double middle = median(speeds, (size_t)rounds);
    const double spread = interquartile_range(speeds, (size_t)rounds);
    printf("%u callers, %s us: %.0f calls/s, spread %.3f\n", settings.callers, arguments[2], middle,
           spread / middle);
    return 0;
}
