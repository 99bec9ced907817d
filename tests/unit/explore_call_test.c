/*
 * Calls that are answered, in thousands of orders of the atomic steps of callers and workers: no
 * wake-up is lost.
 */
#include "support/explore.h"
#include "support/fixture.h"
#include "unit/explore_stage.h"

/* ---- Calls that are answered ---- */

static void end_one(void *context) {
    struct stage *s = context;
    must_equal(s->served, 1);
    assert_pool_is_free(s);
}

static void a_call_is_answered_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run_on_stage(host_calls, 1,
                     (struct scenario){.begin = begin_one,
                                       .end = end_one,
                                       .actors = {call_and_finish, serve_until_woken},
                                       .preemptions = 2,
                                       .drawn = DRAWN});
}

static void wait_and_poll(void *context) {
    struct stage *s = context;
    must_equal(shmipc_wait(s->responder, SHMIPC_FOREVER), SHMIPC_OK);
    must_equal(shmipc_poll(s->responder, number_handler, s), 1);
}

static void call_alone(void *context) {
    must_equal(call_once(context, SHMIPC_FOREVER), SHMIPC_OK);
}

/* The caller may be about to sleep. */
static void a_poll_serves_a_waiting_request_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run_on_stage(host_calls, 1,
                     (struct scenario){.begin = begin_one,
                                       .end = end_one,
                                       .actors = {call_alone, wait_and_poll},
                                       .preemptions = 3,
                                       .drawn = DRAWN});
}

static void two_callers_are_answered_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run_on_stage(
            host_calls, 2,
            (struct scenario){.begin = begin_two,
                              .end = end_two,
                              .actors = {call_and_finish, call_and_finish, serve_until_woken},
                              .preemptions = 0,
                              .drawn = DRAWN});
}

static void two_callers_share_one_slot_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run_on_stage(
            host_calls, 1,
            (struct scenario){.begin = begin_two,
                              .end = end_two,
                              .actors = {call_and_finish, call_and_finish, serve_until_woken},
                              .preemptions = 0,
                              .drawn = DRAWN});
}

/* ---- Waiting for a slot ---- */

static void claim_and_release(void *context) {
    struct stage *s = context;
    shmipc_slot slot;
    must_equal(shmipc_slot_claim(s->caller, SHMIPC_FOREVER, &slot), SHMIPC_OK);
    must_equal(++s->running, 1);
    explore_step();
    s->running--;
    must_equal(shmipc_slot_release(slot), SHMIPC_OK);
}

static void end_free(void *context) {
    assert_pool_is_free(context);
}

static void each_waiter_gets_the_slot_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run_on_stage(
            host_calls, 1,
            (struct scenario){.begin = begin_nothing,
                              .end = end_free,
                              .actors = {claim_and_release, claim_and_release, claim_and_release},
                              .preemptions = 0,
                              .drawn = DRAWN});
}

/* ---- Several guests ---- */

static void serve_as_another(void *context) {
    struct stage *s = context;
    must_equal(shmipc_serve(s->another, number_handler, s), SHMIPC_E_WOKEN);
}

static void call_twice_and_send_both_home(void *context) {
    struct stage *s = context;
    for (int i = 0; i < 2; i++)
        must_equal(call_once(s, SHMIPC_FOREVER), SHMIPC_OK);
    must_equal(shmipc_wake(s->responder), SHMIPC_OK);
    must_equal(shmipc_wake(s->another), SHMIPC_OK);
}

/* The second call notifies the guest that answered the first, asleep or not. */
static void either_of_two_guests_is_woken_in_any_order(void **state) {
    (void)state;
    const shmipc_guest_config config = test_guest_config();
    struct scenario scenario = {
        .begin = begin_two,
        .end = end_two,
        .actors = {call_twice_and_send_both_home, serve_until_woken, serve_as_another},
        .preemptions = 1,
        .drawn = DRAWN};
    struct stage s;
    open_stage(&s, true, 1);
    must_equal(shmipc_guest_attach(s.pair.name.text, &config, SECOND, &s.another), SHMIPC_OK);
    scenario.context = &s;
    assert_true(explore(&scenario) > scenario.drawn);
    shmipc_free(s.another);
    close_stage(&s);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        watched_test(a_call_is_answered_in_any_order),
        watched_test(a_poll_serves_a_waiting_request_in_any_order),
        watched_test(two_callers_are_answered_in_any_order),
        watched_test(two_callers_share_one_slot_in_any_order),
        watched_test(each_waiter_gets_the_slot_in_any_order),
        watched_test(either_of_two_guests_is_woken_in_any_order),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
