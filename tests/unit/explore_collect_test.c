/*
 * Waits for the first of several answers, in thousands of orders of the atomic steps of all
 * threads.
 */
#include "support/explore.h"
#include "support/fixture.h"
#include "unit/explore_stage.h"

#include "peer/peer.h"

#include <string.h>

/* ---- The first of several answers ---- */

static void collect_all(struct stage *s, shmipc_slot *slots, const uint32_t *numbers,
                        size_t count) {
    size_t which = 0;
    shmipc_response response;
    for (size_t n = 0; n < count; n++, which++) {
        must_equal(shmipc_slot_wait_any(slots, count, SHMIPC_FOREVER, &which), SHMIPC_OK);
        must_equal(shmipc_slot_ready(slots[which]), 1);
        must_equal(shmipc_slot_receive(slots[which], SHMIPC_FOREVER, &response), SHMIPC_OK);
        must(memcmp(response.data, &numbers[which], sizeof *numbers) == 0);
        must_equal(shmipc_slot_release(slots[which]), SHMIPC_OK);
    }
    s->calls_to_go -= (uint32_t)count - 1;
    finish_call(s);
}

static void send_both_and_collect(void *context) {
    struct stage *s = context;
    shmipc_slot slots[2];
    uint32_t numbers[2];
    for (int i = 0; i < 2; i++) {
        numbers[i] = ++s->request;
        must_equal(shmipc_slot_claim(s->caller, 0, &slots[i]), SHMIPC_OK);
        memcpy(shmipc_slot_buffer(slots[i], NULL), &numbers[i], sizeof numbers[i]);
        must_equal(shmipc_slot_send(slots[i], 0, sizeof numbers[i], 0), SHMIPC_OK);
    }
    collect_all(s, slots, numbers, 2);
}

static void end_collected(void *context) {
    struct stage *s = context;
    end_two(s);
    must_equal(load_relaxed32(&s->caller->calling.answers.shared->sleepers), 0);
}

static void the_first_of_two_answers_is_found_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run_on_stage(host_calls, 2,
                     (struct scenario){.begin = begin_two,
                                       .end = end_collected,
                                       .actors = {send_both_and_collect, serve_until_woken},
                                       .preemptions = 2,
                                       .drawn = DRAWN});
}

static void begin_three(void *context) {
    expect_calls(context, 3);
}

static void end_three_collected(void *context) {
    struct stage *s = context;
    must_equal(s->served, 3);
    must_equal(load_relaxed32(&s->caller->calling.answers.shared->sleepers), 0);
    assert_pool_is_free(s);
}

static void a_wait_for_any_and_a_wait_for_one_are_both_woken_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run_on_stage(
            host_calls, 3,
            (struct scenario){.begin = begin_three,
                              .end = end_three_collected,
                              .actors = {send_both_and_collect, call_and_finish, serve_until_woken},
                              .preemptions = 0,
                              .drawn = DRAWN});
}

static void collect_cancelled(void *context) {
    struct stage *s = context;
    size_t which = 0;
    shmipc_response response;
    must_equal(shmipc_slot_send(s->slot, 0, 0, 0), SHMIPC_OK);
    must_equal(shmipc_slot_wait_any(&s->slot, 1, SHMIPC_FOREVER, &which), SHMIPC_OK);
    s->result = shmipc_slot_receive(s->slot, 0, &response);
    finish_call(s);
}

/* ---- Waits that are cancelled ---- */

static void a_cancel_ends_the_wait_for_several_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run_on_stage(host_calls, 1,
                     (struct scenario){.begin = begin_claimed,
                                       .end = end_cancelled_unstarted,
                                       .actors = {collect_cancelled, cancel_slot},
                                       .preemptions = 3,
                                       .drawn = DRAWN});
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        watched_test(the_first_of_two_answers_is_found_in_any_order),
        watched_test(a_wait_for_any_and_a_wait_for_one_are_both_woken_in_any_order),
        watched_test(a_cancel_ends_the_wait_for_several_in_any_order),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
