/* Handlers that need a worker each, in thousands of orders of the steps of callers and workers. */
#include "support/explore.h"
#include "support/fixture.h"
#include "unit/explore_stage.h"

#include "peer/peer.h"

/* ---- Several workers ---- */

/* Each handler waits until the other runs too: one worker for both would wait for ever. */
static int meeting_handler(void *context, const shmipc_request *request,
                           shmipc_response *response) {
    struct stage *s = context;
    atomic_u32 *met = &s->met;
    if (++s->running == 2) {
        store_relaxed32(met, 1);
        (void)shmi_word_wake(NULL, met, WAKE_ALL);
    }
    while (load_relaxed32(met) == 0)
        (void)shmi_word_wait(NULL, met, 0, CLOCK_NEVER, NO_HOME);
    s->running--;
    return number_handler(s, request, response);
}

static void begin_meeting(void *context) {
    struct stage *s = context;
    open_stage(s, s->host_calls, 2);
    expect_calls(s, 2);
}

static void serve_meeting(void *context) {
    struct stage *s = context;
    must_equal(shmipc_serve(s->responder, meeting_handler, s), SHMIPC_E_CLOSED);
}

static void call_and_close(void *context) {
    struct stage *s = context;
    must_equal(call_once(s, SHMIPC_FOREVER), SHMIPC_OK);
    if (--s->calls_to_go == 0)
        shmipc_close(s->responder);
}

static void a_second_worker_helps_out_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run_closing(host_calls, (struct scenario){.begin = begin_meeting,
                                                  .end = end_closed,
                                                  .actors = {call_and_close, call_and_close,
                                                             serve_meeting, serve_meeting},
                                                  .preemptions = 0,
                                                  .drawn = DRAWN / 4});
}

/* ---- Long handlers ---- */

enum { LONG_NS = 100000, LONG = SHMIPC_TYPE_NORMAL, PAIRS = 2 };

/* They meet in pairs, so each needs a worker of its own. */
static int meet_again(void *context, const shmipc_request *request, shmipc_response *response) {
    struct stage *s = context;
    atomic_u32 *met = &s->met;
    const uint32_t pair = s->running++ / 2 + 1;
    if (s->running % 2 == 0) {
        store_relaxed32(met, pair);
        (void)shmi_word_wake(NULL, met, WAKE_ALL);
    }
    for (uint32_t seen = load_relaxed32(met); seen < pair; seen = load_relaxed32(met))
        (void)shmi_word_wait(NULL, met, seen, CLOCK_NEVER, NO_HOME);
    explore_take(LONG_NS);
    (void)request;
    (void)response;
    s->served++;
    return 0;
}

/* In half of the runs the workers know that the handlers are long. */
static void begin_pairs(void *context) {
    struct stage *s = context;
    const uint32_t run = s->late + 1;
    open_stage(s, s->host_calls, 2);
    s->late = run;
    expect_calls(s, 2);
    if (run % 2 == 0)
        shmi_duration_learn_long(&s->responder->serving.durations, LONG);
}

static void serve_pairs(void *context) {
    struct stage *s = context;
    must_equal(shmipc_serve(s->responder, meet_again, s), SHMIPC_E_CLOSED);
}

static void call_in_pairs_and_close(void *context) {
    struct stage *s = context;
    const shmipc_request nothing = {.type = LONG};
    for (int i = 0; i < PAIRS; i++)
        must_equal(shmipc_call(s->caller, &nothing, NULL, SHMIPC_FOREVER), SHMIPC_OK);
    if (--s->calls_to_go == 0)
        shmipc_close(s->responder);
}

static void end_pairs(void *context) {
    struct stage *s = context;
    must_equal(s->served, 2 * PAIRS);
    must_equal(load_relaxed32(&s->responder->serving.long_handlers.now), 0);
    must_equal(load_relaxed32(&s->caller->calling.long_waits.now), 0);
    close_stage(s);
}

static void long_handlers_run_beside_each_other_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run_closing(host_calls,
                    (struct scenario){.begin = begin_pairs,
                                      .end = end_pairs,
                                      .actors = {call_in_pairs_and_close, call_in_pairs_and_close,
                                                 serve_pairs, serve_pairs},
                                      .preemptions = 0,
                                      .drawn = DRAWN});
}

enum { GROUP = 3 };

/* Returns when all handlers of a group run. */
static int meet_in_a_group(void *context, const shmipc_request *request,
                           shmipc_response *response) {
    struct stage *s = context;
    atomic_u32 *met = &s->met;
    (void)request;
    (void)response;
    const uint32_t group = s->running++ / GROUP + 1;
    if (s->running % GROUP == 0) {
        store_relaxed32(met, group);
        (void)shmi_word_wake(NULL, met, WAKE_ALL);
    }
    for (uint32_t seen = load_relaxed32(met); seen < group; seen = load_relaxed32(met))
        (void)shmi_word_wait(NULL, met, seen, CLOCK_NEVER, NO_HOME);
    explore_take(LONG_NS);
    s->served++;
    return 0;
}

static void begin_groups(void *context) {
    struct stage *s = context;
    const uint32_t run = s->late + 1;
    open_stage(s, s->host_calls, GROUP);
    s->late = run;
    if (run % 2 == 0)
        shmi_duration_learn_long(&s->responder->serving.durations, LONG);
}

static void serve_groups(void *context) {
    struct stage *s = context;
    must_equal(shmipc_serve(s->responder, meet_in_a_group, s), SHMIPC_E_CLOSED);
}

/* Looks at none of them until all handlers run, so that it notifies only as it sends them. */
static void send_groups_and_close(void *context) {
    struct stage *s = context;
    shmipc_slot slots[GROUP];
    shmipc_response response;
    for (int i = 0; i < GROUP; i++)
        must_equal(shmipc_slot_claim(s->caller, 0, &slots[i]), SHMIPC_OK);
    for (uint32_t group = 0; group < PAIRS; group++) {
        for (int i = 0; i < GROUP; i++)
            must_equal(shmipc_slot_send(slots[i], LONG, 0, 0), SHMIPC_OK);
        while (load_relaxed32(&s->met) == group)
            (void)shmi_word_wait(NULL, &s->met, group, CLOCK_NEVER, NO_HOME);
        for (int i = 0; i < GROUP; i++)
            must_equal(shmipc_slot_receive(slots[i], SHMIPC_FOREVER, &response), SHMIPC_OK);
    }
    for (int i = 0; i < GROUP; i++)
        must_equal(shmipc_slot_release(slots[i]), SHMIPC_OK);
    shmipc_close(s->responder);
}

static void end_groups(void *context) {
    struct stage *s = context;
    must_equal(s->served, GROUP * PAIRS);
    close_stage(s);
}

static void requests_only_sent_run_beside_long_handlers_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run_closing(host_calls, (struct scenario){.begin = begin_groups,
                                                  .end = end_groups,
                                                  .actors = {send_groups_and_close, serve_groups,
                                                             serve_groups, serve_groups},
                                                  .preemptions = 0,
                                                  .drawn = DRAWN});
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        watched_test(a_second_worker_helps_out_in_any_order),
        watched_test(long_handlers_run_beside_each_other_in_any_order),
        watched_test(requests_only_sent_run_beside_long_handlers_in_any_order),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
