/*
 * Calls that are cancelled, time out or are closed under, in thousands of orders of atomic steps.
 */
#include "support/explore.h"
#include "support/fixture.h"
#include "unit/explore_stage.h"

#include <string.h>

/* ---- Calls that are given up ---- */

static void send_and_receive(void *context) {
    struct stage *s = context;
    uint32_t number = ++s->request;
    shmipc_response response;
    memcpy(shmipc_slot_buffer(s->slot, NULL), &number, sizeof number);
    must_equal(shmipc_slot_send(s->slot, 0, sizeof number, 0), SHMIPC_OK);
    s->result = shmipc_slot_receive(s->slot, SHMIPC_FOREVER, &response);
    if (s->result == SHMIPC_OK) {
        must(memcmp(response.data, &number, sizeof number) == 0);
        must_equal(shmipc_slot_release(s->slot), SHMIPC_OK);
    }
    finish_call(s);
}

static void end_cancelled(void *context) {
    struct stage *s = context;
    must(s->result == SHMIPC_OK || s->result == SHMIPC_E_CANCELLED ||
         s->result == SHMIPC_E_CANCELLED_STARTED);
    must_equal(s->served, s->result != SHMIPC_E_CANCELLED);
    assert_pool_is_free(s);
}

static void a_cancelled_call_ends_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run_on_stage(host_calls, 1,
                     (struct scenario){.begin = begin_claimed,
                                       .end = end_cancelled,
                                       .actors = {send_and_receive, cancel_slot, serve_until_woken},
                                       .preemptions = 0,
                                       .drawn = DRAWN});
}

static void a_cancel_ends_an_unanswered_call_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run_on_stage(host_calls, 1,
                     (struct scenario){.begin = begin_claimed,
                                       .end = end_cancelled_unstarted,
                                       .actors = {send_and_receive, cancel_slot},
                                       .preemptions = 3,
                                       .drawn = DRAWN});
}

/* The second call follows the first one's time-out at once, into the only slot there is. */
static void call_twice_impatiently(void *context) {
    struct stage *s = context;
    s->result = call_once(s, SECOND);
    must_equal(call_once(s, SHMIPC_FOREVER), SHMIPC_OK);
    finish_call(s);
}

static void time_passes(void *context) {
    (void)context;
    explore_time_passes();
}

static void end_timed_out(void *context) {
    struct stage *s = context;
    must(s->result == SHMIPC_OK || s->result == SHMIPC_E_TIMEOUT ||
         s->result == SHMIPC_E_TIMEOUT_STARTED);
    must_equal(s->served, s->result == SHMIPC_E_TIMEOUT ? 1 : 2);
    assert_pool_is_free(s);
}

static void a_call_after_a_time_out_gets_its_own_answer_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run_on_stage(
            host_calls, 1,
            (struct scenario){.begin = begin_one,
                              .end = end_timed_out,
                              .actors = {call_twice_impatiently, time_passes, serve_until_woken},
                              .preemptions = 0,
                              .drawn = DRAWN});
}

/* Lets the caller run until it sleeps, unless it has an answer: it yields a few times before. */
static void let_caller_run(void) {
    for (int i = 0; i < 4 * YIELDS; i++)
        shmi_cpu_yield();
}

/* The first handler of each run lasts until its caller's time is over. */
static int slow_handler(void *context, const shmipc_request *request, shmipc_response *response) {
    struct stage *s = context;
    if (s->served == 0) {
        let_caller_run();
        explore_time_passes();
        let_caller_run();
    }
    return number_handler(context, request, response);
}

static void serve_slowly_until_woken(void *context) {
    struct stage *s = context;
    must_equal(shmipc_serve(s->responder, slow_handler, s), SHMIPC_E_WOKEN);
}

static void begin_late(void *context) {
    ((struct stage *)context)->late +=
        ((struct stage *)context)->result == SHMIPC_E_TIMEOUT_STARTED;
    begin_one(context);
}

static void a_late_answer_frees_its_slot_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        struct stage s;
        open_stage(&s, host_calls, 1);
        const struct scenario scenario = {
            .begin = begin_late,
            .end = end_timed_out,
            .actors = {call_twice_impatiently, serve_slowly_until_woken},
            .context = &s,
            .preemptions = 1,
            .drawn = DRAWN};
        int runs = explore(&scenario);
        assert_true(s.late > (uint32_t)runs / 20);
        close_stage(&s);
    }
}

/* ---- Closing ---- */

static void begin_open(void *context) {
    struct stage *s = context;
    open_stage(s, s->host_calls, 1);
}

static void call_to_the_end(void *context) {
    struct stage *s = context;
    int error = call_once(s, SHMIPC_FOREVER);
    must(error == SHMIPC_OK || error == SHMIPC_E_CLOSED || error == SHMIPC_E_CLOSED_STARTED);
}

static void serve_to_the_end(void *context) {
    struct stage *s = context;
    int error = shmipc_serve(s->responder, number_handler, s);
    must(error == SHMIPC_E_CLOSED || (s->host_calls && error == SHMIPC_E_SHUTDOWN));
}

static void close_caller(void *context) {
    shmipc_close(((struct stage *)context)->caller);
}

static void close_caller_then_responder(void *context) {
    close_caller(context);
    shmipc_close(((struct stage *)context)->responder);
}

static void closing_ends_calls_that_nobody_answers_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run_closing(host_calls,
                    (struct scenario){.begin = begin_open,
                                      .end = end_closed,
                                      .actors = {call_to_the_end, call_to_the_end, close_caller},
                                      .preemptions = 0,
                                      .drawn = DRAWN / 4});
}

static void closing_ends_calls_and_servers_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run_closing(host_calls, (struct scenario){.begin = begin_open,
                                                  .end = end_closed,
                                                  .actors = {call_to_the_end, serve_to_the_end,
                                                             close_caller_then_responder},
                                                  .preemptions = 0,
                                                  .drawn = DRAWN / 4});
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        watched_test(a_cancelled_call_ends_in_any_order),
        watched_test(a_cancel_ends_an_unanswered_call_in_any_order),
        watched_test(a_call_after_a_time_out_gets_its_own_answer_in_any_order),
        watched_test(a_late_answer_frees_its_slot_in_any_order),
        watched_test(closing_ends_calls_that_nobody_answers_in_any_order),
        watched_test(closing_ends_calls_and_servers_in_any_order),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
