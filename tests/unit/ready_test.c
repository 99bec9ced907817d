/* Calls that wait until a guest can answer, instead of failing because none can. */
#define _GNU_SOURCE
#include "support/fixture.h"

#include <string.h>
#include <time.h>

enum way { BY_CONFIG, BY_REQUEST, BY_SLOT_CALL, BY_SEND, WAYS };

static void open_without_guest(struct pair *pair, enum way way) {
    shmipc_host_config config = test_host_config();
    if (way == BY_CONFIG)
        config.flags |= SHMIPC_WAIT_READY;
    pair_open(pair, &config);
    shmipc_free(pair->guest);
    pair->guest = NULL;
}

static int send_and_receive(shmipc_slot slot, int64_t timeout) {
    shmipc_response view;
    int error = shmipc_slot_send(slot, SHMIPC_TYPE_NORMAL, 0, SHMIPC_WAIT_READY);
    return error ? error : shmipc_slot_receive(slot, timeout, &view);
}

static int call(shmipc_peer *host, enum way way, int64_t timeout) {
    const shmipc_request request = {.flags = way == BY_CONFIG ? 0 : SHMIPC_WAIT_READY};
    shmipc_slot slot;
    if (way == BY_CONFIG || way == BY_REQUEST)
        return shmipc_call(host, &request, NULL, timeout);
    must_equal(shmipc_slot_claim(host, SECOND, &slot), 0);
    int error = way == BY_SEND ? send_and_receive(slot, timeout)
                               : shmipc_slot_call(slot, &request, NULL, timeout);
    (void)shmipc_slot_release(slot);
    return error;
}

struct waiting_call {
    shmipc_peer *host;
    enum way way;
    int result;
};

static void *call_there(void *context) {
    struct waiting_call *c = context;
    c->result = call(c->host, c->way, 60 * SECOND);
    return NULL;
}

static uint64_t calls_begun(shmipc_peer *host) {
    shmipc_stats stats;
    must_equal(shmipc_get_stats(host, &stats), 0);
    return stats.calls;
}

/* Two ticks, in which a call without the flag would find that nobody is there. */
static void let_ticks_pass(void) {
    const struct timespec pause = {0, 250 * MILLISECOND};
    (void)nanosleep(&pause, NULL);
}

static void a_call_waits_for_a_guest_that_can_answer(void **state) {
    (void)state;
    for (enum way way = 0; way < WAYS; way++) {
        struct pair pair;
        struct server server;
        open_without_guest(&pair, way);
        struct waiting_call waiting = {.host = pair.host, .way = way};
        pthread_t thread = thread_start(call_there, &waiting);
        eventually(calls_begun(pair.host) == 1);
        let_ticks_pass();
        must_equal(shmipc_guest_attach(pair.name.text, NULL, SECOND, &pair.guest), 0);
        server_start(&server, pair.guest, echo_handler, NULL);
        thread_join(thread);
        must_equal(waiting.result, 0);
        (void)server_stop(&server);
        pair_close(&pair);
    }
}

static void without_a_guest_the_call_times_out_unstarted(void **state) {
    (void)state;
    for (enum way way = 0; way < WAYS; way++) {
        struct pair pair;
        open_without_guest(&pair, way);
        must_equal(call(pair.host, way, 250 * MILLISECOND), SHMIPC_E_TIMEOUT);
        pair_close(&pair);
    }
}

static void without_the_flag_a_call_fails_at_once(void **state) {
    const shmipc_request request = {.data = NULL};
    struct pair pair;
    (void)state;
    open_without_guest(&pair, BY_REQUEST);
    must_equal(shmipc_call(pair.host, &request, NULL, 60 * SECOND), SHMIPC_E_NO_PEER);
    pair_close(&pair);
}

/* Not ready as long as a guest may come. */
static void a_sent_request_that_waits_is_not_ready(void **state) {
    struct pair pair;
    shmipc_slot slot;
    shmipc_response view;
    (void)state;
    open_without_guest(&pair, BY_SEND);
    must_equal(shmipc_slot_claim(pair.host, SECOND, &slot), 0);
    must_equal(shmipc_slot_send(slot, SHMIPC_TYPE_NORMAL, 0, SHMIPC_WAIT_READY), 0);
    must_equal(shmipc_slot_ready(slot), 0);
    let_ticks_pass();
    must_equal(shmipc_slot_ready(slot), 0);
    must_equal(shmipc_slot_receive(slot, 0, &view), SHMIPC_E_TIMEOUT);
    pair_close(&pair);
}

/* A call that never lasts until a tick hears of it all the same. */
static void calls_shorter_than_a_tick_hear_that_nobody_is_left(void **state) {
    const shmipc_request request = {.data = NULL};
    struct pair pair;
    struct server server;
    (void)state;
    pair_open(&pair, NULL);
    server_start(&server, pair.guest, echo_handler, NULL);
    must_equal(shmipc_call(pair.host, &request, NULL, 20 * SECOND), 0);
    (void)server_stop(&server);
    must_equal(shmipc_call(pair.host, &request, NULL, MILLISECOND), SHMIPC_E_TIMEOUT);
    shmipc_free(pair.guest);
    pair.guest = NULL;
    eventually(shmipc_call(pair.host, &request, NULL, MILLISECOND) == SHMIPC_E_NO_PEER);
    pair_close(&pair);
}

/* The request is taken back with the look: a guest that comes then would start what was told to be
   over. */
static void a_request_that_nobody_could_take_stays_over(void **state) {
    (void)state;
    for (int received = 0; received < 2; received++) {
        struct pair pair;
        shmipc_response view;
        pair_open(&pair, NULL);
        shmipc_slot slot = must_claim(pair.host, 0);
        must_equal(shmipc_slot_send(slot, SHMIPC_TYPE_NORMAL, 0, 0), 0);
        shmipc_free(pair.guest);
        eventually(shmipc_slot_ready(slot) == 1);
        must_equal(shmipc_guest_attach(pair.name.text, NULL, SECOND, &pair.guest), 0);
        must_equal(shmipc_poll(pair.guest, echo_handler, NULL), 0);
        must_equal(shmipc_slot_ready(slot), 1);
        if (received)
            must_equal(shmipc_slot_receive(slot, 0, &view), SHMIPC_E_NO_PEER);
        else
            must_release(slot);
        must_equal(shmipc_slot_receive(slot, 0, &view), SHMIPC_E_STALE);
        slot = must_claim(pair.host, 0);
        must_equal(shmipc_slot_send(slot, SHMIPC_TYPE_NORMAL, 0, 0), 0);
        must_release(slot);
        must_equal(shmipc_poll(pair.guest, echo_handler, NULL), 0);
        slot = must_claim(pair.host, 0);
        must_equal(shmipc_slot_send(slot, SHMIPC_TYPE_NORMAL, 0, 0), 0);
        must_equal(shmipc_poll(pair.guest, echo_handler, NULL), 1);
        must_equal(shmipc_slot_receive(slot, 0, &view), 0);
        must_release(slot);
        pair_close(&pair);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_call_waits_for_a_guest_that_can_answer),
        watched_test(without_a_guest_the_call_times_out_unstarted),
        watched_test(without_the_flag_a_call_fails_at_once),
        watched_test(a_sent_request_that_waits_is_not_ready),
        watched_test(calls_shorter_than_a_tick_hear_that_nobody_is_left),
        watched_test(a_request_that_nobody_could_take_stays_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
