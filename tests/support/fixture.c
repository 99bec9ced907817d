#define _GNU_SOURCE
#include "support/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- Checks ---- */

void fixture_die(const char *file, int line, const char *text) {
    (void)fprintf(stderr, "%s:%d: %s (last error: %s)\n", file, line, text, shmipc_last_error());
    (void)fflush(stderr);
    abort();
}

void fixture_equal(const char *file, int line, const char *what, long long actual,
                   long long expected) {
    char text[300];
    if (actual == expected)
        return;
    (void)snprintf(text, sizeof text, "%s is %lld, expected %lld", what, actual, expected);
    fixture_die(file, line, text);
}

/* ---- Time ---- */

uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

void pause_briefly(void) {
    const struct timespec pause = {.tv_nsec = 50000};
    nanosleep(&pause, NULL);
}

static int regions_before;

int watched_setup(void **state) {
    (void)state;
    watchdog_start("a test", 60);
    regions_before = count_regions();
    return 0;
}

int watched_teardown(void **state) {
    (void)state;
    watchdog_stop();
    return count_regions() - regions_before;
}

/* ---- Regions ---- */

/* Of this program, and the children that it forks, since they count too. The time keeps apart what
   an aborted run of the same process id has left behind. */
void name_prefix(char prefix[static 48]) {
    static atomic_long program;
    static atomic_ullong begin;
    long nobody = 0;
    unsigned long long unset = 0;
    atomic_compare_exchange_strong(&program, &nobody, (long)getpid());
    atomic_compare_exchange_strong(&begin, &unset, now_ns());
    (void)snprintf(prefix, 48, "test-%ld-%llx-", atomic_load(&program), atomic_load(&begin));
}

struct region_name new_name(void) {
    static atomic_uint next;
    struct region_name name;
    char prefix[48];
    name_prefix(prefix);
    (void)snprintf(name.text, sizeof name.text, "%s%ld-%u", prefix, (long)getpid(),
                   atomic_fetch_add(&next, 1));
    return name;
}

shmipc_host_config test_host_config(void) {
    shmipc_host_config config = SHMIPC_HOST_CONFIG_INIT;
    config.host_slots = 2;
    config.guest_slots = 2;
    config.request_capacity = 1000;
    config.response_capacity = 500;
    config.spin_ns = 0;
    return config;
}

shmipc_guest_config test_guest_config(void) {
    shmipc_guest_config config = SHMIPC_GUEST_CONFIG_INIT;
    config.spin_ns = 0;
    return config;
}

void pair_open(struct pair *pair, const shmipc_host_config *config) {
    const shmipc_host_config defaults = test_host_config();
    const shmipc_guest_config guest = test_guest_config();
    pair->name = new_name();
    must_equal(shmipc_host_create(pair->name.text, config ? config : &defaults, &pair->host), 0);
    must_equal(shmipc_guest_attach(pair->name.text, &guest, SECOND, &pair->guest), 0);
}

void pair_close(struct pair *pair) {
    shmipc_free(pair->guest);
    shmipc_free(pair->host);
}

shmipc_slot must_claim(shmipc_peer *peer, int64_t timeout) {
    shmipc_slot slot;
    must_equal(shmipc_slot_claim(peer, timeout, &slot), SHMIPC_OK);
    return slot;
}

void must_release(shmipc_slot slot) {
    must_equal(shmipc_slot_release(slot), SHMIPC_OK);
}

/* ---- Threads ---- */

pthread_t thread_start(void *(*body)(void *), void *context) {
    pthread_t thread;
    must_equal(pthread_create(&thread, NULL, body, context), 0);
    return thread;
}

void thread_join(pthread_t thread) {
    must_equal(pthread_join(thread, NULL), 0);
}

static void *serve(void *context) {
    struct server *server = context;
    do {
        server->result = shmipc_serve(server->peer, server->handler, server->context);
    } while (server->result == SHMIPC_E_WOKEN && !atomic_load(&server->stopping));
    atomic_store(&server->done, true);
    return NULL;
}

void server_start(struct server *server, shmipc_peer *peer, shmipc_handler handler, void *context) {
    *server = (struct server){.peer = peer, .handler = handler, .context = context};
    server->thread = thread_start(serve, server);
}

/* One wake may find the thread still on its way into shmipc_serve while another one serves. */
int server_stop(struct server *server) {
    atomic_store(&server->stopping, true);
    while (!atomic_load(&server->done)) {
        (void)shmipc_wake(server->peer);
        pause_briefly();
    }
    return server_join(server);
}

int server_join(struct server *server) {
    thread_join(server->thread);
    return server->result;
}

int echo_handler(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)context;
    response->type = request->type;
    response->length = request->length;
    if (request->length > 0 && request->length <= response->capacity)
        memcpy(response->data, request->data, request->length);
    return 0;
}

static void *call(void *context) {
    const shmipc_request nothing = {.data = NULL};
    struct call_thread *self = context;
    self->result = shmipc_call(self->peer, &nothing, NULL, self->timeout);
    return NULL;
}

void call_start(struct call_thread *call_thread, shmipc_peer *peer, int64_t timeout) {
    *call_thread = (struct call_thread){.peer = peer, .timeout = timeout};
    call_thread->thread = thread_start(call, call_thread);
}

int call_join(struct call_thread *call_thread) {
    thread_join(call_thread->thread);
    return call_thread->result;
}

/* ---- Gates ---- */

void gate_pass(struct gate *gate) {
    atomic_fetch_add(&gate->passed, 1);
}

void gate_await(const struct gate *gate, unsigned count) {
    eventually(atomic_load(&gate->passed) >= count);
}

int gated_handler(void *context, const shmipc_request *request, shmipc_response *response) {
    struct gated *gated = context;
    unsigned turn = atomic_load(&gated->leave.passed);
    gate_pass(&gated->entered);
    gate_await(&gated->leave, turn + 1);
    return echo_handler(NULL, request, response);
}

/* ---- Payloads ---- */

static uint8_t pattern_byte(uint64_t seed, size_t position) {
    uint64_t mixed = (seed + position / 8 + 1) * UINT64_C(0x9e3779b97f4a7c15);
    return (uint8_t)(mixed >> (position % 8 * 8));
}

void pattern_fill(void *data, size_t length, uint64_t seed) {
    uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++)
        bytes[i] = pattern_byte(seed, i);
}

bool pattern_holds(const void *data, size_t length, uint64_t seed) {
    const uint8_t *bytes = data;
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != pattern_byte(seed, i))
            return false;
    }
    return true;
}
