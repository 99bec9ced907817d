/* Answers that cannot be believed, and what is left behind however a wait for an answer ends. */
#include "support/fixture.h"
#include "support/side.h"

#include "peer/peer.h"
#include "region/slot.h"

#include <stdio.h>
#include <string.h>

/* ---- Answers ---- */

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

/* Answers as the attached guest would. */
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

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(an_answer_beyond_the_capacity_is_an_error_with_both_sizes),
        watched_test(an_impossible_answer_is_corruption_for_ever),
        watched_test(however_a_wait_ends_it_no_longer_counts_as_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
