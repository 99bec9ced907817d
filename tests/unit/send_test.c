/* Requests that are refused, and the notifications of those that are sent. */
#include "support/fixture.h"
#include "support/side.h"

#include "peer/peer.h"
#include "region/slot.h"

/* ---- Requests that are refused ---- */

static void reserved_types_are_refused(void **state) {
    (void)state;
    struct side s;
    open_side(&s, true, NULL);
    for (uint32_t type = 1; type < 128; type++) {
        const shmipc_request request = {.type = type};
        if (type != 10 && type != 11)
            assert_int_equal(shmipc_call(s.caller, &request, NULL, 0), SHMIPC_E_TYPE);
    }
    assert_int_equal(stats_of(s.caller).calls, 0);
    close_side(&s);
}

static void one_byte_too_many_is_not_sent(void **state) {
    (void)state;
    const size_t lengths[] = {1025,
                              4096,
                              (size_t)INT32_MAX,
                              (size_t)UINT32_MAX,
                              (size_t)UINT32_MAX + 1,
                              (size_t)UINT32_MAX + 2,
                              SIZE_MAX};
    char data[1];
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        struct side s;
        open_side(&s, host_calls, NULL);
        shmipc_slot slot = must_claim(s.caller, SHMIPC_FOREVER);
        for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
            const shmipc_request request = {.data = data, .length = lengths[i]};
            assert_int_equal(shmipc_call(s.caller, &request, NULL, 0), SHMIPC_E_TOO_LARGE);
            assert_int_equal(shmipc_slot_send(slot, 0, lengths[i], 0), SHMIPC_E_TOO_LARGE);
        }
        assert_int_equal(stats_of(s.caller).calls, 0);
        assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
        close_side(&s);
    }
}

/* ---- Words that changed ---- */

static void a_send_that_finds_another_word_sends_nothing(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        struct side s;
        open_side(&s, host_calls, NULL);
        shmipc_slot slot = must_claim(s.caller, SHMIPC_FOREVER);
        struct slot *shared = region_slot(&s.caller->region, slot.index);
        word foreign = slot_look(shared) ^ UINT64_C(1) << 63;
        store_word(shared, foreign);
        assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_E_CORRUPT);
        assert_true(slot_look(shared) == foreign);
        assert_int_equal(shmipc_poll(s.responder, echo_handler, NULL), 0);
        assert_int_equal(stats_of(s.caller).calls, 0);
        assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK); /* it was still claimed */
        assert_true(slot_look(shared) == foreign);
        close_side(&s);
    }
}

static void a_slot_changed_before_it_was_sent_is_corruption(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        struct side s;
        open_side(&s, host_calls, NULL);
        shmipc_slot slot = must_claim(s.caller, SHMIPC_FOREVER);
        store_word(shared_slot(&s, 0), word_of(&s, 0) + 0x100);
        store_word(shared_slot(&s, 1), word_of(&s, 1) + 0x100);
        assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_E_CORRUPT);
        assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
        close_side(&s);
    }
}

/* ---- Notifications ---- */

static void a_call_that_finds_nobody_asleep_wakes_nobody(void **state) {
    (void)state;
    struct side s;
    shmipc_response response;
    open_side(&s, true, NULL);
    for (int i = 0; i < 100; i++) {
        shmipc_slot slot = must_claim(s.caller, SHMIPC_FOREVER);
        assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
        assert_int_equal(shmipc_poll(s.responder, echo_handler, NULL), 1);
        assert_int_equal(shmipc_slot_receive(slot, 0, &response), SHMIPC_OK);
        assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    }
    assert_int_equal(stats_of(s.caller).wakes, 0);
    assert_int_equal(stats_of(s.caller).parks, 0);
    assert_int_equal(stats_of(s.responder).wakes, 0);
    assert_int_equal(stats_of(s.responder).served, 100);
    close_side(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(reserved_types_are_refused),
        watched_test(one_byte_too_many_is_not_sent),
        watched_test(a_send_that_finds_another_word_sends_nothing),
        watched_test(a_slot_changed_before_it_was_sent_is_corruption),
        watched_test(a_call_that_finds_nobody_asleep_wakes_nobody),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
