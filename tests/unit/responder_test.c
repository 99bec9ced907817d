/* What a handler sees and what its caller gets; requests that no handler sees. */
#include "support/empty_calls.h"
#include "support/fixture.h"

#include "peer/peer.h"
#include "region/slot.h"
#include "wire/types.h"

#include <string.h>

/* ---- What a handler sees ---- */

struct seen {
    size_t length;
    uint32_t type, peer, slot;
    size_t capacity;
    size_t response_length;
    uint32_t response_type;
};

static int seeing_handler(void *context, const shmipc_request *request, shmipc_response *response) {
    *(struct seen *)context =
        (struct seen){request->length,    request->type,    request->peer, request->slot,
                      response->capacity, response->length, response->type};
    return 0;
}

static void a_handler_sees_its_caller_and_its_slot(void **state) {
    (void)state;
    struct pair p;
    struct seen seen;
    shmipc_slot slot;
    pair_open(&p, NULL);
    assert_int_equal(shmipc_slot_claim(p.guest, 0, &slot), SHMIPC_OK);
    assert_int_equal(shmipc_slot_send(slot, 130, 77, 0), SHMIPC_OK);
    assert_int_equal(shmipc_poll(p.host, seeing_handler, &seen), 1);
    assert_int_equal(seen.length, 77);
    assert_int_equal(seen.type, 130);
    assert_int_equal(seen.peer, 1);
    assert_true(seen.slot == slot.index && seen.slot >= 2);
    assert_int_equal(seen.capacity, 512);
    assert_int_equal(seen.response_length, 0);
    assert_int_equal(seen.response_type, SHMIPC_TYPE_NORMAL);
    assert_int_equal(receive_and_release(slot), SHMIPC_OK);
    slot = send_empty(p.host);
    assert_int_equal(shmipc_poll(p.guest, seeing_handler, &seen), 1);
    assert_int_equal(seen.peer, 0);
    assert_true(seen.slot == slot.index && seen.slot < 2);
    assert_int_equal(receive_and_release(slot), SHMIPC_OK);
    pair_close(&p);
}

struct patient {
    struct gated gated;
    int abandoned_before, abandoned_after;
    bool unchanged;
};

static int patient_handler(void *context, const shmipc_request *request,
                           shmipc_response *response) {
    struct patient *patient = context;
    uint8_t before[1000];
    memcpy(before, request->data, request->length);
    patient->abandoned_before = shmipc_abandoned(request);
    (void)gated_handler(&patient->gated, request, response);
    patient->abandoned_after = shmipc_abandoned(request);
    patient->unchanged = memcmp(before, request->data, request->length) == 0;
    return 0;
}

static void a_request_stays_while_its_caller_gives_up(void **state) {
    (void)state;
    const size_t lengths[] = {112, 900};
    uint8_t data[1000];
    for (size_t i = 0; i < 2; i++) {
        for (int host_calls = 0; host_calls < 2; host_calls++) {
            struct pair p;
            struct server server;
            struct patient patient = {.abandoned_before = -1};
            shmipc_slot slots[2];
            pair_open(&p, NULL);
            shmipc_peer *caller = host_calls ? p.host : p.guest;
            server_start(&server, host_calls ? p.guest : p.host, patient_handler, &patient);
            pattern_fill(data, sizeof data, 1);
            assert_int_equal(shmipc_slot_claim(caller, 0, &slots[0]), SHMIPC_OK);
            memcpy(shmipc_slot_buffer(slots[0], NULL), data, lengths[i]);
            assert_int_equal(shmipc_slot_send(slots[0], 0, lengths[i], 0), SHMIPC_OK);
            gate_await(&patient.gated.entered, 1);
            assert_int_equal(shmipc_slot_release(slots[0]), SHMIPC_OK);
            assert_int_equal(shmipc_slot_claim(caller, 0, &slots[1]), SHMIPC_OK);
            memset(shmipc_slot_buffer(slots[1], NULL), 0xee, 1000);
            gate_pass(&patient.gated.leave);
            assert_int_equal(server_stop(&server), SHMIPC_E_WOKEN);
            assert_int_equal(patient.abandoned_before, 0);
            assert_int_equal(patient.abandoned_after, 1);
            assert_true(patient.unchanged);
            assert_int_equal(shmipc_slot_release(slots[1]), SHMIPC_OK);
            pair_close(&p);
        }
    }
}

/* ---- What a handler answers ---- */

struct reply {
    uint32_t type, flags;
    size_t length;
};

static int replying_handler(void *context, const shmipc_request *request,
                            shmipc_response *response) {
    const struct reply *reply = context;
    (void)request;
    response->type = reply->type;
    response->flags = reply->flags;
    response->length = reply->length;
    return 0;
}

static void an_answer_of_a_reserved_type_is_an_error(void **state) {
    (void)state;
    struct pair p;
    pair_open(&p, NULL);
    for (uint32_t type = 0; type <= 128; type++) {
        struct reply reply = {.type = type};
        shmipc_slot slot = send_empty(p.host);
        assert_int_equal(shmipc_poll(p.guest, replying_handler, &reply), 1);
        bool sendable = type == 0 || type == 10 || type == 11 || type == 128;
        assert_int_equal(receive_and_release(slot), sendable ? SHMIPC_OK : SHMIPC_E_TYPE);
    }
    pair_close(&p);
}

static int long_winded_handler(void *context, const shmipc_request *request,
                               shmipc_response *response) {
    char text[2000];
    (void)context;
    (void)request;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    return shmipc_fail(response, "%s", text);
}

static void a_long_message_is_shortened_to_the_capacity(void **state) {
    (void)state;
    const uint32_t capacities[] = {1, 48, 100};
    for (size_t i = 0; i < 3; i++) {
        shmipc_host_config config = test_host_config();
        char answer[200];
        struct pair p;
        struct server server;
        config.response_capacity = capacities[i];
        pair_open(&p, &config);
        server_start(&server, p.guest, long_winded_handler, NULL);
        shmipc_response response = {.data = answer, .capacity = sizeof answer};
        assert_int_equal(shmipc_call(p.host, &nothing, &response, SHMIPC_FOREVER),
                         SHMIPC_E_HANDLER);
        size_t limit = ((size_t)capacities[i] + 63) / 64 * 64; /* as it was rounded up */
        assert_in_range(response.length, limit - 1, limit);
        for (size_t n = 0; n < response.length; n++)
            assert_int_equal(answer[n], 'x');
        (void)server_stop(&server);
        pair_close(&p);
    }
}

static int lying_handler(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)request;
    response->length = *(const size_t *)context;
    memset(response->data, 'y', response->capacity);
    return 1;
}

static void a_failed_handlers_length_is_bounded(void **state) {
    (void)state;
    size_t lengths[] = {0, 48, 49, 512, 513, SIZE_MAX};
    char answer[600];
    struct pair p;
    pair_open(&p, NULL);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct server server;
        server_start(&server, p.guest, lying_handler, &lengths[i]);
        shmipc_response response = {.data = answer, .capacity = sizeof answer};
        assert_int_equal(shmipc_call(p.host, &nothing, &response, SHMIPC_FOREVER),
                         SHMIPC_E_HANDLER);
        assert_int_equal(response.length, lengths[i] < 512 ? lengths[i] : 512);
        (void)server_stop(&server);
    }
    pair_close(&p);
}

/* ---- Requests that no handler sees ---- */

static void send_raw(shmipc_slot slot, uint32_t type, uint32_t length) {
    word last = slot.peer->slots[slot.index].last;
    word published;
    store_relaxed32(&shared(slot)->length, length);
    store_relaxed32(&shared(slot)->type, type);
    must(slot_publish_request(shared(slot), last, slot.peer->self, 0, &published));
    slot.peer->slots[slot.index].last = published;
}

static void a_request_of_a_reserved_type_is_answered_for_the_handler(void **state) {
    (void)state;
    struct pair p;
    struct gated gated = {{0}, {0}};
    shmipc_slot slot;
    pair_open(&p, NULL);
    assert_int_equal(shmipc_slot_claim(p.guest, 0, &slot), SHMIPC_OK);
    for (uint32_t type = 2; type < 128; type++) {
        if (type == 10 || type == 11)
            continue;
        send_raw(slot, type, 0);
        assert_int_equal(shmipc_poll(p.host, gated_handler, &gated), 1);
        word answer = slot_look(shared(slot));
        assert_int_equal(word_state(answer), SLOT_RESPONSE);
        assert_true((answer & WORD_FLAGS) == WORD_ERROR);
        assert_int_equal(load_relaxed32(&shared(slot)->type), 19);
        assert_int_equal(load_relaxed32(&shared(slot)->length), 0);
        slot.peer->slots[slot.index].last = answer;
    }
    assert_int_equal(atomic_load(&gated.entered.passed), 0);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    pair_close(&p);
}

static void an_impossible_request_is_corruption(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        for (int what = 0; what < 4; what++) {
            struct pair p;
            struct gated gated = {{0}, {0}};
            shmipc_slot slot;
            pair_open(&p, NULL);
            shmipc_peer *responder = host_calls ? p.guest : p.host;
            assert_int_equal(shmipc_slot_claim(host_calls ? p.host : p.guest, 0, &slot), SHMIPC_OK);
            send_raw(slot, 0, what == 0 ? 1025 : what == 1 ? UINT32_MAX : 0);
            word sent = slot_look(shared(slot));
            owner wrong = host_calls ? owner_make(1, 0) : 0;
            owner no_index = owner_make(0, 5);
            if (what >= 2)
                exchange_seq_cst64(&shared(slot)->word,
                                   word_with_owner(sent, what == 2 ? wrong : no_index));
            assert_int_equal(shmipc_poll(responder, gated_handler, &gated), SHMIPC_E_CORRUPT);
            assert_int_equal(shmipc_poll(responder, gated_handler, &gated), SHMIPC_E_CORRUPT);
            assert_int_equal(shmipc_serve(responder, gated_handler, &gated), SHMIPC_E_CORRUPT);
            assert_int_equal(atomic_load(&gated.entered.passed), 0);
            exchange_seq_cst64(&shared(slot)->word, sent);
            assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
            pair_close(&p);
        }
    }
}

static int tampering_handler(void *context, const shmipc_request *request,
                             shmipc_response *response) {
    struct slot *slot = *(struct slot **)context;
    (void)request;
    (void)response;
    add_seq_cst32(shmi_slot_futex(slot), 0x100);
    return 0;
}

static void a_word_that_changes_under_a_handler_is_corruption(void **state) {
    (void)state;
    struct pair p;
    pair_open(&p, NULL);
    shmipc_slot slot = send_empty(p.host);
    struct slot *raw = shared(slot);
    assert_int_equal(shmipc_poll(p.guest, tampering_handler, &raw), SHMIPC_E_CORRUPT);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    pair_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_handler_sees_its_caller_and_its_slot),
        watched_test(a_request_stays_while_its_caller_gives_up),
        watched_test(an_answer_of_a_reserved_type_is_an_error),
        watched_test(a_long_message_is_shortened_to_the_capacity),
        watched_test(a_failed_handlers_length_is_bounded),
        watched_test(a_request_of_a_reserved_type_is_answered_for_the_handler),
        watched_test(an_impossible_request_is_corruption),
        watched_test(a_word_that_changes_under_a_handler_is_corruption),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
