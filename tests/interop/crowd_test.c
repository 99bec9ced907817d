/*
 * A host with a single slot for all its guests' calls, a guest in C and one in Go: every thread and
 * every goroutine gets the slot again and again, and none of them waits long. Each of them has to
 * make so many calls, and goes on until all have.
 */
#include "crowd.h"
#include "support/fixture.h"
#include "support/processes.h"

#include <stdio.h>
#include <string.h>

enum { CALLS_EACH = 200 };

/* Callers whose peers have failed do not call for ever. */
#define LASTS_AT_MOST (8 * SECOND)

struct count {
    uint32_t callers;
    uint32_t have; /* have made their calls */
    uint64_t begin;
    uint32_t calls[CROWD_MAX];
};

/* Answers 1 if all callers have, or will never. */
static int count_call(void *context, const shmipc_request *request, shmipc_response *response) {
    struct count *count = context;
    uint32_t number;
    must_equal(request->type, HOST_COUNT);
    must_equal(request->length, sizeof number);
    memcpy(&number, request->data, sizeof number);
    must(number < count->callers);
    if (++count->calls[number] == CALLS_EACH)
        count->have++;
    *(uint8_t *)response->data =
        count->have == count->callers || now_ns() - count->begin > LASTS_AT_MOST;
    response->length = 1;
    return 0;
}

static struct process crowd_start(const char *program, const char *region, uint32_t first,
                                  uint32_t count) {
    char from[16];
    char many[16];
    (void)snprintf(from, sizeof from, "%u", (unsigned)first);
    (void)snprintf(many, sizeof many, "%u", (unsigned)count);
    const char *const arguments[] = {program, region, "crowd", from, many, NULL};
    return process_start(arguments);
}

static void nobody_waits_long(uint32_t threads, uint32_t goroutines) {
    shmipc_host_config config = test_host_config();
    struct count count = {.callers = threads + goroutines, .begin = now_ns()};
    struct region_name name = new_name();
    struct server server;
    shmipc_peer *host;
    config.guest_slots = 1;
    config.spin_ns = SHMIPC_SPIN_AUTO;
    must_equal(shmipc_host_create(name.text, &config, &host), SHMIPC_OK);
    server_start(&server, host, count_call, &count);
    struct process in_c = crowd_start(C_GUEST_PROGRAM, name.text, 0, threads);
    struct process in_go = crowd_start(GO_GUEST_PROGRAM, name.text, threads, goroutines);
    int status_c = process_wait(in_c);
    int status_go = process_wait(in_go);
    must_equal(server_stop(&server), SHMIPC_E_WOKEN);
    shmipc_free(host);
    assert_int_equal(status_c, 0);
    assert_int_equal(status_go, 0);
    assert_int_equal(count.have, count.callers);
}

static void a_thread_and_a_goroutine_have_turns(void **state) {
    (void)state;
    nobody_waits_long(1, 1);
}

static void a_thread_and_many_goroutines_have_turns(void **state) {
    (void)state;
    nobody_waits_long(1, 4);
}

static void many_threads_and_a_goroutine_have_turns(void **state) {
    (void)state;
    nobody_waits_long(8, 1);
}

static void many_threads_and_many_goroutines_have_turns(void **state) {
    (void)state;
    nobody_waits_long(8, 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_thread_and_a_goroutine_have_turns),
        watched_test(a_thread_and_many_goroutines_have_turns),
        watched_test(many_threads_and_a_goroutine_have_turns),
        watched_test(many_threads_and_many_goroutines_have_turns),
    };
    return cmocka_run_group_tests_name("crowd", tests, NULL, NULL);
}
