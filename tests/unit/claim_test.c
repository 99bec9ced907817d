/* Claimed slots in the hands of their users: in turn, out of turn, and stale. */
#include "support/fixture.h"
#include "support/side.h"

#include "peer/peer.h"
#include "region/slot.h"

static void a_claimed_slot_calls_again_and_again(void **state) {
    (void)state;
    const size_t lengths[] = {0, 1, 48, 49, 112, 113, 500};
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        struct side s;
        struct server server;
        open_side(&s, host_calls, NULL);
        server_start(&server, s.responder, echo_handler, NULL);
        shmipc_slot slot = must_claim(s.caller, SHMIPC_FOREVER);
        for (size_t i = 0; i < 4 * sizeof lengths / sizeof *lengths; i++) {
            size_t length = lengths[i % (sizeof lengths / sizeof *lengths)];
            uint32_t flags = i % 2 == 0 ? 0 : SHMIPC_ALIGN_END;
            size_t capacity = 0;
            shmipc_response response;
            uint8_t *buffer = shmipc_slot_buffer(slot, &capacity);
            assert_non_null(buffer);
            assert_int_equal((uintptr_t)buffer % 64, 0);
            assert_int_equal(capacity, 1024);
            pattern_fill(flags ? buffer + capacity - length : buffer, length, i);
            assert_int_equal(shmipc_slot_send(slot, 128, length, flags), SHMIPC_OK);
            assert_int_equal(shmipc_slot_receive(slot, SHMIPC_FOREVER, &response), SHMIPC_OK);
            assert_int_equal(response.length, length);
            assert_int_equal(response.type, 128);
            assert_true(pattern_holds(response.data, length, i));
        }
        assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
        (void)server_stop(&server);
        close_side(&s);
    }
}

static void ready_tells_whether_the_answer_is_there(void **state) {
    (void)state;
    struct side s;
    shmipc_response response;
    open_side(&s, true, NULL);
    shmipc_slot slot = must_claim(s.caller, SHMIPC_FOREVER);
    assert_int_equal(shmipc_slot_ready(slot), SHMIPC_E_STATE);
    assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    assert_int_equal(shmipc_slot_ready(slot), 0);
    assert_int_equal(shmipc_poll(s.responder, echo_handler, NULL), 1);
    assert_int_equal(shmipc_slot_ready(slot), 1);
    assert_int_equal(shmipc_slot_receive(slot, 0, &response), SHMIPC_OK);
    assert_int_equal(shmipc_slot_ready(slot), SHMIPC_E_STATE);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    assert_int_equal(shmipc_slot_ready(slot), SHMIPC_E_STALE);
    close_side(&s);
}

static void calls_out_of_turn_are_refused(void **state) {
    (void)state;
    struct side s;
    shmipc_response response;
    open_side(&s, true, NULL);
    shmipc_slot slot = must_claim(s.caller, SHMIPC_FOREVER);
    assert_int_equal(shmipc_slot_receive(slot, 0, &response), SHMIPC_E_STATE);
    assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    word sent = word_of(&s, slot.index);
    assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_E_STATE);
    assert_int_equal(shmipc_slot_call(slot, &(shmipc_request){.type = 0}, NULL, 0), SHMIPC_E_STATE);
    assert_null(shmipc_slot_buffer(slot, NULL));
    assert_true(word_of(&s, slot.index) == sent);
    assert_int_equal(shmipc_poll(s.responder, echo_handler, NULL), 1);
    assert_int_equal(shmipc_slot_receive(slot, 0, &response), SHMIPC_OK);
    assert_int_equal(shmipc_slot_receive(slot, 0, &response), SHMIPC_E_STATE);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    close_side(&s);
}

/* An old handle means the old claim, even after a thread has claimed the slot again. */
static void a_stale_slot_does_nothing(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        struct side s;
        shmipc_response response;
        open_side(&s, host_calls, NULL);
        shmipc_slot released = must_claim(s.caller, SHMIPC_FOREVER);
        assert_int_equal(shmipc_slot_release(released), SHMIPC_OK);
        assert_stale(released);
        shmipc_slot timed_out = must_claim(s.caller, SHMIPC_FOREVER);
        assert_int_equal(shmipc_slot_send(timed_out, 0, 0, 0), SHMIPC_OK);
        assert_int_equal(shmipc_slot_receive(timed_out, 0, &response), SHMIPC_E_TIMEOUT);
        assert_stale(timed_out);
        shmipc_slot a = must_claim(s.caller, SHMIPC_FOREVER);
        shmipc_slot b = must_claim(s.caller, SHMIPC_FOREVER);
        uint64_t words[2] = {word_of(&s, 0), word_of(&s, 1)};
        assert_stale(released);
        assert_stale(timed_out);
        assert_true(word_of(&s, 0) == words[0] && word_of(&s, 1) == words[1]);
        assert_int_equal(shmipc_slot_release(a), SHMIPC_OK);
        assert_int_equal(shmipc_slot_release(b), SHMIPC_OK);
        close_side(&s);
    }
}

static void a_slot_that_was_never_claimed_is_stale(void **state) {
    (void)state;
    struct side s;
    shmipc_slot slot;
    open_side(&s, true, NULL);
    assert_stale((shmipc_slot){NULL, 0, 0});
    assert_stale((shmipc_slot){s.caller, 0, 0});
    assert_stale((shmipc_slot){s.caller, 0, 1});
    assert_stale((shmipc_slot){s.caller, 4, 1});
    assert_stale((shmipc_slot){s.caller, UINT32_MAX, 1});
    shmipc_slot a = must_claim(s.caller, SHMIPC_FOREVER);
    shmipc_slot b = must_claim(s.caller, SHMIPC_FOREVER);
    assert_int_equal(shmipc_slot_claim(s.caller, 0, &slot), SHMIPC_E_TIMEOUT);
    assert_stale(slot);
    assert_int_equal(shmipc_slot_release(a), SHMIPC_OK);
    assert_int_equal(shmipc_slot_release(b), SHMIPC_OK);
    close_side(&s);
}

static void releasing_a_slot_under_way_abandons_its_request(void **state) {
    (void)state;
    struct side s;
    struct server server;
    struct gated gated = {{0}, {0}};
    open_side(&s, true, NULL);
    shmipc_slot slot = must_claim(s.caller, SHMIPC_FOREVER);
    assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    assert_int_equal(shmipc_poll(s.responder, echo_handler, NULL), 0);
    server_start(&server, s.responder, gated_handler, &gated);
    slot = must_claim(s.caller, SHMIPC_FOREVER);
    assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    gate_await(&gated.entered, 1);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    gate_pass(&gated.leave);
    (void)server_stop(&server);
    assert_whole_pool_is_free(s.caller);
    close_side(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_claimed_slot_calls_again_and_again),
        watched_test(ready_tells_whether_the_answer_is_there),
        watched_test(calls_out_of_turn_are_refused),
        watched_test(a_stale_slot_does_nothing),
        watched_test(a_slot_that_was_never_claimed_is_stale),
        watched_test(releasing_a_slot_under_way_abandons_its_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
