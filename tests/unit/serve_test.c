/*
 * shmipc_serve, shmipc_poll and shmipc_wait: which requests are served, how soon, and by which
 * worker.
 */
#include "support/empty_calls.h"
#include "support/fixture.h"

#include "peer/peer.h"
#include "region/slot.h"

#include <string.h>

/* ---- Polling and waiting ---- */

static void polling_serves_the_requests_that_are_there(void **state) {
    (void)state;
    struct pair p;
    pair_open(&p, NULL);
    assert_int_equal(shmipc_poll(p.guest, echo_handler, NULL), 0);
    shmipc_slot a = send_empty(p.host);
    shmipc_slot b = send_empty(p.host);
    assert_int_equal(shmipc_poll(p.guest, echo_handler, NULL), 2);
    assert_int_equal(shmipc_poll(p.guest, echo_handler, NULL), 0);
    assert_int_equal(receive_and_release(a), SHMIPC_OK);
    assert_int_equal(receive_and_release(b), SHMIPC_OK);
    pair_close(&p);
}

static void no_peer_serves_its_own_calls(void **state) {
    (void)state;
    struct pair p;
    pair_open(&p, NULL);
    shmipc_slot a = send_empty(p.host);
    shmipc_slot b = send_empty(p.guest);
    assert_int_equal(shmipc_poll(p.host, echo_handler, NULL), 1);
    assert_int_equal(shmipc_poll(p.host, echo_handler, NULL), 0);
    assert_int_equal(shmipc_poll(p.guest, echo_handler, NULL), 1);
    assert_int_equal(shmipc_poll(p.guest, echo_handler, NULL), 0);
    assert_int_equal(receive_and_release(a), SHMIPC_OK);
    assert_int_equal(receive_and_release(b), SHMIPC_OK);
    pair_close(&p);
}

static void waiting_ends_with_a_request_and_serves_nothing(void **state) {
    (void)state;
    struct pair p;
    struct call_thread call;
    pair_open(&p, NULL);
    assert_int_equal(shmipc_wait(p.guest, 0), SHMIPC_E_TIMEOUT);
    assert_int_equal(shmipc_wait(p.guest, MILLISECOND), SHMIPC_E_TIMEOUT);
    call_start(&call, p.host, SHMIPC_FOREVER);
    assert_int_equal(shmipc_wait(p.guest, SHMIPC_FOREVER), SHMIPC_OK);
    assert_int_equal(shmipc_wait(p.guest, 0), SHMIPC_OK);
    assert_int_equal(shmipc_poll(p.guest, echo_handler, NULL), 1);
    assert_int_equal(call_join(&call), SHMIPC_OK);
    assert_int_equal(shmipc_wait(p.guest, 0), SHMIPC_E_TIMEOUT);
    pair_close(&p);
}

static void arguments_are_checked(void **state) {
    (void)state;
    struct pair p;
    pair_open(&p, NULL);
    assert_int_equal(shmipc_serve(NULL, echo_handler, NULL), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_serve(p.host, NULL, NULL), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_poll(NULL, echo_handler, NULL), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_poll(p.host, NULL, NULL), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_wait(NULL, 0), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_wait(p.host, -2), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_wake(NULL), SHMIPC_E_INVALID);
    pair_close(&p);
}

/* ---- Notifications ---- */

/* An idle server is answered soon: asleep for a while, it must be notified, not wait for its tick.
   */
static void an_idle_server_is_notified(void **state) {
    (void)state;
    enum { ROUNDS = 11 };
    for (int host_serves = 0; host_serves < 2; host_serves++) {
        struct pair p;
        struct server server;
        int soon = 0;
        pair_open(&p, NULL);
        shmipc_peer *responder = host_serves ? p.host : p.guest;
        shmipc_peer *caller = host_serves ? p.guest : p.host;
        server_start(&server, responder, echo_handler, NULL);
        for (int i = 0; i < ROUNDS; i++) {
            eventually(load_seq_cst32(&responder->serves.requests.shared->sleepers) != 0);
            pause_briefly();
            uint64_t begin = now_ns();
            assert_int_equal(shmipc_call(caller, &nothing, NULL, SHMIPC_FOREVER), SHMIPC_OK);
            soon += now_ns() - begin < TICK_NS / 2;
        }
        assert_true(soon > ROUNDS / 2);
        (void)server_stop(&server);
        pair_close(&p);
    }
}

static bool sleeps(shmipc_peer *peer) {
    return (load_seq_cst32(&peer->serves.requests.shared->sleepers) & peer->serves.requests.bit) !=
           0;
}

/* A poller may have died, or be in a handler. The best of a few counts: the machine may be busy.
   */
static void a_poller_that_does_not_look_delays_a_request_but_briefly(void **state) {
    (void)state;
    struct pair p;
    struct server server;
    shmipc_peer *poller;
    uint64_t least = UINT64_MAX;
    pair_open(&p, NULL);
    assert_int_equal(shmipc_guest_attach(p.name.text, NULL, 0, &poller), SHMIPC_OK);
    shmi_eventcount_join_pollers(&poller->serves.requests);
    server_start(&server, p.guest, echo_handler, NULL);
    for (int i = 0; i < 5; i++) {
        eventually(sleeps(p.guest));
        uint64_t begin = now_ns();
        assert_int_equal(shmipc_call(p.host, &nothing, NULL, SHMIPC_FOREVER), SHMIPC_OK);
        least = now_ns() - begin < least ? now_ns() - begin : least;
    }
    assert_in_range(least, 0, 20 * MILLISECOND);
    (void)server_stop(&server);
    shmipc_free(poller);
    pair_close(&p);
}

static void a_request_that_is_only_sent_is_served(void **state) {
    (void)state;
    enum { ROUNDS = 11 };
    struct pair p;
    struct server server;
    int soon = 0;
    pair_open(&p, NULL);
    server_start(&server, p.guest, echo_handler, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        eventually(load_seq_cst32(&p.guest->serves.requests.shared->sleepers) != 0);
        pause_briefly();
        uint64_t begin = now_ns();
        shmipc_slot slot = send_empty(p.host);
        eventually(word_state(slot_look(shared(slot))) == SLOT_RESPONSE);
        soon += now_ns() - begin < TICK_NS / 4;
        assert_int_equal(receive_and_release(slot), SHMIPC_OK);
    }
    assert_true(soon > ROUNDS / 2);
    (void)server_stop(&server);
    pair_close(&p);
}

/* ---- Several workers ---- */

static int counting_handler(void *context, const shmipc_request *request,
                            shmipc_response *response) {
    atomic_uint *runs = context;
    uint32_t id;
    (void)response;
    memcpy(&id, request->data, sizeof id);
    atomic_fetch_add(&runs[id], 1);
    return 0;
}

static void each_request_runs_once_however_many_serve(void **state) {
    (void)state;
    enum { CALLS = 20000, SERVERS = 3 };
    static atomic_uint runs[CALLS];
    struct pair p;
    struct server servers[SERVERS];
    shmipc_stats stats;
    pair_open(&p, NULL);
    for (int i = 0; i < SERVERS; i++)
        server_start(&servers[i], p.guest, counting_handler, runs);
    for (uint32_t id = 0; id < CALLS; id++) {
        const shmipc_request request = {.data = &id, .length = sizeof id};
        assert_int_equal(shmipc_call(p.host, &request, NULL, SHMIPC_FOREVER), SHMIPC_OK);
    }
    for (int i = 0; i < SERVERS; i++)
        assert_int_equal(server_stop(&servers[i]), SHMIPC_E_WOKEN);
    for (uint32_t id = 0; id < CALLS; id++)
        assert_int_equal(atomic_load(&runs[id]), 1);
    assert_int_equal(shmipc_get_stats(p.guest, &stats), SHMIPC_OK);
    assert_int_equal(stats.served, CALLS);
    pair_close(&p);
}

static void a_busy_worker_does_not_hold_up_the_others(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        struct pair p;
        struct server servers[2];
        struct gated gated = {{0}, {0}};
        struct call_thread calls[2];
        pair_open(&p, NULL);
        shmipc_peer *caller = host_calls ? p.host : p.guest;
        for (int i = 0; i < 2; i++)
            server_start(&servers[i], host_calls ? p.guest : p.host, gated_handler, &gated);
        for (int i = 0; i < 2; i++) {
            call_start(&calls[i], caller, SHMIPC_FOREVER);
            gate_await(&gated.entered, (unsigned)i + 1);
        }
        gate_pass(&gated.leave);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(call_join(&calls[i]), SHMIPC_OK);
            (void)server_stop(&servers[i]);
        }
        pair_close(&p);
    }
}

static int nested_handler(void *context, const shmipc_request *request, shmipc_response *response) {
    shmipc_peer *peer = context;
    shmipc_response inner = {.data = response->data, .capacity = response->capacity};
    int error = shmipc_call(peer, request, &inner, SHMIPC_FOREVER);
    response->length = inner.length;
    return error;
}

static void a_handler_may_call_back(void **state) {
    (void)state;
    char answer[64];
    struct pair p;
    struct server at_guest;
    struct server at_host;
    pair_open(&p, NULL);
    server_start(&at_guest, p.guest, nested_handler, p.guest);
    server_start(&at_host, p.host, echo_handler, NULL);
    const shmipc_request request = {.data = "there and back", .length = 14};
    shmipc_response response = {.data = answer, .capacity = sizeof answer};
    assert_int_equal(shmipc_call(p.host, &request, &response, SHMIPC_FOREVER), SHMIPC_OK);
    assert_int_equal(response.length, 14);
    assert_memory_equal(answer, "there and back", 14);
    (void)server_stop(&at_guest);
    (void)server_stop(&at_host);
    pair_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(polling_serves_the_requests_that_are_there),
        watched_test(no_peer_serves_its_own_calls),
        watched_test(waiting_ends_with_a_request_and_serves_nothing),
        watched_test(arguments_are_checked),
        watched_test(an_idle_server_is_notified),
        watched_test(a_poller_that_does_not_look_delays_a_request_but_briefly),
        watched_test(a_request_that_is_only_sent_is_served),
        watched_test(each_request_runs_once_however_many_serve),
        watched_test(a_busy_worker_does_not_hold_up_the_others),
        watched_test(a_handler_may_call_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
