/*
 * Workers that are parked, over a system of the test's own. Of several, each serves while the one
 * before it sleeps: one thread is all of them.
 */
#include "support/fake_system.h"
#include "support/fixture.h"

#include "peer/peer.h"
#include "region/slot.h"

enum { MOST = 3 };

static struct {
    struct pair pair;
    shmipc_peer *peer;
    struct local_eventcount *eventcount;
    unsigned workers; /* that are to sleep at once */
    unsigned asleep;
    void (*when_all_sleep)(void); /* once, in the last one's first sleep */
} scene;

static void open_scene(unsigned workers, void (*when_all_sleep)(void)) {
    pair_open(&scene.pair, NULL);
    scene.peer = scene.pair.guest;
    scene.eventcount = &scene.peer->serves.requests;
    scene.workers = workers;
    scene.asleep = 0;
    scene.when_all_sleep = when_all_sleep;
}

static bool is_announced(void) {
    return (load_seq_cst32(&scene.eventcount->shared->sleepers) & scene.eventcount->bit) != 0;
}

static uint64_t sleep_time(void) {
    return fake.until - fake.now;
}

static void sleep_beside_others(void);

static void serve_one_more(void) {
    fake.during_sleep = sleep_beside_others;
    must_equal(shmipc_serve(scene.peer, echo_handler, NULL), SHMIPC_E_WOKEN);
}

/* All are woken in the end. */
static void sleep_beside_others(void) {
    scene.asleep++;
    must_equal(load_relaxed32(&scene.eventcount->waiters), scene.asleep);
    must(is_announced());
    must(!eventcount_has_pollers(scene.eventcount));
    if (scene.asleep < scene.workers)
        serve_one_more();
    else
        scene.when_all_sleep();
    scene.asleep--;
    must_equal(load_relaxed32(&scene.eventcount->waiters), scene.asleep + 1);
}

static void serve_and_close(void) {
    serve_one_more();
    fake.during_sleep = NULL;
    must_equal(scene.asleep, 0);
    must_equal(load_relaxed32(&scene.eventcount->waiters), 0);
    must(!is_announced());
    must_equal(load_relaxed32(&scene.peer->serving.ticker), 0);
    pair_close(&scene.pair);
}

static void wake_all(void) {
    must_equal(shmipc_wake(scene.peer), SHMIPC_OK);
}

static void each_parked_worker_is_announced(void **state) {
    (void)state;
    for (unsigned workers = 1; workers <= MOST; workers++) {
        open_scene(workers, wake_all);
        serve_and_close();
    }
}

/* ---- Ticks ---- */

/* The last one goes on alone from here; the others still count as asleep. */
static void go_on(void (*during)(void)) {
    fake.during_sleep = during;
    fake.now = fake.until;
    fake.sleeps = 0;
}

static void tick_for_all_or_end(void) {
    must_equal(sleep_time(), TICK_NS);
    if (fake.sleeps == 2)
        wake_all();
    else
        fake.now = fake.until;
}

/* The first one is woken, and does not come back. */
static void tick_rarely_then_for_all(void) {
    const uint32_t ticker = load_relaxed32(&scene.peer->serving.ticker);
    must(ticker != 0);
    must_equal(sleep_time(), PARKED_TICK_NS);
    store_relaxed32(&scene.peer->serving.ticker, 0);
    go_on(tick_for_all_or_end);
}

static void one_of_the_parked_workers_ticks(void **state) {
    (void)state;
    open_scene(1, wake_all);
    scene.when_all_sleep = tick_for_all_or_end;
    fake.sleeps = 0;
    serve_and_close();
    open_scene(2, tick_rarely_then_for_all);
    serve_and_close();
    assert_int_equal(fake.sleeps, 2);
}

static int nobody_ticks(void *context, const shmipc_request *request, shmipc_response *response) {
    must_equal(load_relaxed32(&scene.peer->serving.ticker), 0);
    return echo_handler(context, request, response);
}

static shmipc_slot slot;

static void send_or_end(void) {
    if (fake.sleeps == 1)
        must_equal(shmipc_slot_send(slot, SHMIPC_TYPE_NORMAL, 0, 0), SHMIPC_OK);
    else
        wake_all();
}

static void a_worker_that_is_woken_leaves_the_ticks_to_another(void **state) {
    (void)state;
    open_scene(1, NULL);
    assert_int_equal(shmipc_slot_claim(scene.pair.host, 0, &slot), SHMIPC_OK);
    fake.sleeps = 0;
    fake.during_sleep = send_or_end;
    assert_int_equal(shmipc_serve(scene.peer, nobody_ticks, NULL), SHMIPC_E_WOKEN);
    fake.during_sleep = NULL;
    assert_int_equal(fake.sleeps, 2);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    pair_close(&scene.pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(each_parked_worker_is_announced, fake_system),
        cmocka_unit_test_setup(one_of_the_parked_workers_ticks, fake_system),
        cmocka_unit_test_setup(a_worker_that_is_woken_leaves_the_ticks_to_another, fake_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
