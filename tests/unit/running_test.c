/*
 * Workers that run handlers, long and short ones: over a system of the test's own.
 */
#include "support/fake_system.h"
#include "support/fixture.h"

#include "region/slot.h"
#include "serve/poller.h"
#include "serve/sentry.h"

enum { LONG = SHMIPC_TYPE_APPLICATION, SHORT, UNKNOWN }; /* message types */
enum { LONG_NS = 100000 };
#define ANOTHER_PEER (UINT32_C(1) << 15) /* its bit */

static struct {
    struct pair pair;
    shmipc_peer *peer;
    struct local_eventcount *eventcount;
    shmipc_slot slots[2];
    uint32_t generation;
    uint32_t yields; /* before it sleeps */
    unsigned runs;
} scene;

/* Somebody of another peer sleeps all the time. */
static void open_scene(void) {
    pair_open(&scene.pair, NULL);
    scene.peer = scene.pair.guest;
    scene.eventcount = &scene.peer->serves.requests;
    scene.runs = 0;
    store_relaxed32(&scene.peer->serving.sentry, SENTRY_CONTENT); /* so nobody notifies one */
    or_seq_cst32(&scene.eventcount->shared->sleepers, ANOTHER_PEER);
    shmi_duration_learn_long(&scene.peer->serving.durations, LONG);
    for (int i = 0; i < 2; i++)
        must_equal(shmipc_slot_claim(scene.pair.host, 0, &scene.slots[i]), SHMIPC_OK);
}

static void close_scene(void) {
    must_equal(load_relaxed32(&scene.peer->serving.long_handlers.now), 0);
    for (int i = 0; i < 2; i++)
        must_equal(shmipc_slot_release(scene.slots[i]), SHMIPC_OK);
    pair_close(&scene.pair);
}

static void send_one(uint32_t nth, uint32_t type) {
    must_equal(shmipc_slot_send(scene.slots[nth], type, 0, 0), SHMIPC_OK);
}

static void end_when_asleep(void) {
    scene.yields = fake.yields;
    must_equal(shmipc_wake(scene.peer), SHMIPC_OK);
}

static void serve_with(shmipc_handler handler) {
    fake.during_sleep = end_when_asleep;
    must_equal(shmipc_serve(scene.peer, handler, NULL), SHMIPC_E_WOKEN);
    fake.during_sleep = NULL;
}

/* ---- Polling and running ---- */

static int callers_notify_if_long(void *context, const shmipc_request *request,
                                  shmipc_response *response) {
    const bool is_long = request->type == LONG;
    (void)context;
    (void)response;
    must_equal(eventcount_wants_notify(scene.eventcount), is_long);
    must_equal(poller_exists(scene.peer), !is_long);
    must_equal(load_relaxed32(&scene.peer->serving.long_handlers.now), is_long);
    scene.runs++;
    if (is_long)
        fake.now += LONG_NS;
    return 0;
}

static void callers_notify_while_a_long_handler_runs_and_not_while_a_short_one_does(void **state) {
    (void)state;
    for (uint32_t type = LONG; type <= SHORT; type++) {
        open_scene();
        send_one(0, type);
        serve_with(callers_notify_if_long);
        assert_int_equal(scene.runs, 1);
        close_scene();
    }
}

static int note_notifies(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)context;
    (void)response;
    if (scene.runs++ == 0)
        scene.generation = shmi_eventcount_generation(scene.eventcount) - scene.generation;
    if (request->type == LONG)
        fake.now += LONG_NS;
    return 0;
}

/* The second one comes with the first, and nobody is notified of it. */
static uint32_t notifications_before_the_first_of_two(uint32_t type) {
    open_scene();
    shmi_eventcount_join_pollers(scene.eventcount);
    send_one(0, type);
    send_one(1, type);
    scene.generation = shmi_eventcount_generation(scene.eventcount);
    serve_with(note_notifies);
    must_equal(scene.runs, 2);
    close_scene();
    return scene.generation;
}

static void a_request_that_waits_before_a_long_handler_is_notified_of(void **state) {
    (void)state;
    assert_int_equal(notifications_before_the_first_of_two(LONG), 2); /* it may be for several */
    assert_int_equal(notifications_before_the_first_of_two(SHORT), 0);
}

/* A worker without work polls, unless many run long handlers: then it would take their processors.
   */
static bool polls_after(uint32_t type, uint32_t at_once) {
    struct spin_budget spins = {.least = 1, .most = 1};
    open_scene();
    scene.peer->serving.spins = spins;
    store_relaxed32(&scene.peer->serving.long_handlers.mean, at_once * CROWD_PARTS);
    send_one(0, type);
    fake.yields = 0;
    serve_with(callers_notify_if_long);
    close_scene();
    return scene.yields > 0;
}

static void after_long_handlers_a_worker_parks_at_once_in_a_crowd(void **state) {
    (void)state;
    assert_true(polls_after(LONG, 1));
    assert_false(polls_after(LONG, 2));
    assert_true(polls_after(SHORT, 2));
}

/* ---- Measuring ---- */

static int last_long(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)context;
    (void)request;
    (void)response;
    fake.now += LONG_NS;
    scene.runs++;
    return 0;
}

static unsigned to_go;

static int send_the_next(void *context, const shmipc_request *request, shmipc_response *response) {
    if (--to_go > 0)
        send_one((uint32_t)(to_go % 2), request->type);
    return last_long(context, request, response);
}

/* So many requests, one after the other. */
static void serve_so_many(uint32_t type, unsigned count) {
    to_go = count;
    send_one((uint32_t)(count % 2), type);
    serve_with(send_the_next);
    must_equal(scene.runs, count);
}

/* The first handler is not measured. An eighth of the second one is noted, which is long. */
static void a_long_type_is_learned_from_the_handlers_that_are_measured(void **state) {
    (void)state;
    for (unsigned count = 1; count <= 2; count++) {
        open_scene();
        serve_so_many(UNKNOWN, count);
        assert_int_equal(load_relaxed32(&scene.peer->serving.durations.ns[UNKNOWN % DURATIONS]),
                         count == 2 ? LONG_NS / 8 : 0);
        assert_int_equal(duration_is_long(&scene.peer->serving.durations, UNKNOWN), count == 2);
        close_scene();
    }
}

/* Each handler is measured now, and one that takes no time is enough. */
static void a_type_that_was_taken_for_long_is_soon_known_better(void **state) {
    (void)state;
    open_scene();
    send_one(0, LONG);
    serve_with(echo_handler);
    assert_false(duration_is_long(&scene.peer->serving.durations, LONG));
    close_scene();
}

/* ---- Lines ---- */

static size_t line_of(size_t offset) {
    const size_t own = 2 * (size_t)CACHE_LINE;
    return offset / own;
}

#define LINE_OF(field) line_of(offsetof(struct shmipc_peer, field))

static void fields_that_requests_read_share_no_line_with_those_of_long_handlers(void **state) {
    (void)state;
    const size_t read[] = {LINE_OF(serving.durations.long_places),
                           LINE_OF(serving.durations.long_ns),
                           LINE_OF(serving.sentry),
                           LINE_OF(serving.waiters_and_wakes),
                           LINE_OF(serving.poller),
                           LINE_OF(life.phase)};
    const size_t changed[] = {
        LINE_OF(serving.long_handlers.now), LINE_OF(serving.long_handlers.mean),
        LINE_OF(calling.long_waits.now),    LINE_OF(calling.long_waits.mean),
        LINE_OF(serving.durations.ns[0]),   LINE_OF(serving.durations.ns[DURATIONS - 1]),
        LINE_OF(serving.durations.wake_ns), LINE_OF(serving.idle_at),
        LINE_OF(serving.rests_since),       LINE_OF(life.users)};
    for (size_t i = 0; i < sizeof read / sizeof *read; i++) {
        for (size_t j = 0; j < sizeof changed / sizeof *changed; j++)
            assert_int_not_equal(read[i], changed[j]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(
            callers_notify_while_a_long_handler_runs_and_not_while_a_short_one_does, fake_system),
        cmocka_unit_test_setup(a_request_that_waits_before_a_long_handler_is_notified_of,
                               fake_system),
        cmocka_unit_test_setup(after_long_handlers_a_worker_parks_at_once_in_a_crowd, fake_system),
        cmocka_unit_test_setup(a_long_type_is_learned_from_the_handlers_that_are_measured,
                               fake_system),
        cmocka_unit_test_setup(a_type_that_was_taken_for_long_is_soon_known_better, fake_system),
        cmocka_unit_test_setup(fields_that_requests_read_share_no_line_with_those_of_long_handlers,
                               fake_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
