/* Each error of shmipc.h is met once, and says what is wrong; failures of handlers; the log. */
#define _GNU_SOURCE
#include "hazard/peers.h"

#include "wire/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Each error once ---- */

static bool met[64];

/* A code, a sentence of its own that names `detail`, and the same code in the error's text. */
static void expect(int actual, int code, const char *detail) {
    must_equal(actual, code);
    must(shmipc_last_error()[0] != 0);
    if (strstr(shmipc_last_error(), detail) == NULL)
        fixture_die(__FILE__, __LINE__, detail);
    must(strcmp(shmipc_strerror(code), shmipc_strerror(-1000)) != 0);
    met[-code] = true;
}

static int call(shmipc_peer *peer, uint32_t type, size_t length, int64_t timeout) {
    static const uint8_t bytes[2000];
    uint8_t answer[500];
    const shmipc_request request = {.data = bytes, .length = length, .type = type};
    shmipc_response response = {.data = answer, .capacity = sizeof answer};
    return shmipc_call(peer, &request, &response, timeout);
}

static void put_file(const char *name, const void *bytes, size_t size, mode_t mode) {
    char path[256];
    path_of(name, path);
    (void)unlink(path);
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    must(fd >= 0);
    must_equal(write(fd, bytes, size), (ssize_t)size);
    must_equal(close(fd), 0);
}

static void remove_file(const char *name) {
    char path[256];
    path_of(name, path);
    must_equal(unlink(path), 0);
}

static int attach(const char *name, int64_t timeout) {
    shmipc_peer *peer;
    return shmipc_guest_attach(name, NULL, timeout, &peer);
}

static void meet_bad_arguments(void) {
    shmipc_host_config config = test_host_config();
    shmipc_peer *peer;
    config.request_capacity = SHMIPC_CAPACITY_MAX + 1;
    expect(shmipc_host_create("x", &config, &peer), SHMIPC_E_INVALID, "1073741825");
    expect(shmipc_host_create("a/b", NULL, &peer), SHMIPC_E_NAME, "0x2f");
    expect(shmipc_host_create("", NULL, &peer), SHMIPC_E_NAME, "0 bytes");
    expect(attach("x", -2), SHMIPC_E_INVALID, "-2");
}

static void meet_bad_files(void) {
    static uint64_t header[8];
    struct region_name name = new_name();
    expect(attach(name.text, 0), SHMIPC_E_NOT_FOUND, name.text);
    put_file(name.text, header, 10, 0600);
    expect(attach(name.text, 0), SHMIPC_E_TRUNCATED, "10");
    put_file(name.text, header, sizeof header, 0600);
    expect(attach(name.text, 0), SHMIPC_E_NOT_READY, name.text);
    header[0] = 1;
    put_file(name.text, header, sizeof header, 0600);
    expect(attach(name.text, 0), SHMIPC_E_NOT_A_REGION, name.text);
    header[0] = UINT64_C(0x53484d4950430d0a);
    put_file(name.text, header, sizeof header, 0600);
    expect(attach(name.text, 0), SHMIPC_E_BYTE_ORDER, "byte order");
    header[0] = UINT64_C(0x0a0d4350494d4853);
    header[3] = 77; /* the version */
    header[7] = UINT64_C(1) << 32;
    put_file(name.text, header, sizeof header, 0600);
    expect(attach(name.text, 0), SHMIPC_E_VERSION, "77");
    header[3] = PROTOCOL_VERSION;
    put_file(name.text, header, sizeof header, 0600);
    expect(attach(name.text, 0), SHMIPC_E_CORRUPT, name.text);
    put_file(name.text, header, sizeof header, 0600);
    char path[256];
    path_of(name.text, path);
    must_equal(chmod(path, 0644), 0);
    expect(attach(name.text, 0), SHMIPC_E_DENIED, "644");
    remove_file(name.text);
}

static void meet_names_taken(void) {
    shmipc_peer *guests[SHMIPC_GUESTS_MAX];
    struct region_name name = new_name();
    shmipc_peer *host;
    shmipc_peer *other;
    must_equal(shmipc_host_create(name.text, NULL, &host), 0);
    expect(shmipc_host_create(name.text, NULL, &other), SHMIPC_E_NAME_IN_USE, name.text);
    for (int i = 0; i < SHMIPC_GUESTS_MAX; i++)
        must_equal(shmipc_guest_attach(name.text, NULL, SECOND, &guests[i]), 0);
    expect(attach(name.text, 0), SHMIPC_E_FULL, "15");
    for (int i = 0; i < SHMIPC_GUESTS_MAX; i++)
        shmipc_free(guests[i]);
    expect(call(host, 0, 0, SECOND), SHMIPC_E_NO_PEER, "never started");
    shmipc_free(host);
}

static int meet_the_limit_of_descriptors(void *context) {
    const struct rlimit none = {0, 0};
    shmipc_peer *host;
    (void)context;
    must_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    expect(shmipc_host_create("x", NULL, &host), SHMIPC_E_NO_DESCRIPTORS, "open");
    must_equal(shmipc_last_os_error(), EMFILE);
    return 0;
}

static void meet_the_limit_of_memory(void) {
    shmipc_host_config config = SHMIPC_HOST_CONFIG_INIT;
    shmipc_peer *host;
    config.host_slots = SHMIPC_SLOTS_MAX;
    config.request_capacity = SHMIPC_CAPACITY_MAX;
    config.response_capacity = SHMIPC_CAPACITY_MAX;
    expect(shmipc_host_create(new_name().text, &config, &host), SHMIPC_E_NO_SPACE, "bytes");
    must_equal(shmipc_last_os_error(), ENOSPC);
}

/* The handler of the types below. */
enum { STAY = 200, FAIL, TOO_MUCH };

struct stage {
    struct gate entered;
    struct gate go_on;
};

static int play(void *context, const shmipc_request *request, shmipc_response *response) {
    struct stage *stage = context;
    switch (request->type) {
    case STAY:
        gate_pass(&stage->entered);
        gate_await(&stage->go_on, 1);
        return 0;
    case FAIL:
        return shmipc_fail(response, "no such key: %s", "fish");
    case TOO_MUCH:
        response->length = 513;
        return 0;
    default:
        return 0;
    }
}

static void meet_errors_of_calls(void) {
    struct stage stage = {.entered = {0}};
    struct pair pair;
    struct server server;
    shmipc_slot slot;
    shmipc_response view;
    pair_open(&pair, NULL);
    expect(call(pair.host, 0, 1025, SECOND), SHMIPC_E_TOO_LARGE, "1025");
    expect(call(pair.host, 5, 0, SECOND), SHMIPC_E_TYPE, "5");
    expect(call(pair.host, 0, 0, MILLISECOND), SHMIPC_E_TIMEOUT, "1000000 ns");
    must_equal(shmipc_slot_claim(pair.host, SECOND, &slot), 0);
    must_equal(shmipc_slot_send(slot, 0, 0, 0), 0);
    must_equal(shmipc_slot_cancel(slot), 0);
    expect(shmipc_slot_receive(slot, SECOND, &view), SHMIPC_E_CANCELLED, "never started");
    expect(shmipc_slot_ready(slot), SHMIPC_E_STALE, "released");
    must_equal(shmipc_slot_claim(pair.host, SECOND, &slot), 0);
    expect(shmipc_slot_receive(slot, SECOND, &view), SHMIPC_E_STATE, "no request");
    must_equal(shmipc_wake(pair.guest), 0);
    expect(shmipc_serve(pair.guest, play, &stage), SHMIPC_E_WOKEN, "shmipc_wake");

    server_start(&server, pair.guest, play, &stage);
    expect(call(pair.host, FAIL, 0, 20 * SECOND), SHMIPC_E_HANDLER, "no such key: fish");
    expect(call(pair.host, TOO_MUCH, 0, 20 * SECOND), SHMIPC_E_TOO_LARGE, "513");
    must_equal(shmipc_slot_send(slot, STAY, 0, 0), 0);
    gate_await(&stage.entered, 1);
    must_equal(shmipc_slot_cancel(slot), 0);
    expect(shmipc_slot_receive(slot, SECOND, &view), SHMIPC_E_CANCELLED_STARTED, "had started");
    gate_pass(&stage.go_on);
    must_equal(shmipc_ping(pair.host, 20 * SECOND, NULL), 0);
    stage = (struct stage){.entered = {0}};
    must_equal(shmipc_slot_claim(pair.host, SECOND, &slot), 0);
    must_equal(shmipc_slot_send(slot, STAY, 0, 0), 0);
    gate_await(&stage.entered, 1);
    expect(shmipc_slot_receive(slot, MILLISECOND, &view), SHMIPC_E_TIMEOUT_STARTED, "had started");
    gate_pass(&stage.go_on);
    must_equal(server_stop(&server), SHMIPC_E_WOKEN);
    pair_close(&pair);
}

static void *close_peer(void *context) {
    shmipc_close(context);
    return NULL;
}

static void meet_errors_of_leaving(void) {
    struct stage stage = {.entered = {0}};
    struct pair pair;
    struct server server;
    shmipc_slot slot;
    shmipc_response view;
    pair_open(&pair, NULL);
    server_start(&server, pair.guest, play, &stage);
    must_equal(shmipc_slot_claim(pair.host, SECOND, &slot), 0);
    must_equal(shmipc_slot_send(slot, STAY, 0, 0), 0);
    gate_await(&stage.entered, 1);
    pthread_t closer = thread_start(close_peer, pair.host);
    expect(shmipc_slot_receive(slot, 20 * SECOND, &view), SHMIPC_E_CLOSED_STARTED, "closed");
    thread_join(closer);
    expect(call(pair.host, 0, 0, SECOND), SHMIPC_E_CLOSED, "closed");
    gate_pass(&stage.go_on);
    must_equal(server_join(&server) < 0, 1);
    expect(call(pair.guest, 0, 0, SECOND), SHMIPC_E_SHUTDOWN, "shutting down");
    pair_close(&pair);
}

static int die_in_a_handler(void *context, const shmipc_request *request,
                            shmipc_response *response) {
    (void)context;
    (void)request;
    (void)response;
    _exit(0);
}

static int guest_that_dies(void *context) {
    shmipc_peer *guest;
    must_equal(shmipc_guest_attach(context, NULL, SECOND, &guest), 0);
    return shmipc_serve(guest, die_in_a_handler, NULL);
}

static void meet_a_death(void) {
    struct region_name name = new_name();
    shmipc_peer *host;
    must_equal(shmipc_host_create(name.text, NULL, &host), 0);
    pid_t child = child_start(guest_that_dies, name.text);
    must_equal(shmipc_wait_guests(host, 1, 20 * SECOND), 0);
    expect(call(host, 0, 0, 20 * SECOND), SHMIPC_E_PEER_DIED, "died");
    must_equal(child_wait(child), 0);
    shmipc_free(host);
}

static void meet_a_lost_name(void) {
    struct region_name name = new_name();
    char path[256];
    shmipc_peer *host;
    must_equal(shmipc_host_create(name.text, NULL, &host), 0);
    path_of(name.text, path);
    must_equal(unlink(path), 0);
    expect(shmipc_wait(host, 20 * SECOND), SHMIPC_E_NAME_LOST, "name");
    shmipc_free(host);
}

static void test_each_error_is_met_once_and_says_what_is_wrong(void **state) {
    (void)state;
    meet_bad_arguments();
    meet_bad_files();
    meet_names_taken();
    must_equal(child_wait(child_start(meet_the_limit_of_descriptors, NULL)), 0);
    met[-SHMIPC_E_NO_DESCRIPTORS] = true;
    meet_the_limit_of_memory();
    meet_errors_of_calls();
    meet_errors_of_leaving();
    meet_a_death();
    meet_a_lost_name();
    /* Met where the system's calls are made to fail: steps_test.c. */
    met[-SHMIPC_E_NO_MEMORY] = true;
    met[-SHMIPC_E_SYSTEM] = true;
    met[-SHMIPC_E_NOT_SUPPORTED] = true;
    for (int code = 1; code <= -SHMIPC_E_NAME_LOST; code++) {
        if (!met[code])
            fixture_die(__FILE__, __LINE__, shmipc_strerror(-code));
    }
}

/* ---- Failures of handlers ---- */

static void expect_failure(shmipc_peer *host, const char *text) {
    char message[500];
    const shmipc_request request = {.type = FAIL};
    shmipc_response response = {.data = message, .capacity = sizeof message};
    must_equal(shmipc_call(host, &request, &response, 20 * SECOND), SHMIPC_E_HANDLER);
    must_equal(response.length, strlen(text));
    must_equal(memcmp(message, text, response.length), 0);
    must(strstr(shmipc_last_error(), text) != NULL);
}

/* A failure without a word is not taken for an empty success either. */
static int fail_silently(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)response;
    return request->type == FAIL ? 1 : echo_handler(context, request, response);
}

static void test_a_failed_handler_is_an_error_and_its_worker_goes_on(void **state) {
    struct stage stage = {.entered = {0}};
    struct pair pair;
    struct server server;
    (void)state;
    pair_open(&pair, NULL);
    server_start(&server, pair.guest, play, &stage);
    for (int i = 0; i < 100; i++) {
        expect_failure(pair.host, "no such key: fish");
        must_equal(call(pair.host, 0, 0, 20 * SECOND), 0);
    }
    must_equal(server_stop(&server), SHMIPC_E_WOKEN);
    server_start(&server, pair.guest, fail_silently, NULL);
    expect_failure(pair.host, "");
    must_equal(call(pair.host, 0, 0, 20 * SECOND), 0);
    must_equal(server_stop(&server), SHMIPC_E_WOKEN);
    pair_close(&pair);
}

/* ---- The log ---- */

struct log {
    atomic_uint lines;
    atomic_int worst;
    char last[256];
};

static void note(void *context, shmipc_log_level level, const char *text) {
    struct log *log = context;
    atomic_fetch_add(&log->lines, 1);
    if ((int)level > atomic_load(&log->worst))
        atomic_store(&log->worst, (int)level);
    must(strchr(text, '\n') == NULL && text[0] != 0);
    (void)snprintf(log->last, sizeof log->last, "%s", text);
}

_Noreturn static int guest_that_is_killed(void *context) {
    shmipc_peer *guest;
    must_equal(shmipc_guest_attach(context, NULL, SECOND, &guest), 0);
    for (;;)
        pause();
}

static void test_the_log_hears_of_deaths_but_not_of_calls(void **state) {
    struct region_name name = new_name();
    shmipc_host_config config = test_host_config();
    struct log log = {.lines = 0};
    shmipc_guest_config guest_config = test_guest_config();
    struct server server;
    shmipc_peer *host;
    shmipc_peer *guest;
    shmipc_event event;
    (void)state;
    config.log = note;
    config.log_context = &log;
    must_equal(shmipc_host_create(name.text, &config, &host), 0);
    must_equal(shmipc_guest_attach(name.text, &guest_config, SECOND, &guest), 0);
    server_start(&server, guest, echo_handler, NULL);
    must_equal(shmipc_ping(host, 20 * SECOND, NULL), 0);
    unsigned before = atomic_load(&log.lines);
    for (int i = 0; i < 1000; i++)
        must_equal(call(host, 0, 100, 20 * SECOND), 0);
    must_equal(atomic_load(&log.lines), before);
    pid_t child = child_start(guest_that_is_killed, name.text);
    do {
        must_equal(shmipc_next_event(host, 20 * SECOND, &event), 0);
    } while (event.pid != (uint32_t)child);
    child_kill(child);
    must_equal(shmipc_next_event(host, 20 * SECOND, &event), 0);
    must_equal(event.kind, SHMIPC_EVENT_DIED);
    must(atomic_load(&log.lines) > before);
    must(atomic_load(&log.worst) >= SHMIPC_LOG_WARN);
    must(strstr(log.last, "died") != NULL);
    must_equal(server_stop(&server), SHMIPC_E_WOKEN);
    shmipc_free(guest);
    shmipc_free(host);
}

HAZARD_MAIN("errors", hazard_test(test_each_error_is_met_once_and_says_what_is_wrong),
            hazard_test(test_a_failed_handler_is_an_error_and_its_worker_goes_on),
            hazard_test(test_the_log_hears_of_deaths_but_not_of_calls))
