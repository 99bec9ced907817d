/* Handlers, and allocations, that do not return: they throw, or end their thread. */
#include "support/fixture.h"

#include "support/catching.h"

#include "peer/peer.h"

#include <string.h>

/* Those requests are not returned from; all others are answered by their echo. */
enum { FATAL = SHMIPC_TYPE_APPLICATION };

/* ---- The ways not to return ---- */

static int echo_or_throw(void *context, const shmipc_request *request, shmipc_response *response) {
    return request->type == FATAL ? throwing_handler(context, request, response)
                                  : echo_handler(context, request, response);
}

#if defined(__GLIBC__) /* elsewhere the end of a thread unwinds nothing */
static int echo_or_exit(void *context, const shmipc_request *request, shmipc_response *response) {
    if (request->type == FATAL)
        pthread_exit(NULL);
    return echo_handler(context, request, response);
}

static _Noreturn void be_cancelled(void) {
    must_equal(pthread_cancel(pthread_self()), 0);
    pthread_testcancel();
    fixture_die(__FILE__, __LINE__, "not cancelled");
}

static int echo_or_be_cancelled(void *context, const shmipc_request *request,
                                shmipc_response *response) {
    if (request->type == FATAL)
        be_cancelled();
    return echo_handler(context, request, response);
}
#endif

struct way {
    const char *name;
    shmipc_handler handler;
};

static const struct way ways[] = {
    {"an exception", echo_or_throw},
#if defined(__GLIBC__)
    {"pthread_exit", echo_or_exit},
    {"pthread_cancel", echo_or_be_cancelled},
#endif
};

/* ---- Threads that serve ---- */

struct server_thread {
    shmipc_peer *peer;
    shmipc_handler handler;
    shmipc_stop_token *token;
    bool polls;
    pthread_t thread;
};

static void *serve_or_poll(void *context) {
    const struct server_thread *m = context;
    int result = 0;
    if (!m->polls)
        result = serve_and_catch(m->peer, m->handler, NULL, m->token);
    while (m->polls && result >= 0 && result != CAUGHT)
        result = poll_and_catch(m->peer, m->handler, NULL);
    return result == SHMIPC_E_CANCELLED ? context : NULL;
}

static void server_thread_start(struct server_thread *m) {
    m->thread = thread_start(serve_or_poll, m);
}

/* True if it was stopped by its token. */
static bool server_thread_join(struct server_thread *m) {
    void *result;
    must_equal(pthread_join(m->thread, &result), 0);
    return result == m;
}

static void fail_a_call(shmipc_peer *caller) {
    char message[64] = "";
    const shmipc_request request = {.type = FATAL};
    shmipc_response response = {.data = message, .capacity = sizeof message - 1};
    must_equal(shmipc_call(caller, &request, &response, SHMIPC_FOREVER), SHMIPC_E_HANDLER);
    must(strstr(message, "exception") != NULL);
    must_equal(response.length, strlen(message));
}

static void echo_a_call(shmipc_peer *caller) {
    const shmipc_request request = {.data = "on", .length = 2};
    char answer[2];
    shmipc_response response = {.data = answer, .capacity = sizeof answer};
    must_equal(shmipc_call(caller, &request, &response, SHMIPC_FOREVER), SHMIPC_OK);
    must_equal(response.length, 2);
}

/* No thread serves or is counted as serving: a wake is kept for the next one. */
static void expect_nobody(shmipc_peer *peer) {
    must_equal(load_seq_cst32(&peer->serving.poller), 0);
    must_equal(load_seq_cst32(&peer->life.users), 0);
    must_equal(load_seq_cst32(&peer->life.holders), 1);
    must(!eventcount_has_pollers(&peer->serves.requests));
    must_equal(load_seq_cst32(&peer->serving.long_handlers.now), 0);
    for (uint32_t i = 0; i < peer->serves.count; i++)
        must_equal(load_seq_cst32(&peer->slots[peer->serves.first + i].service.keepers), 0);
    must_equal(shmipc_wake(peer), SHMIPC_OK);
    must_equal(shmipc_serve(peer, echo_handler, NULL), SHMIPC_E_WOKEN);
}

/* ---- Tests ---- */

/* In a handler that was expected to be long, or not. */
static void leave_by(const struct way *way, bool host_calls, bool polls, bool is_long) {
    struct pair pair;
    shmipc_stop_token token = SHMIPC_STOP_TOKEN_INIT;
    pair_open(&pair, NULL);
    shmipc_peer *caller = host_calls ? pair.host : pair.guest;
    shmipc_peer *callee = host_calls ? pair.guest : pair.host;
    for (int i = 0; i < 3; i++) {
        struct server_thread m = {
            .peer = callee, .handler = way->handler, .token = &token, .polls = polls};
        if (is_long)
            shmi_duration_learn_long(&callee->serving.durations, FATAL);
        server_thread_start(&m);
        echo_a_call(caller);
        fail_a_call(caller);
        assert_false(server_thread_join(&m));
        expect_nobody(callee);
    }
    shmipc_stop(&token); /* wakes none of the waiters that are gone */
    assert_int_equal(shmipc_shutdown(callee, SHMIPC_FOREVER), SHMIPC_OK);
    pair_close(&pair);
}

static void a_handler_that_does_not_return_fails_its_call_and_nothing_else(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        for (int n = 0; n < 8; n++)
            leave_by(&ways[i], n % 2 == 0, n / 2 % 2 == 0, n / 4 == 0);
    }
}

/* Whichever of the two it is that ends, as the poller or while it stood by. */
static void another_server_goes_on(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        struct pair pair;
        struct server_thread members[2];
        shmipc_stop_token token = SHMIPC_STOP_TOKEN_INIT;
        pair_open(&pair, NULL);
        for (int n = 0; n < 2; n++) {
            members[n] = (struct server_thread){
                .peer = pair.guest, .handler = ways[i].handler, .token = &token};
            server_thread_start(&members[n]);
        }
        for (int n = 0; n < 10; n++)
            echo_a_call(pair.host);
        fail_a_call(pair.host);
        for (int n = 0; n < 10; n++)
            echo_a_call(pair.host);
        shmipc_stop(&token);
        int stopped = server_thread_join(&members[0]);
        stopped += server_thread_join(&members[1]);
        assert_int_equal(stopped, 1);
        expect_nobody(pair.guest);
        pair_close(&pair);
    }
}

static int serve_another(void *context, const shmipc_request *request, shmipc_response *response) {
    struct pair *inner = context;
    (void)request;
    (void)response;
    must_equal(serve_and_catch(inner->guest, echo_or_throw, NULL, NULL), CAUGHT);
    must_equal(shmipc_close(inner->guest), SHMIPC_OK); /* no longer of this thread's */
    return 0;
}

/* A handler serves another peer, and catches what that one's handler throws. */
static void an_exception_passes_the_server_that_it_is_of(void **state) {
    (void)state;
    struct pair outer, inner;
    struct call_thread call;
    struct server server;
    pair_open(&outer, NULL);
    pair_open(&inner, NULL);
    server_start(&server, outer.guest, serve_another, &inner);
    call_start(&call, outer.host, SHMIPC_FOREVER);
    fail_a_call(inner.host);
    assert_int_equal(call_join(&call), SHMIPC_OK);
    server_stop(&server);
    pair_close(&inner);
    pair_close(&outer);
}

static void an_allocation_that_throws_costs_no_slot(void **state) {
    (void)state;
    struct pair pair;
    struct server server;
    const shmipc_request request = {.data = "long", .length = 4};
    pair_open(&pair, NULL);
    server_start(&server, pair.guest, echo_handler, NULL);
    for (int i = 0; i < 5; i++) {
        shmipc_response response = {.allocate = throwing_allocate};
        assert_int_equal(call_and_catch(pair.host, &request, &response, 10 * SECOND), CAUGHT);
    }
    assert_int_equal(shmi_peer_occupants(pair.host).slots, 0);
#if !defined(_WIN32)
    int cancellation;
    assert_int_equal(pthread_setcancelstate(PTHREAD_CANCEL_ENABLE, &cancellation), 0);
    assert_int_equal(cancellation, PTHREAD_CANCEL_ENABLE);
#endif
    server_stop(&server);
    pair_close(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_handler_that_does_not_return_fails_its_call_and_nothing_else),
        watched_test(another_server_goes_on),
        watched_test(an_exception_passes_the_server_that_it_is_of),
        watched_test(an_allocation_that_throws_costs_no_slot),
    };
    return cmocka_run_group_tests_name("unwind", tests, NULL, NULL);
}
