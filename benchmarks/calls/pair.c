#define _GNU_SOURCE
#include "pair.h"

#include "support/child.h"
#include "support/clock.h"
#include "support/placement.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *program_directory = ".";

void set_program_directory(const char *directory) {
    program_directory = directory;
}

char *program_path(const char *name) {
    char *path;
    if (asprintf(&path, "%s/%s", program_directory, name) < 0)
        die("memory");
    return path;
}

void check(int error) {
    if (error) {
        (void)fprintf(stderr, "bench: %s\n", shmipc_last_error());
        exit(EXIT_FAILURE);
    }
}

/* When a guest in Go has slept for 10 ms, its runtime's monitor looks around fifty times, every
   70 us, and then ever more seldom. Where a call keeps both processors busy, each time takes 10 us
   of it. */
uint64_t pair_run_in(const struct pair *pair) {
    return strcmp(pair->guest, "go") == 0 ? 8 * MILLISECOND : 0;
}

static void start_guests(struct pair *pair, const char *name, struct pair_config config) {
    char spin[32], workers[16];
    const char *usual = strcmp(pair->guest, "go") == 0 ? "bench_guest" : "bench_guest_c";
    char *program = program_path(config.program ? config.program : usual);
    (void)snprintf(spin, sizeof spin, "%lld", (long long)config.spin_ns);
    (void)snprintf(workers, sizeof workers, "%u", config.workers);
    for (unsigned i = 0; i < pair->count; i++)
        pair->guests[i] = child_program(
            (char *[]){program, (char *)name, spin, config.workers ? workers : NULL, NULL});
    free(program);
}

struct region_name pair_name(void) {
    static unsigned number;
    struct region_name name;
    (void)snprintf(name.text, sizeof name.text, "bench.%ld.%u", (long)getpid(), number++);
    return name;
}

shmipc_host_config pair_host_config(struct pair_config config) {
    shmipc_host_config settings = SHMIPC_HOST_CONFIG_INIT;
    if (config.slots)
        settings.host_slots = config.slots;
    if (config.capacity)
        settings.request_capacity = settings.response_capacity = config.capacity;
    if (config.spin_ns)
        settings.spin_ns = config.spin_ns < 0 ? 0 : config.spin_ns;
    return settings;
}

struct pair pair_of(shmipc_peer *host, struct region_name name, struct pair_config config) {
    struct pair pair = {
        .host = host, .guest = config.guest, .count = config.guests ? config.guests : 1};
    start_guests(&pair, name.text, config);
    check(shmipc_wait_guests(pair.host, pair.count, SHMIPC_TIMEOUT_DEFAULT));
    pin_again(pair.guests, pair.count);
    return pair;
}

void pair_wait(const struct pair *pair) {
    for (unsigned i = 0; i < pair->count; i++)
        child_wait(pair->guests[i]);
}

struct pair pair_start(struct pair_config config) {
    const shmipc_host_config settings = pair_host_config(config);
    struct region_name name = pair_name();
    shmipc_peer *host;
    pin_later();
    check(shmipc_host_create(name.text, &settings, &host));
    return pair_of(host, name, config);
}

void pair_stop(struct pair *pair) {
    check(shmipc_shutdown(pair->host, SHMIPC_TIMEOUT_DEFAULT));
    shmipc_free(pair->host);
    pair_wait(pair);
}

struct pairs pairs_start(struct pair_config config) {
    struct pairs pairs;
    config.guest = "c";
    pairs.c = pair_start(config);
    config.guest = "go";
    pairs.go = pair_start(config);
    return pairs;
}

void pairs_stop(struct pairs *pairs) {
    pair_stop(&pairs->c);
    pair_stop(&pairs->go);
}

uint64_t pair_system_calls(const struct pair *pair) {
    shmipc_stats stats;
    uint64_t guests = 0;
    const shmipc_request request = {.type = TYPE_COUNT};
    shmipc_response response = {.data = &guests, .capacity = sizeof guests};
    check(shmipc_get_stats(pair->host, &stats));
    check(shmipc_call(pair->host, &request, &response, SHMIPC_TIMEOUT_DEFAULT));
    return guests + stats.parks + stats.wakes;
}
