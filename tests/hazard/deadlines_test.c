/* Waits are over by their deadline, also those of calls within calls. */
#define _GNU_SOURCE
#include "hazard/peers.h"

/* ---- Deadlines ---- */

struct held {
    struct gate entered;
    struct gate go_on;
};

static int answer_when_told(void *context, const shmipc_request *request,
                            shmipc_response *response) {
    struct held *held = context;
    (void)request;
    (void)response;
    gate_pass(&held->entered);
    gate_await(&held->go_on, 1);
    return 0;
}

enum short_wait {
    SHORT_CALL,
    SHORT_CLAIM,
    SHORT_RECEIVE,
    SHORT_WAIT,
    SHORT_EVENT,
    SHORT_GUESTS,
    SHORT_ATTACH,
    SHORT_PING,
    SHORT_WAITS,
};

static int wait_shortly(struct pair *pair, enum short_wait which, int64_t timeout) {
    shmipc_event event;
    shmipc_slot slot;
    shmipc_peer *peer;
    shmipc_response view;
    switch (which) {
    case SHORT_CALL:
        return call_empty(pair->host, timeout);
    case SHORT_CLAIM:
        return shmipc_slot_claim(pair->guest, timeout, &slot);
    case SHORT_RECEIVE:
        must_equal(shmipc_slot_claim(pair->host, SECOND, &slot), 0);
        must_equal(shmipc_slot_send(slot, 0, 0, 0), 0);
        return shmipc_slot_receive(slot, timeout, &view);
    case SHORT_WAIT:
        return shmipc_wait(pair->host, timeout);
    case SHORT_EVENT:
        return shmipc_next_event(pair->host, timeout, &event);
    case SHORT_GUESTS:
        return shmipc_wait_guests(pair->host, 15, timeout);
    case SHORT_ATTACH:
        return shmipc_guest_attach("nobody-has-this-name", NULL, timeout, &peer);
    default:
        return shmipc_ping(pair->host, timeout, NULL);
    }
}

static void keeps_a_short_deadline(struct pair *pair, enum short_wait which) {
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 20 || (i < 200 && best >= 5 * (uint64_t)MILLISECOND); i++) {
        uint64_t begin = now_ns();
        int error = wait_shortly(pair, which, MILLISECOND);
        uint64_t took = now_ns() - begin;
        must(error == SHMIPC_E_TIMEOUT || error == SHMIPC_E_NOT_FOUND);
        must(took >= (uint64_t)MILLISECOND);
        best = took < best ? took : best;
    }
    must(best < 5 * (uint64_t)MILLISECOND);
}

static void test_a_deadline_of_one_millisecond_is_kept_by_every_wait(void **state) {
    shmipc_host_config config = test_host_config();
    struct pair pair;
    shmipc_slot taken;
    shmipc_event event;
    (void)state;
    config.guest_slots = 1;
    pair_open(&pair, &config);
    must_equal(shmipc_next_event(pair.host, SECOND, &event), 0);
    must_equal(shmipc_slot_claim(pair.guest, SECOND, &taken), 0);
    for (int which = 0; which < SHORT_WAITS; which++)
        keeps_a_short_deadline(&pair, (enum short_wait)which);
    must_equal(shmipc_slot_release(taken), 0);
    pair_close(&pair);
}

static void *call_until_cut_short(void *context) {
    must_equal(call_empty(context, SHMIPC_FOREVER), SHMIPC_E_CLOSED_STARTED);
    return NULL;
}

static uint64_t time_to_cut_short(void) {
    struct pair pair;
    struct held held = {.entered = {0}};
    struct server server;
    pair_open(&pair, NULL);
    server_start(&server, pair.guest, answer_when_told, &held);
    pthread_t caller = thread_start(call_until_cut_short, pair.host);
    gate_await(&held.entered, 1);
    uint64_t begin = now_ns();
    must_equal(shmipc_shutdown(pair.host, MILLISECOND), SHMIPC_E_TIMEOUT);
    uint64_t took = now_ns() - begin;
    thread_join(caller);
    gate_pass(&held.go_on);
    (void)server_join(&server);
    pair_close(&pair);
    return took;
}

static void test_a_shutdown_keeps_its_deadline_and_cuts_calls_short(void **state) {
    uint64_t best = UINT64_MAX;
    (void)state;
    for (int i = 0; i < 10; i++) {
        uint64_t took = time_to_cut_short();
        best = took < best ? took : best;
    }
    must(best < 5 * (uint64_t)MILLISECOND);
}

/* ---- Calls within calls ---- */

struct nest {
    shmipc_peer *peer;
    atomic_uint depth;
    atomic_bool over; /* no caller calls again: some would get each other's slots for ever */
};

static int call_back(void *context, const shmipc_request *request, shmipc_response *response) {
    struct nest *nest = context;
    (void)request;
    atomic_fetch_add(&nest->depth, 1);
    if (atomic_load(&nest->over))
        return 0;
    int error = call_empty(nest->peer, 300 * MILLISECOND);
    return error ? shmipc_fail(response, "%s", shmipc_last_error()) : 0;
}

/* Each side's handler calls the other, without end: more levels than there are slots. */
static void test_calls_nested_deeper_than_the_slots_end_by_their_deadline(void **state) {
    enum { WORKERS = 4 };
    struct pair pair;
    struct nest host_nest = {.depth = 0};
    struct nest guest_nest = {.depth = 0};
    struct server servers[2 * WORKERS];
    (void)state;
    pair_open(&pair, NULL);
    host_nest.peer = pair.host;
    guest_nest.peer = pair.guest;
    for (size_t i = 0; i < WORKERS; i++) {
        server_start(&servers[2 * i], pair.host, call_back, &host_nest);
        server_start(&servers[2 * i + 1], pair.guest, call_back, &guest_nest);
    }
    uint64_t begin = now_ns();
    int error = call_empty(pair.host, 20 * SECOND);
    must(now_ns() - begin < 10 * (uint64_t)SECOND);
    must(error == SHMIPC_E_HANDLER);
    must(atomic_load(&host_nest.depth) + atomic_load(&guest_nest.depth) >= 3);
    atomic_store(&host_nest.over, true);
    atomic_store(&guest_nest.over, true);
    whole_pool_can_be_claimed(pair.host);
    whole_pool_can_be_claimed(pair.guest);
    for (int i = 0; i < 2 * WORKERS; i++)
        (void)server_stop(&servers[i]);
    pair_close(&pair);
}

HAZARD_MAIN("deadlines", hazard_test(test_a_deadline_of_one_millisecond_is_kept_by_every_wait),
            hazard_test(test_a_shutdown_keeps_its_deadline_and_cuts_calls_short),
            hazard_test(test_calls_nested_deeper_than_the_slots_end_by_their_deadline))
