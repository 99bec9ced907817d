/*
 * The poller of a peer, step by step in one thread: workers that are played, and one that serves
 * over a system of the test's own.
 */
#include "support/fake_system.h"
#include "support/fixture.h"

#include "region/slot.h"
#include "serve/poller.h"
#include "serve/sentry.h"

enum { SOMEBODY_ELSE = 1000 };                 /* a worker's id */
enum { FIRST_TYPE = SHMIPC_TYPE_APPLICATION }; /* a message type */
#define ANOTHER_PEER (UINT32_C(1) << 15)       /* its bit */

static struct {
    struct pair pair;
    shmipc_peer *peer;
    struct local_eventcount *eventcount;
    shmipc_slot slot;
} scene;

static void open_scene(void) {
    pair_open(&scene.pair, NULL);
    scene.peer = scene.pair.guest;
    scene.eventcount = &scene.peer->serves.requests;
    must_equal(shmipc_slot_claim(scene.pair.host, 0, &scene.slot), SHMIPC_OK);
    store_relaxed32(&scene.peer->serving.sentry, SENTRY_CONTENT); /* so nobody notifies one */
}

static void close_scene(void) {
    must_equal(shmipc_slot_release(scene.slot), SHMIPC_OK);
    pair_close(&scene.pair);
}

static void send_one(void) {
    must_equal(shmipc_slot_send(scene.slot, FIRST_TYPE, 0, 0), SHMIPC_OK);
}

static bool is_answered(void) {
    return word_state(slot_look(scene.pair.host->slots[scene.slot.index].shared)) == SLOT_RESPONSE;
}

/* Somebody of another peer sleeps, or does not. */
static void sleeper(bool sleeps) {
    struct local_eventcount other = *scene.eventcount;
    other.bit = ANOTHER_PEER;
    if (sleeps)
        (void)shmi_eventcount_prepare(&other);
    else
        and_seq_cst32(&scene.eventcount->shared->sleepers, ~ANOTHER_PEER);
}

static bool is_polled(void) {
    return eventcount_has_pollers(scene.eventcount);
}

static uint32_t notifies(void) {
    return shmi_eventcount_generation(scene.eventcount);
}

static struct worker new_worker(uint32_t id) {
    return (struct worker){.id = id, .handler = echo_handler, .home = NO_HOME};
}

/* ---- The poller ---- */

static void at_most_one_worker_of_a_peer_polls(void **state) {
    (void)state;
    struct worker first = new_worker(1), second = new_worker(2);
    open_scene();
    assert_false(poller_exists(scene.peer));
    assert_false(is_polled());
    assert_true(shmi_poller_begin(scene.peer, &first));
    assert_true(poller_is(scene.peer, &first));
    assert_true(is_polled());
    assert_false(shmi_poller_begin(scene.peer, &second));
    assert_false(poller_is(scene.peer, &second));
    assert_int_equal(second.state, WORKER_SEARCHING);
    shmi_poller_stop(scene.peer, &first);
    assert_int_equal(first.state, WORKER_SEARCHING);
    assert_false(poller_exists(scene.peer));
    assert_false(is_polled());
    assert_true(shmi_poller_begin(scene.peer, &second));
    shmi_poller_stop(scene.peer, &second);
    close_scene();
}

static void peers_have_pollers_of_their_own(void **state) {
    (void)state;
    struct worker ours = new_worker(1), theirs = new_worker(1);
    const shmipc_guest_config config = test_guest_config();
    shmipc_peer *other;
    open_scene();
    assert_int_equal(shmipc_guest_attach(scene.pair.name.text, &config, SECOND, &other), SHMIPC_OK);
    assert_true(shmi_poller_begin(scene.peer, &ours));
    assert_true(shmi_poller_begin(other, &theirs));
    shmi_poller_stop(scene.peer, &ours);
    assert_true(is_polled());
    assert_true(poller_is(other, &theirs));
    shmi_poller_stop(other, &theirs);
    assert_false(is_polled());
    shmipc_free(other);
    close_scene();
}

/* ---- Stopping ---- */

typedef void leave(shmipc_peer *peer, struct worker *worker);

enum { PASSED_ON = 2 }; /* which counts as two notifications: it may be for several */

/* How often the eventcount is notified as a poller leaves. Nobody was notified of a request while
   it polled. */
static uint32_t notifications_of(leave *leaves, bool request_waits, bool somebody_sleeps) {
    struct worker worker = new_worker(1);
    open_scene();
    must(shmi_poller_begin(scene.peer, &worker));
    sleeper(somebody_sleeps);
    if (request_waits)
        send_one();
    uint32_t before = notifies();
    must_equal(before, 0);
    leaves(scene.peer, &worker);
    uint32_t notified = notifies() - before;
    must_equal(worker.state, WORKER_SEARCHING);
    must(!poller_exists(scene.peer) && !is_polled());
    sleeper(false);
    close_scene();
    return notified;
}

static void a_poller_that_hands_over_notifies_a_sleeper_of_a_waiting_request(void **state) {
    (void)state;
    assert_int_equal(notifications_of(shmi_poller_hand_over, true, true), PASSED_ON);
    assert_int_equal(notifications_of(shmi_poller_hand_over, true, false), 0);
    assert_int_equal(notifications_of(shmi_poller_hand_over, false, true), 0);
}

static void a_poller_that_ends_notifies_a_sleeper_of_a_waiting_request(void **state) {
    (void)state;
    assert_int_equal(notifications_of(shmi_poller_resign, true, true), PASSED_ON);
    assert_int_equal(notifications_of(shmi_poller_resign, true, false), 0);
    assert_int_equal(notifications_of(shmi_poller_resign, false, true), 0);
}

/* A poller that stops is going to look itself. */
static void a_poller_that_stops_notifies_nobody(void **state) {
    (void)state;
    assert_int_equal(notifications_of(shmi_poller_stop, true, true), 0);
}

/* The worker may have been notified of a request, and another one polls. */
static void a_worker_that_ends_passes_on_and_leaves_the_poller_alone(void **state) {
    (void)state;
    struct worker poller = new_worker(1), other = new_worker(2);
    open_scene();
    assert_true(shmi_poller_begin(scene.peer, &poller));
    sleeper(true);
    send_one();
    shmi_poller_resign(scene.peer, &other);
    assert_int_equal(notifies(), PASSED_ON);
    assert_true(poller_is(scene.peer, &poller));
    assert_true(is_polled());
    shmi_poller_stop(scene.peer, &poller);
    sleeper(false);
    close_scene();
}

/* ---- Being superseded ---- */

static void callers_notify_once_a_poller_is_superseded(void **state) {
    (void)state;
    struct worker worker = new_worker(1);
    open_scene();
    sleeper(true);
    assert_true(shmi_poller_begin(scene.peer, &worker));
    assert_false(eventcount_wants_notify(scene.eventcount));
    (void)shmi_poller_supersede(scene.peer);
    assert_false(poller_exists(scene.peer));
    assert_true(eventcount_wants_notify(scene.eventcount));
    sleeper(false);
    close_scene();
}

/* The worker changes the bit, and is in no handler. No other worker may change the bit meanwhile.
   */
static void a_worker_that_begins_or_stops_polling_is_not_superseded(void **state) {
    (void)state;
    struct worker worker = new_worker(1);
    open_scene();
    store_relaxed32(&scene.peer->serving.poller, POLLER_CHANGES);
    shmi_eventcount_join_pollers(scene.eventcount);
    assert_true(shmi_poller_supersede(scene.peer)); /* callers may not have notified */
    assert_true(is_polled());
    assert_true(poller_exists(scene.peer));
    assert_false(shmi_poller_begin(scene.peer, &worker));
    assert_int_equal(load_relaxed32(&scene.peer->serving.superseded), 0);
    store_relaxed32(&scene.peer->serving.poller, 0);
    shmi_eventcount_leave_pollers(scene.eventcount);
    close_scene();
}

/* The handler that it comes out of is one that may be long. */
static void a_superseded_worker_notices_and_learns(void **state) {
    (void)state;
    struct worker worker = new_worker(1), next = new_worker(2);
    open_scene();
    worker.type = FIRST_TYPE;
    assert_true(shmi_poller_begin(scene.peer, &worker));
    (void)shmi_poller_supersede(scene.peer);
    assert_int_equal(worker.state, WORKER_POLLING);
    assert_true(durations_are_short(&scene.peer->serving.durations));
    assert_true(shmi_poller_begin(scene.peer, &next));

    assert_false(poller_is(scene.peer, &worker));
    assert_int_equal(worker.state, WORKER_SEARCHING);
    assert_true(duration_is_long(&scene.peer->serving.durations, FIRST_TYPE));
    assert_false(duration_is_long(&scene.peer->serving.durations, FIRST_TYPE + 1));
    assert_true(poller_is(scene.peer, &next));
    assert_int_equal(load_relaxed32(&scene.peer->serving.poller), 2);
    assert_int_equal(load_relaxed32(&scene.peer->serving.superseded), 0);
    shmi_poller_stop(scene.peer, &next);
    close_scene();
}

/* The superseded worker stops or ends without a look. */
static void a_superseded_worker_leaves_the_next_poller_alone(void **state) {
    static leave *const leaves[] = {shmi_poller_stop, shmi_poller_hand_over, shmi_poller_resign};
    (void)state;
    for (size_t i = 0; i < sizeof leaves / sizeof *leaves; i++) {
        struct worker worker = new_worker(1), next = new_worker(2);
        open_scene();
        assert_true(shmi_poller_begin(scene.peer, &worker));
        (void)shmi_poller_supersede(scene.peer);
        assert_true(shmi_poller_begin(scene.peer, &next));
        leaves[i](scene.peer, &worker);
        assert_int_equal(worker.state, WORKER_SEARCHING);
        assert_int_equal(load_relaxed32(&scene.peer->serving.superseded), 0);
        assert_true(is_polled());
        assert_true(poller_is(scene.peer, &next));
        shmi_poller_stop(scene.peer, &next);
        close_scene();
    }
}

/* ---- Whether the poller looks ---- */

/* What another thread does with the request while a worker is patient. */
typedef void meddle(struct slot *shared, word *seen);

static void play_poller(void) {
    store_relaxed32(&scene.peer->serving.poller, SOMEBODY_ELSE);
    shmi_eventcount_join_pollers(scene.eventcount);
}

static word taken; /* the word of the request that the poller has taken */

// NOLINTNEXTLINE(readability-non-const-parameter): as park_the_caller
static void take(struct slot *shared, word *seen) {
    must(shmi_slot_take(shared, *seen, scene.peer->self, &taken));
}

static void park_the_caller(struct slot *shared, word *seen) {
    must(shmi_slot_park(shared, seen));
}

static void *meddle_soon(void *context) {
    meddle *const *what = context;
    struct slot *shared = scene.pair.host->slots[scene.slot.index].shared;
    word seen = slot_look(shared);
    while (word_state(seen) != SLOT_REQUEST)
        seen = slot_look(shared);
    pause_briefly(); /* the worker most likely waits by now */
    (*what)(shared, &seen);
    pause_briefly();
    if (*what != take)
        (void)shmi_poller_supersede(scene.peer);
    return NULL;
}

enum { FOR_EVER = INT32_MAX };

/* Whether the request is taken, as seen by a worker whose patience has no end. */
static bool is_taken(meddle *what) {
    open_scene();
    play_poller();
    send_one();
    scene.peer->serving.spins.least = FOR_EVER;
    pthread_t thread = thread_start(meddle_soon, &what);
    bool is = shmi_poller_takes(scene.peer, scene.slot.index - scene.peer->serves.first);
    thread_join(thread);
    must(!poller_exists(scene.peer) || what == take);
    (void)shmi_poller_supersede(scene.peer);
    must_equal(shmipc_slot_release(scene.slot), SHMIPC_OK);
    pair_close(&scene.pair);
    return is;
}

static void a_poller_that_looks_takes_a_request(void **state) {
    (void)state;
    assert_true(is_taken(take));
}

static void a_request_whose_caller_parks_still_waits(void **state) {
    (void)state;
    assert_false(is_taken(park_the_caller));
}

static void patience_has_an_end(void **state) {
    (void)state;
    open_scene();
    const uint32_t slot = scene.slot.index - scene.peer->serves.first;
    assert_true(shmi_poller_takes(scene.peer, slot)); /* there is none */
    play_poller();
    send_one();
    scene.peer->serving.spins.least = 100;
    assert_false(shmi_poller_takes(scene.peer, slot));
    (void)shmi_poller_supersede(scene.peer);
    scene.peer->serving.spins.least = FOR_EVER; /* which nobody is for where nobody polls */
    assert_false(shmi_poller_takes(scene.peer, slot));
    must_equal(shmipc_slot_release(scene.slot), SHMIPC_OK);
    pair_close(&scene.pair);
}

/* ---- A worker that serves ---- */

static int must_poll(void *context, const shmipc_request *request, shmipc_response *response) {
    must(is_polled());
    must(poller_exists(scene.peer));
    return echo_handler(context, request, response);
}

static void must_not_poll(void) {
    must(is_answered());
    must(!is_polled());
    must(!poller_exists(scene.peer));
    must_equal(shmipc_wake(scene.peer), SHMIPC_OK);
}

static void a_worker_polls_while_it_is_awake(void **state) {
    (void)state;
    open_scene();
    send_one();
    fake.during_sleep = must_not_poll;
    assert_int_equal(shmipc_serve(scene.peer, must_poll, NULL), SHMIPC_E_WOKEN);
    fake.during_sleep = NULL;
    close_scene();
}

static int must_be_the_first(void *context, const shmipc_request *request,
                             shmipc_response *response) {
    must_equal(load_relaxed32(&scene.peer->serving.poller), 1);
    return must_poll(context, request, response);
}

static void no_worker_is_called_what_says_something_else(void **state) {
    (void)state;
    open_scene();
    store_relaxed32(&scene.peer->serving.next_worker, POLLER_CHANGES - 1);
    send_one();
    fake.during_sleep = must_not_poll;
    assert_int_equal(shmipc_serve(scene.peer, must_be_the_first, NULL), SHMIPC_E_WOKEN);
    fake.during_sleep = NULL;
    close_scene();
}

static bool played_one_polls(void) {
    return load_relaxed32(&scene.peer->serving.poller) == SOMEBODY_ELSE;
}

static void be_notified_in_vain_then_of_a_request(void) {
    must(fake.sleeps <= 3);
    must_equal(played_one_polls(), fake.sleeps == 2);
    must_equal(is_answered(), fake.sleeps == 3);
    if (fake.sleeps == 1)
        play_poller();
    if (fake.sleeps == 2)
        send_one();
    if (fake.sleeps == 3)
        must_equal(shmipc_wake(scene.peer), SHMIPC_OK);
    (void)shmi_eventcount_notify(scene.eventcount, WAKE_ONE);
}

/* A poller looks unless it is in a handler. */
static void a_woken_worker_supersedes_the_poller_only_if_it_finds_a_request(void **state) {
    (void)state;
    open_scene();
    scene.peer->serving.spins.least = 100;
    fake.sleeps = 0;
    fake.during_sleep = be_notified_in_vain_then_of_a_request;
    assert_int_equal(shmipc_serve(scene.peer, echo_handler, NULL), SHMIPC_E_WOKEN);
    fake.during_sleep = NULL;
    assert_int_equal(fake.sleeps, 3);
    close_scene();
}

static pthread_t taker;

static void be_notified_for_a_request_that_the_poller_takes(void) {
    static meddle *what = take;
    must(fake.sleeps <= 2);
    if (fake.sleeps == 1) {
        play_poller();
        scene.peer->serving.spins.least = FOR_EVER;
        send_one();
        taker = thread_start(meddle_soon, &what);
        (void)shmi_eventcount_notify(scene.eventcount, WAKE_ONE);
        return;
    }
    thread_join(taker);
    must(played_one_polls() && is_polled());
    must(!is_answered());
    must_equal(
        shmi_slot_publish_response(scene.pair.host->slots[scene.slot.index].shared, taken, 0),
        ANSWER_DELIVERED);
    must_equal(shmipc_wake(scene.peer), SHMIPC_OK);
}

static void a_woken_worker_leaves_a_poller_that_looks_in_its_place(void **state) {
    (void)state;
    open_scene();
    fake.sleeps = 0;
    fake.during_sleep = be_notified_for_a_request_that_the_poller_takes;
    assert_int_equal(shmipc_serve(scene.peer, echo_handler, NULL), SHMIPC_E_WOKEN);
    fake.during_sleep = NULL;
    assert_int_equal(fake.sleeps, 2);
    assert_true(played_one_polls());
    assert_true(durations_are_short(&scene.peer->serving.durations));
    (void)shmi_poller_supersede(scene.peer);
    close_scene();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(at_most_one_worker_of_a_peer_polls, fake_system),
        cmocka_unit_test_setup(peers_have_pollers_of_their_own, fake_system),
        cmocka_unit_test_setup(a_poller_that_hands_over_notifies_a_sleeper_of_a_waiting_request,
                               fake_system),
        cmocka_unit_test_setup(a_poller_that_ends_notifies_a_sleeper_of_a_waiting_request,
                               fake_system),
        cmocka_unit_test_setup(a_poller_that_stops_notifies_nobody, fake_system),
        cmocka_unit_test_setup(a_worker_that_ends_passes_on_and_leaves_the_poller_alone,
                               fake_system),
        cmocka_unit_test_setup(callers_notify_once_a_poller_is_superseded, fake_system),
        cmocka_unit_test_setup(a_worker_that_begins_or_stops_polling_is_not_superseded,
                               fake_system),
        cmocka_unit_test_setup(a_superseded_worker_notices_and_learns, fake_system),
        cmocka_unit_test_setup(a_superseded_worker_leaves_the_next_poller_alone, fake_system),
        cmocka_unit_test_setup(a_poller_that_looks_takes_a_request, fake_system),
        cmocka_unit_test_setup(a_request_whose_caller_parks_still_waits, fake_system),
        cmocka_unit_test_setup(patience_has_an_end, fake_system),
        cmocka_unit_test_setup(a_worker_polls_while_it_is_awake, fake_system),
        cmocka_unit_test_setup(no_worker_is_called_what_says_something_else, fake_system),
        cmocka_unit_test_setup(a_woken_worker_supersedes_the_poller_only_if_it_finds_a_request,
                               fake_system),
        cmocka_unit_test_setup(a_woken_worker_leaves_a_poller_that_looks_in_its_place, fake_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
