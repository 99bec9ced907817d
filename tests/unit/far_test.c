/* Time-outs so long that adding them to the time would overflow: every wait goes on until what it
   waits for comes. */
#define _GNU_SOURCE
#include "support/fixture.h"

#include <string.h>
#include <time.h>

static const int64_t far_ahead[] = {INT64_MAX, INT64_MAX - 1, INT64_MAX - SECOND};

static void pass_5_ms(void) {
    const struct timespec pause = {0, 5 * MILLISECOND};
    (void)nanosleep(&pause, NULL);
}

static int answer_after_5_ms(void *context, const shmipc_request *request,
                             shmipc_response *response) {
    pass_5_ms();
    return echo_handler(context, request, response);
}

/* An operation that waits, in a thread of its own. */
struct waiting {
    pthread_t thread;
    int (*operation)(const struct waiting *waiting);
    shmipc_peer *peer;
    shmipc_slot slot;
    const char *name;
    int64_t timeout;
    int result;
};

static void *wait_there(void *context) {
    struct waiting *w = context;
    w->result = w->operation(w);
    return NULL;
}

/* What `meanwhile` does ends the wait, 5 ms after it began. */
static void wait_for(struct waiting *w, void (*meanwhile)(void *context), void *context) {
    w->thread = thread_start(wait_there, w);
    pass_5_ms();
    meanwhile(context);
    thread_join(w->thread);
}

/* ---- Calls ---- */

static int call(shmipc_peer *peer, int64_t timeout) {
    char answer[5];
    const shmipc_request request = {.data = "hello", .length = 5};
    shmipc_response response = {.data = answer, .capacity = sizeof answer};
    return shmipc_call(peer, &request, &response, timeout);
}

static void call_in_every_way(shmipc_peer *peer, int64_t timeout) {
    const shmipc_request request = {.data = "hello", .length = 5};
    shmipc_response view;
    shmipc_slot slot;
    size_t which = 0;
    char answer[5];
    shmipc_response response = {.data = answer, .capacity = sizeof answer};
    assert_int_equal(call(peer, timeout), SHMIPC_OK);
    assert_int_equal(shmipc_ping(peer, timeout, NULL), SHMIPC_OK);
    assert_int_equal(shmipc_slot_claim(peer, timeout, &slot), SHMIPC_OK);
    assert_int_equal(shmipc_slot_call(slot, &request, &response, timeout), SHMIPC_OK);
    assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    assert_int_equal(shmipc_slot_receive(slot, timeout, &view), SHMIPC_OK);
    assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    assert_int_equal(shmipc_slot_wait_any(&slot, 1, timeout, &which), SHMIPC_OK);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
}

static void far_time_outs_end_no_call(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof far_ahead / sizeof *far_ahead; i++) {
        struct server on_guest;
        struct server on_host;
        struct pair pair;
        pair_open(&pair, NULL);
        server_start(&on_guest, pair.guest, answer_after_5_ms, NULL);
        server_start(&on_host, pair.host, answer_after_5_ms, NULL);
        call_in_every_way(pair.host, far_ahead[i]);
        call_in_every_way(pair.guest, far_ahead[i]);
        assert_int_equal(server_stop(&on_guest), SHMIPC_E_WOKEN);
        assert_int_equal(server_stop(&on_host), SHMIPC_E_WOKEN);
        pair_close(&pair);
    }
}

/* ---- Other waits ---- */

static int claim(const struct waiting *w) {
    shmipc_slot slot;
    int error = shmipc_slot_claim(w->peer, w->timeout, &slot);
    return error ? error : shmipc_slot_release(slot);
}

static int wait_for_a_request(const struct waiting *w) {
    return shmipc_wait(w->peer, w->timeout);
}

static int hear_of_another_guest(const struct waiting *w) {
    shmipc_event event;
    return shmipc_next_event(w->peer, w->timeout, &event);
}

static int wait_for_two_guests(const struct waiting *w) {
    return shmipc_wait_guests(w->peer, 2, w->timeout);
}

static int shut_down(const struct waiting *w) {
    return shmipc_shutdown(w->peer, w->timeout);
}

static int attach(const struct waiting *w) {
    shmipc_peer *guest;
    int error = shmipc_guest_attach(w->name, NULL, w->timeout, &guest);
    if (error == SHMIPC_OK)
        shmipc_free(guest);
    return error;
}

static void release(void *context) {
    const shmipc_slot *slot = context;
    must_equal(shmipc_slot_release(*slot), SHMIPC_OK);
}

static void wake(void *peer) {
    must_equal(shmipc_wake(peer), SHMIPC_OK);
}

struct newcomer {
    const char *name;
    shmipc_peer *peer;
};

static void come_as_a_guest(void *context) {
    struct newcomer *n = context;
    must_equal(shmipc_guest_attach(n->name, NULL, SECOND, &n->peer), SHMIPC_OK);
}

static void come_as_the_host(void *context) {
    struct newcomer *n = context;
    must_equal(shmipc_host_create(n->name, NULL, &n->peer), SHMIPC_OK);
}

static void far_time_outs_end_no_other_wait(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof far_ahead / sizeof *far_ahead; i++) {
        struct pair pair;
        shmipc_slot slots[2];
        shmipc_event event;
        pair_open(&pair, NULL);
        struct waiting w = {.peer = pair.host, .name = pair.name.text, .timeout = far_ahead[i]};
        struct newcomer guest = {.name = pair.name.text};
        assert_int_equal(shmipc_slot_claim(pair.host, SECOND, &slots[0]), SHMIPC_OK);
        assert_int_equal(shmipc_slot_claim(pair.host, SECOND, &slots[1]), SHMIPC_OK);
        w.operation = claim;
        wait_for(&w, release, &slots[0]);
        assert_int_equal(w.result, SHMIPC_OK);
        w.operation = wait_for_a_request;
        wait_for(&w, wake, pair.host);
        assert_int_equal(w.result, SHMIPC_E_WOKEN);
        w.operation = wait_for_two_guests;
        wait_for(&w, come_as_a_guest, &guest);
        assert_int_equal(w.result, SHMIPC_OK);
        shmipc_free(guest.peer);
        while (shmipc_next_event(pair.host, 0, &event) == SHMIPC_OK) {
        }
        w.operation = hear_of_another_guest;
        wait_for(&w, come_as_a_guest, &guest);
        assert_int_equal(w.result, SHMIPC_OK);
        shmipc_free(guest.peer);
        w.operation = shut_down;
        wait_for(&w, release, &slots[1]);
        assert_int_equal(w.result, SHMIPC_OK);
        pair_close(&pair);
    }
}

static void far_time_outs_end_no_attach(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof far_ahead / sizeof *far_ahead; i++) {
        struct region_name name = new_name();
        struct newcomer host = {.name = name.text};
        struct waiting w = {.operation = attach, .name = name.text, .timeout = far_ahead[i]};
        wait_for(&w, come_as_the_host, &host);
        assert_int_equal(w.result, SHMIPC_OK);
        shmipc_free(host.peer);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(far_time_outs_end_no_call),
        watched_test(far_time_outs_end_no_other_wait),
        watched_test(far_time_outs_end_no_attach),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
