/*
 * The first of several answers, with a host and a guest in this process.
 */
#include "support/fixture.h"

#include "peer/peer.h"
#include "region/slot.h"

#include <string.h>

enum { SLOTS = 4 };

struct bunch {
    struct pair pair;
    shmipc_peer *caller;
    shmipc_peer *responder;
    shmipc_slot slots[SLOTS];
    uint32_t sent[SLOTS]; /* a number in each request under way */
    uint32_t next;
};

static void open_bunch(struct bunch *b, bool host_calls) {
    shmipc_host_config config = test_host_config();
    config.host_slots = config.guest_slots = SLOTS;
    *b = (struct bunch){.next = 1};
    pair_open(&b->pair, &config);
    b->caller = host_calls ? b->pair.host : b->pair.guest;
    b->responder = host_calls ? b->pair.guest : b->pair.host;
    for (int i = 0; i < SLOTS; i++)
        must_equal(shmipc_slot_claim(b->caller, 0, &b->slots[i]), SHMIPC_OK);
}

/* Some slots may have been released by what happened to their calls. */
static void close_bunch(struct bunch *b) {
    for (int i = 0; i < SLOTS; i++)
        (void)shmipc_slot_release(b->slots[i]);
    pair_close(&b->pair);
}

static void send_next(struct bunch *b, size_t i) {
    b->sent[i] = b->next++;
    memcpy(shmipc_slot_buffer(b->slots[i], NULL), &b->sent[i], sizeof b->sent[i]);
    must_equal(shmipc_slot_send(b->slots[i], 200, sizeof b->sent[i], 0), SHMIPC_OK);
}

static void expect_echo(const struct bunch *b, size_t i) {
    shmipc_response response;
    must_equal(shmipc_slot_receive(b->slots[i], 0, &response), SHMIPC_OK);
    must_equal(response.length, sizeof b->sent[i]);
    must(memcmp(response.data, &b->sent[i], sizeof b->sent[i]) == 0);
}

static int wait_any(const struct bunch *b, int64_t timeout, size_t *which) {
    return shmipc_slot_wait_any(b->slots, SLOTS, timeout, which);
}

static void every_answer_is_found(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        struct bunch b;
        struct server server;
        size_t which = 0;
        open_bunch(&b, host_calls);
        server_start(&server, b.responder, echo_handler, NULL);
        for (size_t i = 0; i < SLOTS; i++)
            send_next(&b, i);
        for (uint32_t n = 0; n < 5000; n++, which++) {
            assert_int_equal(wait_any(&b, SHMIPC_FOREVER, &which), SHMIPC_OK);
            expect_echo(&b, which);
            send_next(&b, which);
        }
        assert_int_equal(server_stop(&server), SHMIPC_E_WOKEN);
        close_bunch(&b);
    }
}

static void the_look_begins_where_it_is_told_to(void **state) {
    (void)state;
    struct bunch b;
    open_bunch(&b, true);
    for (size_t i = 0; i < SLOTS; i++)
        send_next(&b, i);
    assert_int_equal(shmipc_poll(b.responder, echo_handler, NULL), SLOTS);
    for (size_t from = 0; from <= SLOTS; from++) {
        size_t which = from;
        assert_int_equal(wait_any(&b, 0, &which), SHMIPC_OK);
        assert_int_equal(which, from % SLOTS);
    }
    close_bunch(&b);
}

static void slots_that_wait_for_nothing_are_passed_over(void **state) {
    (void)state;
    struct bunch b;
    size_t which = 0;
    open_bunch(&b, true);
    assert_int_equal(wait_any(&b, SHMIPC_FOREVER, &which), SHMIPC_E_STATE);
    assert_int_equal(shmipc_slot_release(b.slots[0]), SHMIPC_OK);
    shmipc_slot stale = b.slots[0];
    send_next(&b, 2);
    assert_int_equal(shmipc_poll(b.responder, echo_handler, NULL), 1);
    assert_int_equal(wait_any(&b, 0, &which), SHMIPC_OK);
    assert_int_equal(which, 2);
    b.slots[0] = (shmipc_slot){.peer = NULL};
    which = 3;
    assert_int_equal(wait_any(&b, 0, &which), SHMIPC_OK);
    assert_int_equal(which, 2);
    expect_echo(&b, 2);
    b.slots[0] = stale;
    assert_int_equal(wait_any(&b, SHMIPC_FOREVER, &which), SHMIPC_E_STATE);
    close_bunch(&b);
}

static void a_time_out_ends_no_call(void **state) {
    (void)state;
    struct bunch b;
    size_t which = 1;
    open_bunch(&b, true);
    send_next(&b, 0);
    send_next(&b, 1);
    assert_int_equal(wait_any(&b, 0, &which), SHMIPC_E_TIMEOUT);
    uint64_t begin = now_ns();
    assert_int_equal(wait_any(&b, MILLISECOND, &which), SHMIPC_E_TIMEOUT);
    assert_true(now_ns() - begin >= (uint64_t)MILLISECOND);
    assert_true(now_ns() - begin < (uint64_t)SECOND);
    assert_int_equal(which, 1);
    assert_int_equal(shmipc_poll(b.responder, echo_handler, NULL), 2);
    expect_echo(&b, 0);
    expect_echo(&b, 1);
    close_bunch(&b);
}

static void a_slot_that_cannot_be_waited_for_is_refused(void **state) {
    (void)state;
    struct bunch b;
    struct bunch other;
    size_t which = 0;
    open_bunch(&b, true);
    open_bunch(&other, true);
    assert_int_equal(shmipc_slot_wait_any(NULL, 1, 0, &which), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_slot_wait_any(b.slots, SLOTS, 0, NULL), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_slot_wait_any(b.slots, 0, 0, &which), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_slot_wait_any(b.slots, SHMIPC_SLOTS_MAX + 1, 0, &which),
                     SHMIPC_E_INVALID);
    assert_int_equal(wait_any(&b, -2, &which), SHMIPC_E_INVALID);
    const shmipc_slot mixed[] = {b.slots[0], other.slots[0]};
    assert_int_equal(shmipc_slot_wait_any(mixed, 2, 0, &which), SHMIPC_E_INVALID);
    const shmipc_slot none[] = {{.peer = NULL}};
    assert_int_equal(shmipc_slot_wait_any(none, 1, 0, &which), SHMIPC_E_INVALID);
    close_bunch(&other);
    close_bunch(&b);
}

struct collector {
    struct bunch *bunch;
    size_t which;
    int result;
};

static void *collect(void *context) {
    struct collector *c = context;
    c->result = wait_any(c->bunch, SHMIPC_FOREVER, &c->which);
    return NULL;
}

static bool sleeps(const struct bunch *b) {
    return load_seq_cst32(&b->caller->calling.answers.shared->sleepers) != 0;
}

static void a_sleeper_is_woken_by_the_one_that_is_answered(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        struct bunch b;
        struct collector collector = {.bunch = &b};
        struct gated gated = {.entered = {0}};
        struct server server;
        open_bunch(&b, host_calls);
        send_next(&b, 3);
        pthread_t thread = thread_start(collect, &collector);
        eventually(sleeps(&b));
        server_start(&server, b.responder, gated_handler, &gated);
        gate_await(&gated.entered, 1);
        gate_pass(&gated.leave);
        thread_join(thread);
        assert_int_equal(collector.result, SHMIPC_OK);
        assert_int_equal(collector.which, 3);
        assert_false(sleeps(&b));
        expect_echo(&b, 3);
        assert_int_equal(server_stop(&server), SHMIPC_E_WOKEN);
        close_bunch(&b);
    }
}

static void a_cancel_wakes_the_sleeper(void **state) {
    (void)state;
    struct bunch b;
    struct collector collector = {.bunch = &b};
    shmipc_response response;
    open_bunch(&b, true);
    send_next(&b, 0);
    send_next(&b, 1);
    pthread_t thread = thread_start(collect, &collector);
    eventually(sleeps(&b));
    assert_int_equal(shmipc_slot_cancel(b.slots[1]), SHMIPC_OK);
    thread_join(thread);
    assert_int_equal(collector.result, SHMIPC_OK);
    assert_int_equal(collector.which, 1);
    assert_int_equal(shmipc_slot_receive(b.slots[1], SHMIPC_FOREVER, &response),
                     SHMIPC_E_CANCELLED);
    close_bunch(&b);
}

static void *close_caller(void *context) {
    const struct bunch *b = context;
    shmipc_close(b->caller);
    return NULL;
}

static void a_close_wakes_the_sleeper(void **state) {
    (void)state;
    struct bunch b;
    struct collector collector = {.bunch = &b};
    shmipc_response response;
    open_bunch(&b, true);
    send_next(&b, 0);
    pthread_t thread = thread_start(collect, &collector);
    eventually(sleeps(&b));
    pthread_t closing = thread_start(close_caller, &b);
    thread_join(thread);
    assert_int_equal(collector.result, SHMIPC_OK);
    assert_int_equal(shmipc_slot_receive(b.slots[0], SHMIPC_FOREVER, &response), SHMIPC_E_CLOSED);
    for (int i = 1; i < SLOTS; i++)
        assert_int_equal(shmipc_slot_release(b.slots[i]), SHMIPC_OK);
    thread_join(closing);
    pair_close(&b.pair);
}

static void with_nobody_to_answer_the_calls_end(void **state) {
    (void)state;
    struct bunch b;
    size_t which = 0;
    shmipc_response response;
    open_bunch(&b, true);
    shmipc_close(b.pair.guest);
    send_next(&b, 2);
    assert_int_equal(wait_any(&b, SHMIPC_FOREVER, &which), SHMIPC_OK);
    assert_int_equal(which, 2);
    assert_int_equal(shmipc_slot_receive(b.slots[2], SHMIPC_FOREVER, &response), SHMIPC_E_NO_PEER);
    close_bunch(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(every_answer_is_found),
        watched_test(the_look_begins_where_it_is_told_to),
        watched_test(slots_that_wait_for_nothing_are_passed_over),
        watched_test(a_time_out_ends_no_call),
        watched_test(a_slot_that_cannot_be_waited_for_is_refused),
        watched_test(a_sleeper_is_woken_by_the_one_that_is_answered),
        watched_test(a_cancel_wakes_the_sleeper),
        watched_test(a_close_wakes_the_sleeper),
        watched_test(with_nobody_to_answer_the_calls_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
