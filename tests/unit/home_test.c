/*
 * Where workers are at home, and what they leave to each other: step by step, over a system of the
 * test's own. Other workers are played: they are keepers, and do nothing.
 */
#include "support/fake_system.h"
#include "support/fixture.h"

#include "region/slot.h"
#include "serve/home.h"
#include "serve/parking.h"
#include "serve/poller.h"
#include "serve/running.h"
#include "serve/scan.h"
#include "serve/sentry.h"

enum { LONG = SHMIPC_TYPE_APPLICATION, SHORT }; /* message types */
enum { LONG_NS = 100000 };

/* Of a sleeper at home, the last one that was asked for. Named for the linker. */
static struct { uint32_t peer, home; } asked_for;

uint32_t fake_word_wake_home(struct object *object, atomic_u32 *address, uint32_t peer,
                             uint32_t home) __asm__("__wrap_shmi_word_wake_home");

uint32_t fake_word_wake_home(struct object *object, atomic_u32 *address, uint32_t peer,
                             uint32_t home) {
    (void)object;
    (void)address;
    asked_for.peer = peer;
    asked_for.home = home;
    return 0;
}

struct houses {
    struct pair pair;
    shmipc_peer *caller;
    shmipc_peer *peer;
    shmipc_slot slots[2];
    struct worker worker;
};

static void open_houses(struct houses *h, bool host_calls) {
    *h = (struct houses){.worker = {.handler = echo_handler, .id = 1, .home = NO_HOME}};
    pair_open(&h->pair, NULL);
    h->caller = host_calls ? h->pair.host : h->pair.guest;
    h->peer = host_calls ? h->pair.guest : h->pair.host;
    shmi_duration_learn_long(&h->peer->serving.durations, LONG);
    for (int i = 0; i < 2; i++) {
        shmipc_slot slot;
        must_equal(shmipc_slot_claim(h->caller, 0, &slot), SHMIPC_OK);
        h->slots[slot.index - h->peer->serves.first] = slot;
    }
}

static void close_houses(struct houses *h) {
    for (int i = 0; i < 2; i++)
        must_equal(shmipc_slot_release(h->slots[i]), SHMIPC_OK);
    pair_close(&h->pair);
}

static atomic_u32 *keepers_of(const struct houses *h, uint32_t slot) {
    return &h->peer->slots[h->peer->serves.first + slot].service.keepers;
}

static uint32_t keepers(const struct houses *h, uint32_t slot) {
    return load_relaxed32(keepers_of(h, slot));
}

/* Another worker that is at home there. */
static void play_keeper(const struct houses *h, uint32_t slot) {
    add_seq_cst32(keepers_of(h, slot), 1);
}

static void send_to(const struct houses *h, uint32_t slot, uint32_t type) {
    must_equal(shmipc_slot_send(h->slots[slot], type, 0, 0), SHMIPC_OK);
}

/* shmipc_slot_ready would notify of it. */
static bool is_answered(const struct houses *h, uint32_t slot) {
    return word_state(slot_look(h->caller->slots[h->slots[slot].index].shared)) == SLOT_RESPONSE;
}

static bool receive_from(const struct houses *h, uint32_t slot) {
    shmipc_response response;
    if (!is_answered(h, slot))
        return false;
    must_equal(shmipc_slot_receive(h->slots[slot], 0, &response), SHMIPC_OK);
    return true;
}

/* ---- Keepers ---- */

static void workers_settle_where_fewest_are_at_home(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        struct houses h;
        struct worker workers[5];
        open_houses(&h, host_calls);
        for (uint32_t i = 0; i < 5; i++) {
            workers[i] = (struct worker){.home = NO_HOME};
            shmi_home_settle(h.peer, &workers[i]);
            assert_int_equal(workers[i].home, i % 2);
        }
        assert_int_equal(keepers(&h, 0), 3);
        assert_int_equal(keepers(&h, 1), 2);
        for (uint32_t i = 0; i < 5; i += 2)
            shmi_home_move_out(h.peer, &workers[i]);
        assert_int_equal(keepers(&h, 0), 0);
        shmi_home_settle(h.peer, &workers[0]);
        assert_int_equal(workers[0].home, 0);
        close_houses(&h);
    }
}

/* shmipc_poll's workers, and those of a direction without slots. */
static void a_worker_may_have_no_home(void **state) {
    (void)state;
    struct houses h;
    open_houses(&h, true);
    const shmipc_request request = {.type = LONG, .slot = h.peer->serves.first};
    shmipc_response response = {.type = 0};
    h.peer->serves.count = 0;
    shmi_home_settle(h.peer, &h.worker);
    h.peer->serves.count = 2;
    assert_int_equal(h.worker.home, NO_HOME);
    assert_int_equal(shmi_run_handler(h.peer, &h.worker, &request, &response), 0);
    assert_false(h.worker.keeps_home);
    shmi_home_move_out(h.peer, &h.worker);
    assert_int_equal(keepers(&h, 0), 0);
    assert_int_equal(keepers(&h, 1), 0);
    close_houses(&h);
}

/* Of slot 0's, and how often the eventcount had been notified. */
static struct { uint32_t keepers, notifies; } in_handler;

static int note_keepers(void *context, const shmipc_request *request, shmipc_response *response) {
    const struct houses *h = context;
    (void)request;
    (void)response;
    in_handler.keepers = keepers(h, 0);
    in_handler.notifies = shmi_eventcount_generation(&h->peer->serves.requests);
    return 0;
}

/* By a worker that is at home in slot 0. */
static void run_one(struct houses *h, uint32_t slot, uint32_t type) {
    const shmipc_request request = {.type = type, .slot = h->peer->serves.first + slot};
    shmipc_response response = {.type = 0};
    h->worker.handler = note_keepers;
    h->worker.context = h;
    assert_int_equal(run_handler(h->peer, &h->worker, &request, &response), 0);
    assert_int_equal(keepers(h, 0), 1);
    assert_int_equal(keepers(h, 1), 0);
}

/* In a handler for another slot it does not, be it expected to be long or not; unless it polls. */
static void a_worker_keeps_its_home_while_it_is_not_out(void **state) {
    static const struct {
        uint32_t slot, type;
        bool polls;
        uint32_t keepers;
    } cases[] = {{0, SHORT, false, 1}, {0, LONG, false, 1}, {0, LONG, true, 1},
                 {1, SHORT, false, 0}, {1, LONG, false, 0}, {1, LONG, true, 0},
                 {1, SHORT, true, 1},  {0, SHORT, true, 1}};
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
            struct houses h;
            open_houses(&h, host_calls);
            shmi_home_settle(h.peer, &h.worker);
            if (cases[i].type == SHORT) /* as all are, for all that is known */
                store_relaxed32(&h.peer->serving.durations.long_places, 0);
            if (cases[i].polls)
                assert_true(shmi_poller_begin(h.peer, &h.worker));
            run_one(&h, cases[i].slot, cases[i].type);
            assert_int_equal(in_handler.keepers, cases[i].keepers);
            shmi_poller_resign(h.peer, &h.worker);
            close_houses(&h);
        }
    }
}

/* It is unwound out of a handler for another slot. */
static void who_ends_leaves_its_home_once(void **state) {
    (void)state;
    struct houses h;
    open_houses(&h, true);
    shmi_home_settle(h.peer, &h.worker);
    shmi_home_go_out(h.peer, &h.worker, 1);
    assert_int_equal(keepers(&h, 0), 0);
    shmi_home_move_out(h.peer, &h.worker);
    assert_int_equal(keepers(&h, 0), 0);
    close_houses(&h);
}

/* ---- What is left to a keeper ---- */

/* A worker that is at home in slot 0, and has run a long handler. */
static void begin_at_home(struct houses *h) {
    shmi_home_settle(h->peer, &h->worker);
    must_equal(h->worker.home, 0);
    h->worker.keeps_home = true;
}

static void after_a_long_handler_a_worker_leaves_a_request_to_its_keeper(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        struct houses h;
        open_houses(&h, host_calls);
        begin_at_home(&h);
        play_keeper(&h, 1);
        send_to(&h, 1, SHORT);
        assert_int_equal(shmi_scan_some(h.peer, &h.worker), 0);
        assert_int_equal(shmi_home_look(h.peer, &h.worker), HOME_LEFT);
        send_to(&h, 0, SHORT); /* not its own home's, */
        assert_int_equal(shmi_home_look(h.peer, &h.worker), HOME_NEEDED);
        assert_int_equal(shmi_scan_some(h.peer, &h.worker), 1);
        assert_true(receive_from(&h, 0));
        assert_false(receive_from(&h, 1));
        store_relaxed32(keepers_of(&h, 1), 0); /* and not without a keeper */
        assert_int_equal(shmi_home_look(h.peer, &h.worker), HOME_NEEDED);
        assert_int_equal(shmi_scan_some(h.peer, &h.worker), 1);
        assert_true(receive_from(&h, 1));
        assert_int_equal(shmi_home_look(h.peer, &h.worker), HOME_QUIET);
        close_houses(&h);
    }
}

static void a_worker_that_was_needed_leaves_nothing(void **state) {
    const struct until until = {.stop = NULL};
    (void)state;
    struct houses h;
    open_houses(&h, true);
    begin_at_home(&h);
    play_keeper(&h, 1);
    send_to(&h, 0, SHORT);
    assert_int_equal(shmi_park(h.peer, &h.worker, &until), SHMIPC_OK);
    assert_int_equal(fake.sleeps, 0);
    send_to(&h, 1, SHORT);
    h.worker.scan.next = 1;
    assert_int_equal(shmi_scan_some(h.peer, &h.worker), 1);
    assert_true(receive_from(&h, 1));
    assert_int_equal(shmi_scan_some(h.peer, &h.worker), 1);
    assert_true(receive_from(&h, 0));
    close_houses(&h);
}

struct look {
    struct houses *houses;
    struct worker *poller;
};

static void *look_soon(void *context) {
    const struct look *look = context;
    pause_briefly(); /* the other worker most likely waits by now */
    must_equal(shmi_scan_some(look->houses->peer, look->poller), 1);
    return NULL;
}

/* What it finds before it sleeps is the poller's, unless that one does not look. */
static void a_worker_leaves_a_request_to_a_poller_that_looks(void **state) {
    (void)state;
    struct houses h;
    struct worker poller = {.handler = echo_handler, .id = 2, .home = NO_HOME};
    open_houses(&h, true);
    assert_true(shmi_poller_begin(h.peer, &poller));
    h.peer->serving.spins.least = 100;
    send_to(&h, 1, SHORT);
    assert_int_equal(shmi_home_look(h.peer, &h.worker), HOME_NEEDED);
    h.peer->serving.spins.least = UINT32_MAX;
    struct look look = {.houses = &h, .poller = &poller};
    pthread_t thread = thread_start(look_soon, &look);
    assert_int_not_equal(shmi_home_look(h.peer, &h.worker), HOME_NEEDED);
    thread_join(thread);
    assert_true(receive_from(&h, 1));
    assert_true(poller_is(h.peer, &poller));
    shmi_poller_stop(h.peer, &poller);
    close_houses(&h);
}

static void a_worker_that_polls_leaves_nothing(void **state) {
    (void)state;
    struct houses h;
    open_houses(&h, true);
    begin_at_home(&h);
    play_keeper(&h, 1);
    send_to(&h, 1, SHORT);
    assert_true(shmi_poller_begin(h.peer, &h.worker));
    assert_int_equal(shmi_scan_some(h.peer, &h.worker), 1);
    assert_true(receive_from(&h, 1));
    shmi_poller_stop(h.peer, &h.worker);
    close_houses(&h);
}

/* No worker was notified of the request, and the poller may be in a handler. A look in between
   leaves the request to both. */
static void nothing_is_left_in_the_look_before_sleeping_while_somebody_polls(void **state) {
    (void)state;
    for (uint32_t home = 0; home < 2; home++) {
        struct houses h;
        struct worker poller = {.handler = echo_handler, .id = 2, .home = home};
        open_houses(&h, true);
        begin_at_home(&h);
        h.peer->serving.spins.least = 100;
        play_keeper(&h, 1);
        assert_true(shmi_poller_begin(h.peer, &poller));
        send_to(&h, 1, SHORT);
        assert_int_equal(shmi_scan_some(h.peer, &h.worker), 0);
        assert_int_equal(shmi_home_look(h.peer, &h.worker), HOME_NEEDED);
        shmi_poller_stop(h.peer, &poller);
        assert_int_equal(shmi_home_look(h.peer, &h.worker), HOME_LEFT);
        assert_int_equal(shmi_scan_all(h.peer, &poller), 1);
        assert_true(receive_from(&h, 1));
        close_houses(&h);
    }
}

typedef void notice(struct houses *h, struct worker *keeper);

static void looks_whether_it_polls(struct houses *h, struct worker *keeper) {
    assert_false(poller_is(h->peer, keeper));
}

static void stops(struct houses *h, struct worker *keeper) {
    shmi_poller_stop(h->peer, keeper);
}

/* It is in a handler that was expected to be short. */
static void nothing_is_left_while_a_superseded_poller_has_not_noticed(void **state) {
    static notice *const notices[] = {looks_whether_it_polls, stops};
    (void)state;
    for (size_t i = 0; i < sizeof notices / sizeof *notices; i++) {
        struct houses h;
        struct worker keeper = {.handler = echo_handler, .id = 2, .home = NO_HOME};
        open_houses(&h, true);
        begin_at_home(&h);
        shmi_home_settle(h.peer, &keeper);
        assert_int_equal(keeper.home, 1);
        assert_true(shmi_poller_begin(h.peer, &keeper));
        send_to(&h, 1, SHORT);
        assert_true(shmi_poller_supersede(h.peer));
        assert_int_equal(shmi_home_look(h.peer, &h.worker), HOME_NEEDED);
        notices[i](&h, &keeper);
        assert_int_equal(keeper.state, WORKER_SEARCHING);
        assert_int_equal(shmi_home_look(h.peer, &h.worker), HOME_LEFT);
        assert_int_equal(shmi_scan_some(h.peer, &h.worker), 0);
        assert_false(shmi_poller_supersede(h.peer)); /* nobody */
        assert_int_equal(shmi_home_look(h.peer, &h.worker), HOME_LEFT);
        assert_int_equal(shmi_scan_all(h.peer, &keeper), 1);
        assert_true(receive_from(&h, 1));
        close_houses(&h);
    }
}

/* ---- What was left to a worker ---- */

#define ANOTHER_PEER (UINT32_C(1) << 15) /* its bit */
enum { PASSED_ON = 2 }; /* which counts as two notifications: it may be for several */

/* How often the eventcount was notified as its handler began. */
static uint32_t notifications_of_who_goes_out(uint32_t type, bool polls, bool request_waits) {
    struct houses h;
    open_houses(&h, true);
    shmi_home_settle(h.peer, &h.worker);
    if (polls)
        must(shmi_poller_begin(h.peer, &h.worker));
    if (request_waits)
        send_to(&h, 0, SHORT);
    or_seq_cst32(&h.peer->serves.requests.shared->sleepers, ANOTHER_PEER);
    run_one(&h, 1, type);
    and_seq_cst32(&h.peer->serves.requests.shared->sleepers, ~ANOTHER_PEER);
    shmi_poller_resign(h.peer, &h.worker);
    close_houses(&h);
    return in_handler.notifies;
}

static void a_keeper_that_goes_out_passes_on_once(void **state) {
    (void)state;
    assert_int_equal(notifications_of_who_goes_out(SHORT, false, true), PASSED_ON);
    assert_int_equal(notifications_of_who_goes_out(LONG, false, true), PASSED_ON);
    assert_int_equal(notifications_of_who_goes_out(LONG, true, true), PASSED_ON);
    assert_int_equal(notifications_of_who_goes_out(SHORT, true, true),
                     0); /* it polls, and is not out */
    assert_int_equal(notifications_of_who_goes_out(SHORT, false, false), 0);
    assert_int_equal(notifications_of_who_goes_out(LONG, false, false), 0);
    assert_int_equal(notifications_of_who_goes_out(LONG, true, false), 0);
}

static void what_is_passed_on_is_for_who_is_at_home_there(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        for (uint32_t slot = 0; slot < 2; slot++) {
            struct houses h;
            open_houses(&h, host_calls);
            send_to(&h, slot, SHORT);
            (void)shmi_eventcount_prepare(&h.peer->serves.requests);
            asked_for.peer = asked_for.home = NO_HOME;
            shmi_poller_pass_on(h.peer);
            assert_int_equal(asked_for.peer, h.peer->index);
            assert_int_equal(asked_for.home, slot);
            shmi_eventcount_cancel(&h.peer->serves.requests);
            assert_int_equal(shmi_scan_all(h.peer, &h.worker), 1);
            assert_true(receive_from(&h, slot));
            close_houses(&h);
        }
    }
}

/* It may be in a handler for the other one for long, and nobody would be notified. */
static void who_begins_to_poll_looks_at_home_first(void **state) {
    (void)state;
    struct houses h;
    open_houses(&h, true);
    shmi_home_settle(h.peer, &h.worker);
    send_to(&h, 0, SHORT);
    send_to(&h, 1, SHORT);
    h.worker.scan.next = 1;
    assert_true(shmi_poller_begin(h.peer, &h.worker));
    assert_int_equal(shmi_scan_some(h.peer, &h.worker), 1);
    assert_true(receive_from(&h, 0));
    assert_int_equal(shmi_scan_some(h.peer, &h.worker), 1);
    assert_true(receive_from(&h, 1));
    shmi_poller_stop(h.peer, &h.worker);
    h.worker.scan.next = 1;
    assert_true(shmi_poller_begin(h.peer, &h.worker));
    assert_int_equal(h.worker.scan.next, 1); /* where nothing waits, it goes on as it did */
    shmi_poller_stop(h.peer, &h.worker);
    close_houses(&h);
}

/* ---- Workers that serve ---- */

static struct houses *serving;
static uint32_t left_at; /* the sleep at which what was left had not been served yet */

/* Runs for long; meanwhile a request comes in the other slot, whose keeper has been asleep. */
static int send_to_the_other(void *context, const shmipc_request *request,
                             shmipc_response *response) {
    (void)context;
    (void)response;
    if (request->type != LONG)
        return 0;
    fake.now += LONG_NS;
    send_to(serving, 1, SHORT);
    return 0;
}

/* In its keeper's place a thread that calls shmipc_poll serves it. */
static void note_what_is_left(void) {
    must(fake.sleeps <= 2);
    if (is_answered(serving, 1)) {
        must_equal(shmipc_wake(serving->peer), SHMIPC_OK);
        return;
    }
    left_at = fake.sleeps;
    must_equal(shmipc_poll(serving->peer, echo_handler, NULL), 1);
    fake.now = fake.until;
}

/* On one processor a worker that runs long handlers does not poll. */
static void serve_with_a_keeper(void (*during)(void), bool keeper) {
    struct houses h;
    fake.processors = 1;
    open_houses(&h, true);
    store_relaxed32(&h.peer->serving.long_handlers.mean, CROWD_PARTS);
    store_relaxed32(&h.peer->serving.sentry, SENTRY_CONTENT); /* so nobody notifies one */
    if (keeper)
        play_keeper(&h, 1);
    serving = &h;
    left_at = 0;
    send_to(&h, 0, LONG);
    fake.during_sleep = during;
    must_equal(shmipc_serve(h.peer, send_to_the_other, NULL), SHMIPC_E_WOKEN);
    fake.during_sleep = NULL;
    must(receive_from(&h, 0));
    must(receive_from(&h, 1));
    close_houses(&h);
}

static void what_has_no_keeper_is_served_before_a_worker_parks(void **state) {
    (void)state;
    serve_with_a_keeper(note_what_is_left, false);
    assert_int_equal(left_at, 0);
}

static void a_worker_sleeps_though_it_leaves_a_request_to_its_keeper(void **state) {
    (void)state;
    serve_with_a_keeper(note_what_is_left, true);
    assert_int_equal(left_at, 1);
}

static uint32_t
    eventcount; /* its generation when a request was sent, and later the notifications since */

static void send_home_or_end(void) {
    const struct local_eventcount *requests = &serving->peer->serves.requests;
    if (fake.sleeps == 1) {
        must(!receive_from(serving, 1));
        must(receive_from(serving, 0));
        send_to(serving, 0, SHORT);
        eventcount = shmi_eventcount_generation(requests);
        or_seq_cst32(&requests->shared->sleepers, ANOTHER_PEER);
    } else {
        eventcount = shmi_eventcount_generation(requests) - eventcount;
        and_seq_cst32(&requests->shared->sleepers, ~ANOTHER_PEER);
        must_equal(shmipc_wake(serving->peer), SHMIPC_OK);
    }
}

/* Of what it has left and what it was notified of, it runs one only. */
static void who_has_left_a_request_passes_a_notification_on(void **state) {
    (void)state;
    serve_with_a_keeper(send_home_or_end, true);
    assert_int_equal(eventcount, 2); /* which counts as two: it may be for several */
}

/* There is always a request at the worker's own home. */
static bool another_slot_is_served_with(uint32_t servers) {
    struct houses h;
    bool served = false;
    open_houses(&h, true);
    begin_at_home(&h);
    store_relaxed64(&h.peer->serving.waiters_and_wakes, servers);
    send_to(&h, 0, SHORT);
    send_to(&h, 1, SHORT);
    for (int looks = 0; looks < 100 && !served; looks++) {
        assert_int_equal(shmi_scan_some(h.peer, &h.worker), 1);
        served = receive_from(&h, 1);
        if (receive_from(&h, 0))
            send_to(&h, 0, SHORT);
    }
    close_houses(&h);
    return served;
}

static void nobody_prefers_its_home_where_others_have_no_keeper(void **state) {
    (void)state;
    assert_true(another_slot_is_served_with(1));
    assert_false(another_slot_is_served_with(2));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(workers_settle_where_fewest_are_at_home, fake_system),
        cmocka_unit_test_setup(a_worker_may_have_no_home, fake_system),
        cmocka_unit_test_setup(a_worker_keeps_its_home_while_it_is_not_out, fake_system),
        cmocka_unit_test_setup(who_ends_leaves_its_home_once, fake_system),
        cmocka_unit_test_setup(after_a_long_handler_a_worker_leaves_a_request_to_its_keeper,
                               fake_system),
        cmocka_unit_test_setup(a_worker_that_was_needed_leaves_nothing, fake_system),
        cmocka_unit_test_setup(a_worker_leaves_a_request_to_a_poller_that_looks, fake_system),
        cmocka_unit_test_setup(a_worker_that_polls_leaves_nothing, fake_system),
        cmocka_unit_test_setup(nothing_is_left_in_the_look_before_sleeping_while_somebody_polls,
                               fake_system),
        cmocka_unit_test_setup(nothing_is_left_while_a_superseded_poller_has_not_noticed,
                               fake_system),
        cmocka_unit_test_setup(a_keeper_that_goes_out_passes_on_once, fake_system),
        cmocka_unit_test_setup(what_is_passed_on_is_for_who_is_at_home_there, fake_system),
        cmocka_unit_test_setup(who_begins_to_poll_looks_at_home_first, fake_system),
        cmocka_unit_test_setup(what_has_no_keeper_is_served_before_a_worker_parks, fake_system),
        cmocka_unit_test_setup(a_worker_sleeps_though_it_leaves_a_request_to_its_keeper,
                               fake_system),
        cmocka_unit_test_setup(who_has_left_a_request_passes_a_notification_on, fake_system),
        cmocka_unit_test_setup(nobody_prefers_its_home_where_others_have_no_keeper, fake_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
