/*
 * Callers, responders and threads that interfere with them, in thousands of orders of their atomic
 * steps. A run that ends has lost no wake-up.
 */
#include "support/explore.h"
#include "support/fixture.h"

#include "peer/peer.h"
#include "region/slot.h"
#include "serve/home.h"
#include "serve/poller.h"

#include <string.h>

/* Runs in orders drawn by lot, beyond those gone through one by one. */
enum { DRAWN = 1200 };

struct stage {
    struct pair pair;
    bool host_calls;
    shmipc_peer *caller;
    shmipc_peer *responder;
    shmipc_peer *another; /* responder, if there are two */
    shmipc_host_config config;
    uint32_t request;     /* a number for each, all runs together */
    uint32_t running;     /* handlers that run now */
    uint32_t served;      /* of this run */
    uint32_t calls_to_go; /* of this run */
    uint32_t late;        /* runs whose first call was given up while its handler ran */
    atomic_u32 met;       /* futex of the handlers that wait for each other */
    shmipc_slot slot;
    int result;
};

static void open_stage(struct stage *s, bool host_calls, uint32_t slots) {
    *s = (struct stage){.host_calls = host_calls, .config = test_host_config()};
    s->config.host_slots = s->config.guest_slots = slots;
    pair_open(&s->pair, &s->config);
    s->caller = host_calls ? s->pair.host : s->pair.guest;
    s->responder = host_calls ? s->pair.guest : s->pair.host;
}

static void close_stage(struct stage *s) {
    pair_close(&s->pair);
}

/* ---- Actors ---- */

/* Answers with the request's number, and notices if the request changes under it. */
static int number_handler(void *context, const shmipc_request *request, shmipc_response *response) {
    struct stage *s = context;
    uint32_t number;
    memcpy(&number, request->data, sizeof number);
    s->running++;
    explore_step();
    must(memcmp(&number, request->data, sizeof number) == 0);
    memcpy(response->data, &number, sizeof number);
    response->length = sizeof number;
    s->running--;
    s->served++;
    return 0;
}

static int call_once(struct stage *s, int64_t timeout) {
    uint32_t number = ++s->request;
    uint32_t answer = 0;
    const shmipc_request request = {.data = &number, .length = sizeof number};
    shmipc_response response = {.data = &answer, .capacity = sizeof answer};
    int error = shmipc_call(s->caller, &request, &response, timeout);
    must(error != SHMIPC_OK || (response.length == sizeof answer && answer == number));
    return error;
}

/* The last of the callers sends the server home. */
static void finish_call(struct stage *s) {
    if (--s->calls_to_go == 0)
        must_equal(shmipc_wake(s->responder), SHMIPC_OK);
}

static void call_and_finish(void *context) {
    struct stage *s = context;
    must_equal(call_once(s, SHMIPC_FOREVER), SHMIPC_OK);
    finish_call(s);
}

static void serve_until_woken(void *context) {
    struct stage *s = context;
    must_equal(shmipc_serve(s->responder, number_handler, s), SHMIPC_E_WOKEN);
}

static void expect_calls(struct stage *s, uint32_t count) {
    s->calls_to_go = count;
    s->served = 0;
}

static void assert_pool_is_free(struct stage *s) {
    const struct direction *d = &s->caller->calls;
    for (uint32_t i = d->first; i < d->first + d->count; i++) {
        enum slot_state state = word_state(slot_look(region_slot(&s->caller->region, i)));
        must(state == SLOT_FREE || (s->host_calls && state == SLOT_RESPONSE));
        must_equal(load_relaxed32(&s->caller->slots[i].claim) % 2, 0);
    }
    must_equal(load_relaxed32(&s->caller->calls.vacancies.shared->sleepers), 0);
    must_equal(load_relaxed32(&s->caller->calls.requests.shared->sleepers), 0);
    must_equal(s->running, 0);
}

/* ---- Calls that are answered ---- */

static void begin_one(void *context) {
    expect_calls(context, 1);
}

static void end_one(void *context) {
    struct stage *s = context;
    must_equal(s->served, 1);
    assert_pool_is_free(s);
}

static void begin_two(void *context) {
    expect_calls(context, 2);
}

static void end_two(void *context) {
    struct stage *s = context;
    must_equal(s->served, 2);
    assert_pool_is_free(s);
}

static void run(bool host_calls, uint32_t slots, struct scenario scenario) {
    struct stage s;
    open_stage(&s, host_calls, slots);
    scenario.context = &s;
    assert_true(explore(&scenario) > scenario.drawn);
    close_stage(&s);
}

static void a_call_is_answered_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run(host_calls, 1,
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

/* Also while its caller is about to sleep. */
static void a_poll_serves_what_waits_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run(host_calls, 1,
            (struct scenario){.begin = begin_one,
                              .end = end_one,
                              .actors = {call_alone, wait_and_poll},
                              .preemptions = 3,
                              .drawn = DRAWN});
}

static void two_callers_are_answered_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run(host_calls, 2,
            (struct scenario){.begin = begin_two,
                              .end = end_two,
                              .actors = {call_and_finish, call_and_finish, serve_until_woken},
                              .preemptions = 0,
                              .drawn = DRAWN});
}

static void two_callers_share_one_slot_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run(host_calls, 1,
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

static void begin_nothing(void *context) {
    (void)context;
}

static void end_free(void *context) {
    assert_pool_is_free(context);
}

static void a_slot_goes_to_each_who_waits_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run(host_calls, 1,
            (struct scenario){.begin = begin_nothing,
                              .end = end_free,
                              .actors = {claim_and_release, claim_and_release, claim_and_release},
                              .preemptions = 0,
                              .drawn = DRAWN});
}

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
        run(host_calls, 2,
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

static void who_collects_and_who_waits_for_one_are_both_woken_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run(host_calls, 3,
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

/* ---- Calls that are given up ---- */

static void begin_claimed(void *context) {
    struct stage *s = context;
    expect_calls(s, 1);
    s->result = 1;
    must_equal(shmipc_slot_claim(s->caller, 0, &s->slot), SHMIPC_OK);
}

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

static void cancel(void *context) {
    struct stage *s = context;
    int error = shmipc_slot_cancel(s->slot);
    must(error == SHMIPC_OK || error == SHMIPC_E_STALE);
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
        run(host_calls, 1,
            (struct scenario){.begin = begin_claimed,
                              .end = end_cancelled,
                              .actors = {send_and_receive, cancel, serve_until_woken},
                              .preemptions = 0,
                              .drawn = DRAWN});
}

/* Nobody serves: only the cancel can end the call. */
static void end_cancelled_unstarted(void *context) {
    struct stage *s = context;
    must_equal(s->result, SHMIPC_E_CANCELLED);
    must_equal(shmipc_wait(s->responder, 0), SHMIPC_E_WOKEN);
    assert_pool_is_free(s);
}

static void a_cancel_ends_an_unanswered_call_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run(host_calls, 1,
            (struct scenario){.begin = begin_claimed,
                              .end = end_cancelled_unstarted,
                              .actors = {send_and_receive, cancel},
                              .preemptions = 3,
                              .drawn = DRAWN});
}

static void a_cancel_ends_the_wait_for_several_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run(host_calls, 1,
            (struct scenario){.begin = begin_claimed,
                              .end = end_cancelled_unstarted,
                              .actors = {collect_cancelled, cancel},
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
        run(host_calls, 1,
            (struct scenario){.begin = begin_one,
                              .end = end_timed_out,
                              .actors = {call_twice_impatiently, time_passes, serve_until_woken},
                              .preemptions = 0,
                              .drawn = DRAWN});
}

/* Until it sleeps, if nothing intervenes: it yields a few times before. */
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

/* ---- An eventcount alone ---- */

/* Two waiters of one peer, each with an event of its own, and a notifier of another peer. */
struct sole_eventcount {
    struct eventcount eventcount;
    struct local_eventcount waiters;
    struct local_eventcount notifier;
    atomic_u32 happened[2];
};

static void begin_sole_eventcount(void *context) {
    struct sole_eventcount *b = context;
    *b = (struct sole_eventcount){.eventcount = {.generation = 0}};
    b->waiters = (struct local_eventcount){.shared = &b->eventcount, .bit = 1 << 1};
    b->notifier = (struct local_eventcount){.shared = &b->eventcount, .bit = 1};
}

static void await_event(struct sole_eventcount *b, const atomic_u32 *happened) {
    while (load_seq_cst32(happened) == 0) {
        uint32_t generation = shmi_eventcount_prepare(&b->waiters);
        if (load_seq_cst32(happened) == 0)
            shmi_eventcount_commit(&b->waiters, generation, CLOCK_NEVER);
        shmi_eventcount_cancel(&b->waiters);
    }
}

static void await_first(void *context) {
    struct sole_eventcount *b = context;
    await_event(b, &b->happened[0]);
}

static void await_second(void *context) {
    struct sole_eventcount *b = context;
    await_event(b, &b->happened[1]);
}

static void notify_twice(void *context) {
    struct sole_eventcount *b = context;
    for (int i = 0; i < 2; i++) {
        exchange_seq_cst32(&b->happened[i], 1);
        if (eventcount_wants_notify(&b->notifier))
            (void)shmi_eventcount_notify(&b->notifier, WAKE_ALL);
    }
}

static void end_sole_eventcount(void *context) {
    must_equal(load_relaxed32(&((struct sole_eventcount *)context)->eventcount.sleepers), 0);
}

static void waiters_that_share_a_bit_lose_no_notification_in_any_order(void **state) {
    (void)state;
    static struct sole_eventcount sole_eventcount;
    const struct scenario scenario = {.begin = begin_sole_eventcount,
                                      .end = end_sole_eventcount,
                                      .actors = {await_first, await_second, notify_twice},
                                      .context = &sole_eventcount,
                                      .preemptions = 2,
                                      .drawn = 4 * DRAWN};
    assert_true(explore(&scenario) > scenario.drawn);
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

static void end_closed(void *context) {
    close_stage(context);
}

static void run_closing(bool host_calls, struct scenario scenario) {
    struct stage s = {.host_calls = host_calls};
    scenario.context = &s;
    assert_true(explore(&scenario) > scenario.drawn);
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

/* All of a group meet. */
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

static void what_is_only_sent_runs_beside_long_handlers_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run_closing(host_calls, (struct scenario){.begin = begin_groups,
                                                  .end = end_groups,
                                                  .actors = {send_groups_and_close, serve_groups,
                                                             serve_groups, serve_groups},
                                                  .preemptions = 0,
                                                  .drawn = DRAWN});
}

/* Each of two workers that begin at the same time has a home of its own. */
static void settle(void *context) {
    struct stage *s = context;
    struct worker worker = {.home = NO_HOME};
    shmi_home_settle(s->responder, &worker);
    must(worker.home != NO_HOME);
}

static void end_homes(void *context) {
    struct stage *s = context;
    for (uint32_t i = 0; i < 2; i++) {
        struct local_slot *l = &s->responder->slots[s->responder->serves.first + i];
        must_equal(load_relaxed32(&l->service.residents), 1);
        must_equal(load_relaxed32(&l->service.keepers), 1);
        store_relaxed32(&l->service.residents, 0);
        store_relaxed32(&l->service.keepers, 0);
    }
}

/* Two workers' steps of their own, without calls. */
static void run_workers(void (*one)(void *), void (*other)(void *), void (*end)(void *)) {
    struct stage s;
    const struct scenario scenario = {.begin = begin_nothing,
                                      .end = end,
                                      .actors = {one, other},
                                      .context = &s,
                                      .preemptions = 2};
    open_stage(&s, true, 2);
    assert_true(explore(&scenario) > 2);
    close_stage(&s);
}

static void workers_settle_in_different_slots_in_any_order(void **state) {
    (void)state;
    run_workers(settle, settle, end_homes);
}

/* One worker begins to poll, another one supersedes it: where nobody polls, nobody says so. */
static void begin_to_poll(void *context) {
    struct stage *s = context;
    struct worker worker = {.id = 1, .home = NO_HOME};
    bool polls = shmi_poller_begin(s->responder, &worker);
    must_equal(worker.state, polls ? WORKER_POLLING : WORKER_SEARCHING);
}

static void supersede(void *context) {
    struct stage *s = context;
    (void)shmi_poller_supersede(s->responder);
}

static void end_polling(void *context) {
    struct stage *s = context;
    struct worker worker = {.id = 1, .state = WORKER_POLLING};
    if (load_seq_cst32(&s->responder->serving.poller) == 0)
        must(!eventcount_has_pollers(&s->responder->serves.requests));
    shmi_poller_stop(s->responder, &worker);
    must_equal(load_seq_cst32(&s->responder->serving.superseded), 0);
}

static void who_is_superseded_leaves_nothing_behind_in_any_order(void **state) {
    (void)state;
    run_workers(begin_to_poll, supersede, end_polling);
}

static void begin_and_stop(void *context) {
    struct stage *s = context;
    struct worker worker = {.id = 1, .home = NO_HOME};
    must(shmi_poller_begin(s->responder, &worker));
    shmi_poller_stop(s->responder, &worker);
}

static void nobody_polls(void *context) {
    struct stage *s = context;
    must_equal(load_seq_cst32(&s->responder->serving.poller), 0);
    must(!eventcount_has_pollers(&s->responder->serves.requests));
    must_equal(load_seq_cst32(&s->responder->serving.superseded), 0);
}

/* Either of the two may be the one that removes the poller. */
static void who_stops_as_it_is_superseded_is_counted_once_in_any_order(void **state) {
    (void)state;
    run_workers(begin_and_stop, supersede, nobody_polls);
}

static void poll_if_nobody_does(void *context) {
    struct stage *s = context;
    struct worker worker = {.id = 2, .home = NO_HOME};
    (void)shmi_poller_begin(s->responder, &worker);
}

static void end_next_polling(void *context) {
    struct stage *s = context;
    struct worker next = {.id = 2, .state = WORKER_POLLING};
    const bool polls = load_seq_cst32(&s->responder->serving.poller) == next.id;
    must_equal(eventcount_has_pollers(&s->responder->serves.requests), polls);
    if (polls)
        shmi_poller_stop(s->responder, &next);
    nobody_polls(context);
}

/* What is said of the next one is not taken back by the one before. */
static void stop_if_polling(void *context) {
    struct stage *s = context;
    struct worker worker = {.id = 1, .home = NO_HOME};
    if (shmi_poller_begin(s->responder, &worker))
        shmi_poller_stop(s->responder, &worker);
}

static void the_bit_is_the_pollers_in_any_order(void **state) {
    (void)state;
    run_workers(stop_if_polling, poll_if_nobody_does, end_next_polling);
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
        watched_test(a_poll_serves_what_waits_in_any_order),
        watched_test(two_callers_are_answered_in_any_order),
        watched_test(two_callers_share_one_slot_in_any_order),
        watched_test(a_slot_goes_to_each_who_waits_in_any_order),
        watched_test(the_first_of_two_answers_is_found_in_any_order),
        watched_test(who_collects_and_who_waits_for_one_are_both_woken_in_any_order),
        watched_test(a_cancelled_call_ends_in_any_order),
        watched_test(a_cancel_ends_the_wait_for_several_in_any_order),
        watched_test(a_cancel_ends_an_unanswered_call_in_any_order),
        watched_test(a_call_after_a_time_out_gets_its_own_answer_in_any_order),
        watched_test(a_late_answer_frees_its_slot_in_any_order),
        watched_test(waiters_that_share_a_bit_lose_no_notification_in_any_order),
        watched_test(closing_ends_calls_that_nobody_answers_in_any_order),
        watched_test(closing_ends_calls_and_servers_in_any_order),
        watched_test(a_second_worker_helps_out_in_any_order),
        watched_test(long_handlers_run_beside_each_other_in_any_order),
        watched_test(what_is_only_sent_runs_beside_long_handlers_in_any_order),
        watched_test(workers_settle_in_different_slots_in_any_order),
        watched_test(who_is_superseded_leaves_nothing_behind_in_any_order),
        watched_test(who_stops_as_it_is_superseded_is_counted_once_in_any_order),
        watched_test(the_bit_is_the_pollers_in_any_order),
        watched_test(either_of_two_guests_is_woken_in_any_order),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
