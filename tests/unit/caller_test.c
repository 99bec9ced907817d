/*
 * Calls that end without an answer: at their deadline, by a cancellation, or since nobody serves.
 */
#include "support/fixture.h"
#include "support/side.h"

#include "peer/peer.h"
#include "region/slot.h"

#include <string.h>

/* ---- Time-outs ---- */

static void a_request_that_timed_out_unstarted_never_runs(void **state) {
    (void)state;
    const shmipc_request request = {.data = "x", .length = 1};
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        struct side s;
        struct gated gated = {{0}, {0}};
        open_side(&s, host_calls, NULL);
        for (int i = 0; i < 20; i++) {
            assert_int_equal(shmipc_call(s.caller, &request, NULL, i * MILLISECOND / 10),
                             SHMIPC_E_TIMEOUT);
        }
        assert_int_equal(shmipc_poll(s.responder, gated_handler, &gated), 0);
        assert_int_equal(atomic_load(&gated.entered.passed), 0);
        assert_int_equal(stats_of(s.caller).failed, 20);
        assert_whole_pool_is_free(s.caller);
        close_side(&s);
    }
}

static void a_late_answer_is_discarded_and_counted(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        uint8_t late[100];
        const shmipc_request request = {.data = late, .length = sizeof late};
        struct side s;
        struct server server;
        struct gated gated = {{0}, {0}};
        struct call_thread call;
        open_side(&s, host_calls, NULL);
        memset(late, 0xaa, sizeof late);
        server_start(&server, s.responder, gated_handler, &gated);
        call_start(&call, s.caller, SHMIPC_FOREVER);
        gate_await(&gated.entered, 1);
        gate_pass(&gated.leave);
        assert_int_equal(call_join(&call), SHMIPC_OK);

        assert_int_equal(shmipc_call(s.caller, &request, NULL, 10 * MILLISECOND),
                         SHMIPC_E_TIMEOUT_STARTED);
        assert_int_equal(stats_of(s.responder).discarded, 0);
        gate_await(&gated.entered, 2);
        gate_pass(&gated.leave);
        eventually(stats_of(s.responder).discarded == 1);
        assert_int_equal(server_stop(&server), SHMIPC_E_WOKEN);

        server_start(&server, s.responder, echo_handler, NULL);
        for (size_t length = 0; length < 100; length++)
            call_and_compare(s.caller, length, SHMIPC_TYPE_NORMAL);
        (void)server_stop(&server);
        assert_int_equal(stats_of(s.responder).discarded, 1);
        assert_whole_pool_is_free(s.caller);
        close_side(&s);
    }
}

/* The slot is the responder's until its handler returns: the next call takes another. */
static void a_slot_given_up_while_a_handler_runs_is_not_used(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        shmipc_host_config config = test_host_config();
        const shmipc_request request = {.data = NULL};
        struct side s;
        struct server server;
        struct gated gated = {{0}, {0}};
        shmipc_slot slot;
        config.host_slots = config.guest_slots = 1;
        open_side(&s, host_calls, &config);
        server_start(&server, s.responder, gated_handler, &gated);
        struct call_thread call;
        call_start(&call, s.caller, 500 * MILLISECOND);
        gate_await(&gated.entered, 1);
        assert_int_equal(call_join(&call), SHMIPC_E_TIMEOUT_STARTED);
        word cancelled = word_of(&s, 0);
        assert_int_equal(word_state(cancelled), SLOT_CANCELLED);
        assert_int_equal(shmipc_slot_claim(s.caller, 0, &slot), SHMIPC_E_TIMEOUT);
        assert_int_equal(shmipc_call(s.caller, &request, NULL, MILLISECOND), SHMIPC_E_TIMEOUT);
        assert_true(word_of(&s, 0) == cancelled);
        gate_pass(&gated.leave);
        assert_int_equal(shmipc_slot_claim(s.caller, SHMIPC_FOREVER, &slot), SHMIPC_OK);
        assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
        (void)server_stop(&server);
        close_side(&s);
    }
}

static void ten_thousand_timeouts_leak_no_slot(void **state) {
    (void)state;
    const shmipc_request request = {.data = NULL};
    struct side s;
    open_side(&s, false, NULL);
    for (int i = 0; i < 10000; i++)
        assert_int_equal(shmipc_call(s.caller, &request, NULL, 0), SHMIPC_E_TIMEOUT);
    assert_whole_pool_is_free(s.caller);
    close_side(&s);
}

static void a_call_to_nobody_ends_before_its_deadline(void **state) {
    (void)state;
    const shmipc_request request = {.data = NULL};
    const shmipc_host_config config = test_host_config();
    struct region_name name = new_name();
    shmipc_peer *host;
    assert_int_equal(shmipc_host_create(name.text, &config, &host), SHMIPC_OK);
    uint64_t begin = now_ns();
    assert_int_equal(shmipc_call(host, &request, NULL, 30 * SECOND), SHMIPC_E_NO_PEER);
    assert_true(now_ns() - begin < 10 * SECOND);
    assert_whole_pool_is_free(host);
    shmipc_free(host);
}

/* ---- Cancelling ---- */

static void *cancel(void *context) {
    must_equal(shmipc_slot_cancel(*(shmipc_slot *)context), SHMIPC_OK);
    return NULL;
}

static void a_sleeping_call_is_cancelled_from_another_thread(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        for (int i = 0; i < 50; i++) {
            struct side s;
            shmipc_response response;
            open_side(&s, host_calls, NULL);
            shmipc_slot slot = must_claim(s.caller, SHMIPC_FOREVER);
            assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
            pthread_t thread = thread_start(cancel, &slot);
            uint64_t begin = now_ns();
            assert_int_equal(shmipc_slot_receive(slot, 30 * SECOND, &response), SHMIPC_E_CANCELLED);
            assert_true(now_ns() - begin < 10 * SECOND);
            thread_join(thread);
            assert_whole_pool_is_free(s.caller);
            close_side(&s);
        }
    }
}

static void *cancel_when_parked(void *context) {
    shmipc_slot slot = *(shmipc_slot *)context;
    struct slot *shared = region_slot(&slot.peer->region, slot.index);
    eventually((slot_look(shared) & WORD_PARKED) != 0);
    return cancel(context);
}

/* A sleeper that nobody wakes looks at its next tick. The median must be far below a tick. */
static void a_cancel_wakes_the_caller_that_is_parked(void **state) {
    (void)state;
    enum { ROUNDS = 21 };
    struct side s;
    int soon = 0;
    open_side(&s, true, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        shmipc_response response;
        shmipc_slot slot = must_claim(s.caller, SHMIPC_FOREVER);
        assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
        pthread_t thread = thread_start(cancel_when_parked, &slot);
        uint64_t begin = now_ns();
        assert_int_equal(shmipc_slot_receive(slot, SHMIPC_FOREVER, &response), SHMIPC_E_CANCELLED);
        soon += now_ns() - begin < TICK_NS / 2;
        thread_join(thread);
    }
    assert_true(soon > ROUNDS / 2);
    close_side(&s);
}

static void a_cancel_before_sending_ends_the_next_call(void **state) {
    (void)state;
    struct side s;
    shmipc_response response;
    open_side(&s, true, NULL);
    shmipc_slot slot = must_claim(s.caller, SHMIPC_FOREVER);
    assert_int_equal(shmipc_slot_cancel(slot), SHMIPC_OK);
    assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    assert_int_equal(shmipc_slot_receive(slot, SHMIPC_FOREVER, &response), SHMIPC_E_CANCELLED);
    slot = must_claim(s.caller, SHMIPC_FOREVER);
    assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    assert_int_equal(shmipc_slot_receive(slot, 0, &response), SHMIPC_E_TIMEOUT);
    close_side(&s);
}

static void a_cancel_after_the_start_says_so(void **state) {
    (void)state;
    struct side s;
    struct server server;
    struct gated gated = {{0}, {0}};
    shmipc_response response;
    open_side(&s, false, NULL);
    server_start(&server, s.responder, gated_handler, &gated);
    shmipc_slot slot = must_claim(s.caller, SHMIPC_FOREVER);
    assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    gate_await(&gated.entered, 1);
    assert_int_equal(shmipc_slot_cancel(slot), SHMIPC_OK);
    assert_int_equal(shmipc_slot_receive(slot, SHMIPC_FOREVER, &response),
                     SHMIPC_E_CANCELLED_STARTED);
    gate_pass(&gated.leave);
    (void)server_stop(&server);
    assert_whole_pool_is_free(s.caller);
    close_side(&s);
}

static void a_cancel_that_comes_too_late_does_not_harm_the_next_call(void **state) {
    (void)state;
    struct side s;
    shmipc_response response;
    open_side(&s, true, NULL);
    shmipc_slot slot = must_claim(s.caller, SHMIPC_FOREVER);
    assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    assert_int_equal(shmipc_poll(s.responder, echo_handler, NULL), 1);
    assert_int_equal(shmipc_slot_cancel(slot), SHMIPC_OK);
    assert_int_equal(shmipc_slot_receive(slot, 0, &response), SHMIPC_OK);
    assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    assert_int_equal(shmipc_slot_receive(slot, 0, &response), SHMIPC_E_TIMEOUT);
    close_side(&s);
}

/* ---- Nobody serves ---- */

static void a_call_that_is_ready_without_a_peer_says_so_at_once(void **state) {
    (void)state;
    for (int by_any = 0; by_any < 2; by_any++) {
        struct side s;
        shmipc_response response;
        size_t which = 0;
        open_side(&s, true, NULL);
        shmipc_slot slot = must_claim(s.caller, SHMIPC_FOREVER);
        must_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
        shmipc_close(s.responder);
        if (by_any)
            must_equal(shmipc_slot_wait_any(&slot, 1, 20 * SECOND, &which), SHMIPC_OK);
        else
            eventually(shmipc_slot_ready(slot) == 1);
        assert_int_equal(shmipc_slot_receive(slot, 0, &response), SHMIPC_E_NO_PEER);
        close_side(&s);
    }
}

/* ---- A hostile peer changes the word of a request that was taken back ---- */

/* The side's guest leaves; a look takes back the request, and finds the call over. */
static shmipc_slot send_and_take_back(struct side *s) {
    shmipc_host_config config = test_host_config();
    config.host_slots = 1;
    open_side(s, true, &config);
    shmipc_slot slot = must_claim(s->caller, SHMIPC_FOREVER);
    must_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    shmipc_free(s->pair.guest);
    eventually(shmipc_slot_ready(slot) == 1);
    must_equal(word_state(word_of(s, 0)), SLOT_FREE);
    must_equal(shmipc_guest_attach(s->pair.name.text, NULL, 0, &s->pair.guest), SHMIPC_OK);
    s->responder = s->pair.guest;
    return slot;
}

static void make_it(const struct side *s, enum slot_state state) {
    const word changed = word_with(word_of(s, 0), state, 0);
    const bool has_owner = state == SLOT_WORKING || state == SLOT_RESPONSE;
    store_word(shared_slot(s, 0),
               has_owner ? word_with_owner(changed, s->responder->self) : changed);
}

static shmipc_slot answer_what_was_taken_back(struct side *s) {
    shmipc_response response;
    shmipc_slot slot = send_and_take_back(s);
    make_it(s, SLOT_RESPONSE);
    must_equal(shmipc_slot_receive(slot, 0, &response), SHMIPC_OK);
    return slot;
}

static void a_handler_of_the_next_call_keeps_its_slot(void **state) {
    (void)state;
    struct side s;
    struct server server;
    struct gated gated = {{0}, {0}};
    shmipc_slot slot = answer_what_was_taken_back(&s);
    server_start(&server, s.responder, gated_handler, &gated);
    must_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    gate_await(&gated.entered, 1);
    must_release(slot);
    assert_int_equal(word_state(word_of(&s, 0)), SLOT_CANCELLED);
    assert_int_equal(shmipc_slot_claim(s.caller, 0, &slot), SHMIPC_E_TIMEOUT);
    gate_pass(&gated.leave);
    must_release(must_claim(s.caller, SHMIPC_FOREVER));
    (void)server_stop(&server);
    close_side(&s);
}

static void the_next_request_is_taken_back_when_its_slot_is_released(void **state) {
    (void)state;
    struct side s;
    shmipc_slot slot = answer_what_was_taken_back(&s);
    must_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    must_release(slot);
    assert_int_equal(word_state(word_of(&s, 0)), SLOT_FREE);
    assert_int_equal(shmipc_poll(s.responder, echo_handler, NULL), 0);
    close_side(&s);
}

static void the_next_request_is_not_taken_for_one_that_nobody_could_answer(void **state) {
    (void)state;
    struct side s;
    shmipc_response response;
    shmipc_slot slot = answer_what_was_taken_back(&s);
    must_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    make_it(&s, SLOT_FREE);
    assert_int_equal(shmipc_slot_receive(slot, 0, &response), SHMIPC_E_CORRUPT);
    close_side(&s);
}

static void a_request_that_comes_back_is_given_up_by_what_its_word_says(void **state) {
    (void)state;
    const enum slot_state states[][2] = {
        {SLOT_REQUEST, SLOT_FREE}, {SLOT_WORKING, SLOT_CANCELLED}, {SLOT_RESPONSE, SLOT_RESPONSE}};
    for (size_t i = 0; i < sizeof states / sizeof *states; i++) {
        struct side s;
        shmipc_slot slot = send_and_take_back(&s);
        make_it(&s, states[i][0]);
        must_release(slot);
        assert_int_equal(word_state(word_of(&s, 0)), states[i][1]);
        assert_int_equal(shmipc_slot_claim(s.caller, 0, &slot),
                         states[i][0] == SLOT_WORKING ? SHMIPC_E_TIMEOUT : SHMIPC_OK);
        close_side(&s);
    }
}

static void a_word_that_no_peer_could_store_is_corrupt_there_too(void **state) {
    (void)state;
    struct side s;
    shmipc_response response;
    shmipc_slot slot = send_and_take_back(&s);
    make_it(&s, SLOT_BUSY);
    assert_int_equal(shmipc_slot_receive(slot, 0, &response), SHMIPC_E_CORRUPT);
    close_side(&s);
}

/* ---- A word that changes for ever ---- */

struct flipper {
    struct slot *slot;
    atomic_bool stop;
};

static void *flip(void *context) {
    struct flipper *f = context;
    while (!atomic_load(&f->stop)) {
        word seen = slot_look(f->slot);
        if (word_state(seen) == SLOT_REQUEST)
            (void)cas_seq_cst64(&f->slot->word, &seen, seen ^ WORD_PARKED);
    }
    return NULL;
}

static void a_word_that_changes_for_ever_ends_by_the_deadline(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        struct side s;
        shmipc_response response;
        open_side(&s, host_calls, NULL);
        shmipc_slot slot = must_claim(s.caller, SHMIPC_FOREVER);
        struct flipper f = {.slot = region_slot(&s.caller->region, slot.index)};
        must_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
        pthread_t thread = thread_start(flip, &f);
        uint64_t begin = now_ns();
        int error = shmipc_slot_receive(slot, 200 * MILLISECOND, &response);
        must(error == SHMIPC_E_TIMEOUT || error == SHMIPC_E_CORRUPT);
        must(now_ns() - begin < (uint64_t)(10 * SECOND));
        atomic_store(&f.stop, true);
        thread_join(thread);
        close_side(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_request_that_timed_out_unstarted_never_runs),
        watched_test(a_late_answer_is_discarded_and_counted),
        watched_test(a_slot_given_up_while_a_handler_runs_is_not_used),
        watched_test(ten_thousand_timeouts_leak_no_slot),
        watched_test(a_call_to_nobody_ends_before_its_deadline),
        watched_test(a_sleeping_call_is_cancelled_from_another_thread),
        watched_test(a_cancel_wakes_the_caller_that_is_parked),
        watched_test(a_cancel_before_sending_ends_the_next_call),
        watched_test(a_cancel_after_the_start_says_so),
        watched_test(a_cancel_that_comes_too_late_does_not_harm_the_next_call),
        watched_test(a_call_that_is_ready_without_a_peer_says_so_at_once),
        watched_test(a_handler_of_the_next_call_keeps_its_slot),
        watched_test(the_next_request_is_taken_back_when_its_slot_is_released),
        watched_test(the_next_request_is_not_taken_for_one_that_nobody_could_answer),
        watched_test(a_request_that_comes_back_is_given_up_by_what_its_word_says),
        watched_test(a_word_that_no_peer_could_store_is_corrupt_there_too),
        watched_test(a_word_that_changes_for_ever_ends_by_the_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
