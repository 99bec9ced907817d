/* Calls that copy, in a slot of the pool and in one that is held. */
#include "support/fixture.h"
#include "support/side.h"

#include "peer/peer.h"
#include "region/slot.h"

#include <string.h>

/* ---- In a slot of the pool ---- */

static void every_length_arrives_whole(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        struct side s;
        struct server server;
        open_side(&s, host_calls, NULL);
        server_start(&server, s.responder, echo_handler, NULL);
        for (size_t length = 0; length <= 500; length += length < 70 || length > 440 ? 1 : 13)
            call_and_compare(s.caller, length, SHMIPC_TYPE_NORMAL);
        assert_int_equal(server_stop(&server), SHMIPC_E_WOKEN);
        close_side(&s);
    }
}

static void every_sendable_type_arrives(void **state) {
    (void)state;
    const uint32_t types[] = {0, 10, 11, 128, 129, UINT32_MAX};
    struct side s;
    struct server server;
    open_side(&s, true, NULL);
    server_start(&server, s.responder, echo_handler, NULL);
    for (size_t i = 0; i < sizeof types / sizeof *types; i++)
        call_and_compare(s.caller, 5, types[i]);
    (void)server_stop(&server);
    close_side(&s);
}

static void an_answer_beyond_the_users_buffer_tells_its_size(void **state) {
    (void)state;
    uint8_t data[300];
    uint8_t answer[300];
    const size_t lengths[] = {2, 48, 49, 112, 113, 300};
    struct side s;
    struct server server;
    open_side(&s, false, NULL);
    server_start(&server, s.responder, echo_handler, NULL);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const shmipc_request request = {.data = data, .length = lengths[i]};
        shmipc_response response = {.data = answer, .capacity = lengths[i] - 1};
        pattern_fill(data, sizeof data, i);
        memset(answer, 0xee, sizeof answer);
        assert_int_equal(shmipc_call(s.caller, &request, &response, SHMIPC_FOREVER),
                         SHMIPC_E_TOO_LARGE);
        assert_int_equal(response.length, lengths[i]);
        assert_int_equal(answer[lengths[i] - 1], 0xee);
        assert_int_equal(shmipc_call(s.caller, &request, NULL, SHMIPC_FOREVER), SHMIPC_E_TOO_LARGE);
    }
    (void)server_stop(&server);
    assert_whole_pool_is_free(s.caller);
    close_side(&s);
}

static void arguments_are_checked(void **state) {
    (void)state;
    const shmipc_request good = {.data = NULL};
    const shmipc_request no_data = {.data = NULL, .length = 1};
    shmipc_response no_buffer = {.data = NULL, .capacity = 1};
    shmipc_slot slot;
    struct side s;
    open_side(&s, true, NULL);
    assert_int_equal(shmipc_call(NULL, &good, NULL, 0), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_call(s.caller, NULL, NULL, 0), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_call(s.caller, &no_data, NULL, 0), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_call(s.caller, &good, &no_buffer, 0), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_call(s.caller, &good, NULL, -2), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_call(s.caller, &good, NULL, INT64_MIN), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_ping(NULL, 0, NULL), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_slot_claim(s.caller, -2, &slot), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_slot_claim(NULL, 0, &slot), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_slot_claim(s.caller, 0, NULL), SHMIPC_E_INVALID);
    slot = must_claim(s.caller, SHMIPC_FOREVER);
    assert_int_equal(shmipc_slot_send(slot, 0, 0, 2), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    assert_int_equal(shmipc_slot_receive(slot, 0, NULL), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    close_side(&s);
}

static void a_failed_handler_sends_its_message(void **state) {
    (void)state;
    char answer[100];
    char little[7];
    const shmipc_request request = {.data = "abc", .length = 3};
    struct side s;
    struct server server;
    open_side(&s, true, NULL);
    server_start(&server, s.responder, failing_handler, NULL);
    shmipc_response response = {.data = answer, .capacity = sizeof answer};
    assert_int_equal(shmipc_call(s.caller, &request, &response, SHMIPC_FOREVER), SHMIPC_E_HANDLER);
    assert_int_equal(response.length, strlen("no such key: abc"));
    assert_memory_equal(answer, "no such key: abc", response.length);
    assert_non_null(strstr(shmipc_last_error(), "no such key: abc"));
    response = (shmipc_response){.data = little, .capacity = sizeof little};
    assert_int_equal(shmipc_call(s.caller, &request, &response, SHMIPC_FOREVER), SHMIPC_E_HANDLER);
    assert_int_equal(response.length, sizeof little);
    assert_memory_equal(little, "no such", sizeof little);
    assert_int_equal(shmipc_call(s.caller, &request, NULL, SHMIPC_FOREVER), SHMIPC_E_HANDLER);
    (void)server_stop(&server);
    assert_whole_pool_is_free(s.caller);
    close_side(&s);
}

/* ---- In a claimed slot ---- */

static int end_aligned_handler(void *context, const shmipc_request *request,
                               shmipc_response *response) {
    (void)context;
    response->flags = SHMIPC_ALIGN_END;
    response->length = request->length;
    pattern_fill((uint8_t *)response->data + response->capacity - request->length, request->length,
                 request->length);
    return 0;
}

static void calls_in_a_claimed_slot_copy(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        struct side s;
        struct server server;
        open_side(&s, host_calls, NULL);
        server_start(&server, s.responder, echo_handler, NULL);
        shmipc_slot slot = must_claim(s.caller, SHMIPC_FOREVER);
        for (size_t length = 0; length <= 500; length += length < 120 ? 1 : 38)
            call_and_compare_in(s.caller, &slot, length, 128);
        assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
        (void)server_stop(&server);
        close_side(&s);
    }
}

static int call_in(shmipc_slot slot, uint32_t type, size_t length, int64_t timeout) {
    static const uint8_t bytes[1025];
    const shmipc_request request = {.data = bytes, .length = length, .type = type};
    return shmipc_slot_call(slot, &request, NULL, timeout);
}

static void a_call_in_a_claimed_slot_keeps_it_after_an_answer_only(void **state) {
    (void)state;
    struct side s;
    struct server server;
    open_side(&s, true, NULL);
    shmipc_slot slot = must_claim(s.caller, SHMIPC_FOREVER);
    assert_int_equal(shmipc_slot_call(slot, NULL, NULL, 0), SHMIPC_E_INVALID);
    assert_int_equal(call_in(slot, 0, 0, -2), SHMIPC_E_INVALID);
    assert_int_equal(call_in(slot, 3, 0, 0), SHMIPC_E_TYPE);
    assert_int_equal(call_in(slot, 0, 1025, 0), SHMIPC_E_TOO_LARGE);
    server_start(&server, s.responder, echo_handler, NULL);
    assert_int_equal(call_in(slot, 0, 1, SHMIPC_FOREVER), SHMIPC_E_TOO_LARGE); /* for no buffer */
    assert_int_equal(call_in(slot, 0, 0, SHMIPC_FOREVER), SHMIPC_OK);
    (void)server_stop(&server);
    assert_int_equal(call_in(slot, 0, 0, 0), SHMIPC_E_TIMEOUT);
    assert_stale(slot);
    slot = must_claim(s.caller, SHMIPC_FOREVER);
    assert_int_equal(shmipc_slot_cancel(slot), SHMIPC_OK);
    assert_int_equal(call_in(slot, 0, 0, SHMIPC_FOREVER), SHMIPC_E_CANCELLED);
    assert_stale(slot);
    assert_whole_pool_is_free(s.caller);
    close_side(&s);
}

/* Otherwise closing would wait for a slot whose owner has been told that the peer closes. */
static void a_call_in_a_claimed_slot_that_is_refused_releases_it(void **state) {
    (void)state;
    struct side s;
    open_side(&s, true, NULL);
    shmipc_slot slot = must_claim(s.caller, SHMIPC_FOREVER);
    store_relaxed32(&s.caller->life.phase, PEER_DRAINING);
    assert_int_equal(call_in(slot, 0, 0, SHMIPC_FOREVER), SHMIPC_E_SHUTDOWN);
    assert_stale(slot);
    store_relaxed32(&s.caller->life.phase, PEER_OPEN);
    assert_whole_pool_is_free(s.caller);
    close_side(&s);
}

static void an_answer_may_lie_at_the_end_of_its_buffer(void **state) {
    (void)state;
    uint8_t data[500];
    uint8_t answer[500];
    struct side s;
    struct server server;
    open_side(&s, true, NULL);
    pattern_fill(data, sizeof data, 0);
    server_start(&server, s.responder, end_aligned_handler, NULL);
    for (size_t length = 0; length <= 500; length += 7) {
        const shmipc_request request = {.data = data, .length = length};
        shmipc_response response = {.data = answer, .capacity = sizeof answer};
        assert_int_equal(shmipc_call(s.caller, &request, &response, SHMIPC_FOREVER), SHMIPC_OK);
        assert_int_equal(response.length, length);
        assert_true(pattern_holds(answer, length, length));
    }
    (void)server_stop(&server);
    close_side(&s);
}

/* ---- In either ---- */

static void *wake_all_callers(void *context) {
    struct side *s = context;
    for (int i = 0; i < 1000; i++) {
        for (uint32_t n = 0; n < 2; n++)
            shmi_word_wake(s->caller->region.object, shmi_slot_futex(shared_slot(s, n)), 100);
        pause_briefly();
    }
    return NULL;
}

static void spurious_wakes_are_no_answers(void **state) {
    (void)state;
    struct side s;
    struct server server;
    open_side(&s, true, NULL);
    pthread_t waker = thread_start(wake_all_callers, &s);
    server_start(&server, s.responder, echo_handler, NULL);
    for (size_t i = 0; i < 2000; i++)
        call_and_compare(s.caller, i % 100, SHMIPC_TYPE_NORMAL);
    thread_join(waker);
    (void)server_stop(&server);
    close_side(&s);
}

static void a_ping_measures_the_round_trip(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        int64_t rtt = -1;
        struct side s;
        struct server server;
        struct gated gated = {{0}, {0}};
        open_side(&s, host_calls, NULL);
        server_start(&server, s.responder, gated_handler, &gated);
        uint64_t begin = now_ns();
        assert_int_equal(shmipc_ping(s.caller, SHMIPC_FOREVER, &rtt), SHMIPC_OK);
        assert_true(rtt > 0 && (uint64_t)rtt <= now_ns() - begin);
        assert_int_equal(shmipc_ping(s.caller, SHMIPC_FOREVER, NULL), SHMIPC_OK);
        assert_int_equal(atomic_load(&gated.entered.passed), 0);
        (void)server_stop(&server);
        close_side(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(every_length_arrives_whole),
        watched_test(every_sendable_type_arrives),
        watched_test(an_answer_beyond_the_users_buffer_tells_its_size),
        watched_test(arguments_are_checked),
        watched_test(a_failed_handler_sends_its_message),
        watched_test(calls_in_a_claimed_slot_copy),
        watched_test(a_call_in_a_claimed_slot_keeps_it_after_an_answer_only),
        watched_test(a_call_in_a_claimed_slot_that_is_refused_releases_it),
        watched_test(an_answer_may_lie_at_the_end_of_its_buffer),
        watched_test(spurious_wakes_are_no_answers),
        watched_test(a_ping_measures_the_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
