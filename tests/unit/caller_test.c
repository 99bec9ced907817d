/*
 * The calling side of the public interface, with a host and a guest in this process.
 */
#include "support/fixture.h"

#include "peer/peer.h"
#include "region/slot.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Both directions: the side that calls and the side that serves. */
struct side {
    struct pair pair;
    shmipc_peer *caller;
    shmipc_peer *responder;
};

static void open_side(struct side *s, bool host_calls, const shmipc_host_config *config) {
    pair_open(&s->pair, config);
    s->caller = host_calls ? s->pair.host : s->pair.guest;
    s->responder = host_calls ? s->pair.guest : s->pair.host;
}

static void close_side(struct side *s) {
    pair_close(&s->pair);
}

static struct slot *shared_slot(const struct side *s, uint32_t nth) {
    return region_slot(&s->caller->region, s->caller->calls.first + nth);
}

static word word_of(const struct side *s, uint32_t nth) {
    return slot_look(shared_slot(s, nth));
}

static shmipc_stats stats_of(shmipc_peer *peer) {
    shmipc_stats stats;
    must_equal(shmipc_get_stats(peer, &stats), SHMIPC_OK);
    return stats;
}

/* After any of these tests every slot can be claimed again. */
static void assert_whole_pool_is_free(shmipc_peer *peer) {
    shmipc_slot slots[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(shmipc_slot_claim(peer, 5 * SECOND, &slots[i]), SHMIPC_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(shmipc_slot_release(slots[i]), SHMIPC_OK);
}

/* ---- Copying calls ---- */

/* In the slot, if there is one. */
static int call_from(shmipc_peer *peer, const shmipc_slot *slot, const shmipc_request *request,
                     shmipc_response *response) {
    return slot != NULL ? shmipc_slot_call(*slot, request, response, SHMIPC_FOREVER)
                        : shmipc_call(peer, request, response, SHMIPC_FOREVER);
}

static void call_and_compare_in(shmipc_peer *peer, const shmipc_slot *slot, size_t length,
                                uint32_t type) {
    uint8_t *data = malloc(length + 1);
    uint8_t *answer = malloc(length + 1);
    must(data != NULL && answer != NULL);
    const shmipc_request request = {.data = data, .length = length, .type = type};
    shmipc_response response = {.data = answer, .capacity = length};
    pattern_fill(data, length, length);
    memset(answer, 0xee, length + 1);
    assert_int_equal(call_from(peer, slot, &request, &response), SHMIPC_OK);
    assert_int_equal(response.length, length);
    assert_int_equal(response.type, type);
    assert_true(pattern_holds(answer, length, length));
    assert_int_equal(answer[length], 0xee);
    free(data);
    free(answer);
}

static void call_and_compare(shmipc_peer *peer, size_t length, uint32_t type) {
    call_and_compare_in(peer, NULL, length, type);
}

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

static int oversized_handler(void *context, const shmipc_request *request,
                             shmipc_response *response) {
    (void)request;
    response->length = *(const size_t *)context;
    return 0;
}

static void an_answer_beyond_the_capacity_is_an_error_with_both_sizes(void **state) {
    (void)state;
    size_t lengths[] = {513, 1000, (size_t)UINT32_MAX + 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        const shmipc_request request = {.data = NULL};
        char text[32];
        struct side s;
        struct server server;
        open_side(&s, true, NULL);
        server_start(&server, s.responder, oversized_handler, &lengths[i]);
        assert_int_equal(shmipc_call(s.caller, &request, NULL, SHMIPC_FOREVER), SHMIPC_E_TOO_LARGE);
        (void)snprintf(text, sizeof text, "%zu", lengths[i]);
        assert_non_null(strstr(shmipc_last_error(), text));
        assert_non_null(strstr(shmipc_last_error(), "512"));
        (void)server_stop(&server);
        assert_whole_pool_is_free(s.caller);
        close_side(&s);
    }
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

static int failing_handler(void *context, const shmipc_request *request,
                           shmipc_response *response) {
    (void)context;
    return shmipc_fail(response, "no such key: %.*s", (int)request->length,
                       (const char *)request->data);
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

/* ---- Giving up ---- */

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
        call_start(&call, s.caller, 50 * MILLISECOND);
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

/* A sleeper that was not woken would look up by itself at its next tick: the median must be far
   below that. */
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

/* ---- Claimed slots ---- */

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

static int end_aligned_handler(void *context, const shmipc_request *request,
                               shmipc_response *response) {
    (void)context;
    response->flags = SHMIPC_ALIGN_END;
    response->length = request->length;
    pattern_fill((uint8_t *)response->data + response->capacity - request->length, request->length,
                 request->length);
    return 0;
}

static void assert_stale(shmipc_slot slot) {
    shmipc_response response;
    size_t capacity = 17;
    assert_null(shmipc_slot_buffer(slot, &capacity));
    assert_int_equal(capacity, 17);
    assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_E_STALE);
    assert_int_equal(shmipc_slot_call(slot, &(shmipc_request){.type = 0}, NULL, 0), SHMIPC_E_STALE);
    assert_int_equal(shmipc_slot_ready(slot), SHMIPC_E_STALE);
    assert_int_equal(shmipc_slot_receive(slot, 0, &response), SHMIPC_E_STALE);
    assert_int_equal(shmipc_slot_cancel(slot), SHMIPC_E_STALE);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_E_STALE);
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

/* Else closing would wait for a slot whose owner has been told that it closes. */
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

/* Also when any thread has claimed the slot again: the old handle means the old claim. */
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

/* ---- What ready promises, receive keeps ---- */

static void what_is_ready_without_a_peer_says_so_at_once(void **state) {
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

/* ---- Alignment ---- */

static bool aligned(const void *data, size_t alignment) {
    return (uintptr_t)data % alignment == 0;
}

/* A message that was not sent at the end begins aligned, one that was ends so. */
static void must_be_aligned(const uint8_t *data, size_t length, uint32_t flags) {
    if (flags & SHMIPC_ALIGN_END)
        must(aligned(data + length, 64));
    else if (length > SHMIPC_INLINE || (length % 64 == 0 && length != 0))
        must(aligned(data, 64));
    else
        must(aligned(data, length % 32 == 0 && length != 0 ? 32 : 16));
}

struct shape {
    size_t length;
    uint32_t flags;
};

/* Builds an answer like the request that it checks. */
static int shape_handler(void *context, const shmipc_request *request, shmipc_response *response) {
    const struct shape *shape = context;
    must(aligned(response->data, 64) && response->capacity % 64 == 0);
    must_be_aligned(request->data, request->length, shape->flags);
    must(pattern_holds(request->data, request->length, 1));
    bool at_end = (shape->flags & SHMIPC_ALIGN_END) != 0;
    uint8_t *to = (uint8_t *)response->data + (at_end ? response->capacity - shape->length : 0);
    pattern_fill(to, shape->length, 2);
    response->length = shape->length;
    response->flags = shape->flags;
    return 0;
}

static void exchange_in_place(struct side *s, shmipc_slot slot, const struct shape *shape) {
    size_t capacity;
    shmipc_response response;
    uint8_t *buffer = shmipc_slot_buffer(slot, &capacity);
    must(aligned(buffer, 64) && aligned(buffer + capacity, 64));
    uint8_t *at = (shape->flags & SHMIPC_ALIGN_END) ? buffer + capacity - shape->length : buffer;
    pattern_fill(at, shape->length, 1);
    must_equal(shmipc_slot_send(slot, 0, shape->length, shape->flags), SHMIPC_OK);
    must_equal(shmipc_poll(s->responder, shape_handler, (void *)shape), 1);
    must_equal(shmipc_slot_receive(slot, 5 * SECOND, &response), SHMIPC_OK);
    must_equal(response.length, shape->length);
    must_be_aligned(response.data, shape->length, shape->flags);
    must(pattern_holds(response.data, shape->length, 2));
}

static void messages_are_aligned_as_promised(void **state) {
    (void)state;
    const uint32_t capacities[] = {1, 8, 63, 100, 130, 500, 1000};
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
            shmipc_host_config config = test_host_config();
            struct side s;
            config.request_capacity = config.response_capacity = capacities[i];
            open_side(&s, host_calls, &config);
            shmipc_slot slot = must_claim(s.caller, SHMIPC_FOREVER);
            for (size_t length = 0; length <= capacities[i]; length++) {
                exchange_in_place(&s, slot, &(struct shape){length, 0});
                exchange_in_place(&s, slot, &(struct shape){length, SHMIPC_ALIGN_END});
            }
            must_equal(shmipc_slot_release(slot), SHMIPC_OK);
            close_side(&s);
        }
    }
}

/* ---- What no correct peer writes ---- */

static void send_and_tamper(struct side *s, void (*tamper)(struct slot *), int expected) {
    shmipc_response response;
    const shmipc_request request = {.data = NULL};
    shmipc_slot slot = must_claim(s->caller, SHMIPC_FOREVER);
    must_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    tamper(region_slot(&s->caller->region, slot.index));
    assert_int_equal(shmipc_slot_receive(slot, 5 * SECOND, &response), expected);
    if (expected == SHMIPC_E_CORRUPT) {
        assert_stale(slot);
        assert_int_equal(shmipc_call(s->caller, &request, NULL, 0), SHMIPC_E_CORRUPT);
        assert_int_equal(shmipc_slot_claim(s->caller, 0, &slot), SHMIPC_E_CORRUPT);
    } else {
        assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    }
}

static void store_word(struct slot *slot, word w) {
    exchange_seq_cst64(&slot->word, w);
}

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

/* As the guest would that is attached here. */
static void answer_with(struct slot *slot, uint64_t flags, uint32_t length, uint32_t type) {
    word answer = word_with(slot_look(slot), SLOT_RESPONSE, flags);
    store_relaxed32(&slot->length, length);
    store_relaxed32(&slot->type, type);
    store_word(slot, word_with_owner(answer, owner_make(1, 1)));
}

static void tamper_nothing(struct slot *slot) {
    answer_with(slot, 0, 500, 0);
}
static void tamper_sequence(struct slot *slot) {
    store_word(slot, slot_look(slot) + 0x100);
}
static void tamper_high_sequence(struct slot *slot) {
    store_word(slot, slot_look(slot) ^ UINT64_C(1) << 63);
}
static void tamper_answer_of_another_sequence(struct slot *slot) {
    answer_with(slot, 0, 0, 0);
    store_word(slot, slot_look(slot) + 0x100);
}
static void tamper_owner(struct slot *slot) {
    word w = word_with(slot_look(slot), SLOT_RESPONSE, 0);
    store_word(slot, word_with_owner(w, word_owner(w) == 0 ? 0 : owner_make(9, 9)));
}
static void tamper_free(struct slot *slot) {
    store_word(slot, word_with(slot_look(slot), SLOT_FREE, 0));
}
static void tamper_busy(struct slot *slot) {
    store_word(slot, word_with(slot_look(slot), SLOT_BUSY, 0));
}
static void tamper_cancelled(struct slot *slot) {
    store_word(slot, word_with(slot_look(slot), SLOT_CANCELLED, 0));
}
static void tamper_state(struct slot *slot) {
    store_word(slot, slot_look(slot) | WORD_STATE);
}
static void tamper_length(struct slot *slot) {
    answer_with(slot, 0, 513, 0);
}
static void tamper_longest(struct slot *slot) {
    answer_with(slot, WORD_ALIGN_END, UINT32_MAX, 0);
}
static void tamper_type(struct slot *slot) {
    answer_with(slot, 0, 0, 3);
}
static void tamper_error_type(struct slot *slot) {
    answer_with(slot, WORD_ERROR, 0, 20);
}
static void tamper_error_of_type_0(struct slot *slot) {
    answer_with(slot, WORD_ERROR, 0, 0);
}
static void tamper_error_length(struct slot *slot) {
    answer_with(slot, WORD_ERROR, 513, 29);
}

static void an_impossible_answer_is_corruption_for_ever(void **state) {
    (void)state;
    void (*const tampers[])(struct slot *) = {
        tamper_sequence,     tamper_high_sequence, tamper_answer_of_another_sequence,
        tamper_free,         tamper_busy,          tamper_cancelled,
        tamper_state,        tamper_length,        tamper_longest,
        tamper_type,         tamper_error_type,    tamper_error_of_type_0,
        tamper_error_length, tamper_owner,
    };
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        for (size_t i = 0; i < sizeof tampers / sizeof *tampers; i++) {
            struct side s;
            open_side(&s, host_calls, NULL);
            send_and_tamper(&s, tampers[i], SHMIPC_E_CORRUPT);
            close_side(&s);
        }
        struct side s;
        open_side(&s, host_calls, NULL);
        send_and_tamper(&s, tamper_nothing, SHMIPC_OK);
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

/* ---- Waits that are counted ---- */

/* What becomes of a request that was sent, while its caller is about to wait. */
typedef void fate(struct side *s, shmipc_slot slot);

static void be_answered(struct side *s, shmipc_slot slot) {
    (void)slot;
    assert_int_equal(shmipc_poll(s->responder, echo_handler, NULL), 1);
}

static void be_failed(struct side *s, shmipc_slot slot) {
    (void)slot;
    assert_int_equal(shmipc_poll(s->responder, failing_handler, NULL), 1);
}

static void time_out(struct side *s, shmipc_slot slot) {
    (void)s;
    (void)slot;
}

static word take(struct side *s, shmipc_slot slot) {
    struct slot *shared = region_slot(&s->caller->region, slot.index);
    word seen = slot_look(shared), taken;
    assert_true(shmi_slot_take(shared, seen,
                               word_owner(seen) ? word_owner(seen) : s->responder->self, &taken));
    return taken;
}

static void be_taken(struct side *s, shmipc_slot slot) {
    (void)take(s, slot);
}

/* A host's responder: a guest's cannot die without the guest. */
static void be_taken_to_the_grave(struct side *s, shmipc_slot slot) {
    (void)shmi_slot_reclaim_responder(region_slot(&s->caller->region, slot.index), take(s, slot));
}

static void be_cancelled(struct side *s, shmipc_slot slot) {
    (void)s;
    assert_int_equal(shmipc_slot_cancel(slot), SHMIPC_OK);
}

static void be_corrupted(struct side *s, shmipc_slot slot) {
    tamper_sequence(region_slot(&s->caller->region, slot.index));
}

static void be_answered_corruptly(struct side *s, shmipc_slot slot) {
    tamper_type(region_slot(&s->caller->region, slot.index));
}

static void lose_the_host(struct side *s, shmipc_slot slot) {
    (void)slot;
    assert_int_equal(shmipc_close(s->responder), SHMIPC_OK);
    store_relaxed32(&s->caller->membership.remote_alive, 0);
}

static void close_meanwhile(struct side *s, shmipc_slot slot) {
    (void)slot;
    exchange_seq_cst32(&s->caller->life.phase, PEER_CLOSED);
}

static void expect_to_leave_the_crowd(bool host_calls, fate *befall, int expected) {
    struct side s;
    shmipc_response response;
    open_side(&s, host_calls, NULL);
    shmipc_slot slot = must_claim(s.caller, SHMIPC_FOREVER);
    assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    befall(&s, slot);
    assert_int_equal(shmipc_slot_receive(slot, 10 * MILLISECOND, &response), expected);
    assert_int_not_equal(load_relaxed32(&s.caller->calling.long_waits.mean), 0); /* it was in it */
    assert_int_equal(load_relaxed32(&s.caller->calling.long_waits.now), 0);
    close_side(&s);
}

/* Nobody polls, so each of these waits counts. */
static void however_a_wait_ends_it_no_longer_counts_as_long(void **state) {
    (void)state;
    static const struct {
        fate *befalls;
        int expected;
        bool of_hosts_only;
    } fates[] = {
        {be_answered, SHMIPC_OK, false},
        {be_failed, SHMIPC_E_HANDLER, false},
        {time_out, SHMIPC_E_TIMEOUT, false},
        {be_taken, SHMIPC_E_TIMEOUT_STARTED, false},
        {be_taken_to_the_grave, SHMIPC_E_PEER_DIED, true},
        {be_cancelled, SHMIPC_E_CANCELLED, false},
        {be_corrupted, SHMIPC_E_CORRUPT, false},
        {be_answered_corruptly, SHMIPC_E_CORRUPT, false},
        {lose_the_host, SHMIPC_E_NO_PEER, true},
        {close_meanwhile, SHMIPC_E_CLOSED, false},
    };
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        for (size_t i = 0; i < sizeof fates / sizeof *fates; i++) {
            if (host_calls || !fates[i].of_hosts_only)
                expect_to_leave_the_crowd(host_calls, fates[i].befalls, fates[i].expected);
        }
    }
}

/* ---- Waking ---- */

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
        watched_test(reserved_types_are_refused),
        watched_test(one_byte_too_many_is_not_sent),
        watched_test(an_answer_beyond_the_capacity_is_an_error_with_both_sizes),
        watched_test(an_answer_beyond_the_users_buffer_tells_its_size),
        watched_test(arguments_are_checked),
        watched_test(a_failed_handler_sends_its_message),
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
        watched_test(a_claimed_slot_calls_again_and_again),
        watched_test(calls_in_a_claimed_slot_copy),
        watched_test(a_call_in_a_claimed_slot_keeps_it_after_an_answer_only),
        watched_test(a_call_in_a_claimed_slot_that_is_refused_releases_it),
        watched_test(an_answer_may_lie_at_the_end_of_its_buffer),
        watched_test(ready_tells_whether_the_answer_is_there),
        watched_test(calls_out_of_turn_are_refused),
        watched_test(a_stale_slot_does_nothing),
        watched_test(a_slot_that_was_never_claimed_is_stale),
        watched_test(releasing_a_slot_under_way_abandons_its_request),
        watched_test(an_impossible_answer_is_corruption_for_ever),
        watched_test(a_send_that_finds_another_word_sends_nothing),
        watched_test(messages_are_aligned_as_promised),
        watched_test(what_is_ready_without_a_peer_says_so_at_once),
        watched_test(a_word_that_changes_for_ever_ends_by_the_deadline),
        watched_test(a_slot_changed_before_it_was_sent_is_corruption),
        watched_test(however_a_wait_ends_it_no_longer_counts_as_long),
        watched_test(a_call_that_finds_nobody_asleep_wakes_nobody),
        watched_test(spurious_wakes_are_no_answers),
        watched_test(a_ping_measures_the_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
