/* Which requests a worker leaves to the keeper of their slot. */
#include "support/fake_system.h"
#include "support/fixture.h"
#include "unit/houses.h"

#include "serve/home.h"
#include "serve/parking.h"
#include "serve/poller.h"
#include "serve/scan.h"

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

/* Before it sleeps it leaves a request to the poller, unless the poller does not look. */
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

/* The superseded poller is in a handler that was expected to be short. */
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(after_a_long_handler_a_worker_leaves_a_request_to_its_keeper,
                               fake_system),
        cmocka_unit_test_setup(a_worker_that_was_needed_leaves_nothing, fake_system),
        cmocka_unit_test_setup(a_worker_leaves_a_request_to_a_poller_that_looks, fake_system),
        cmocka_unit_test_setup(a_worker_that_polls_leaves_nothing, fake_system),
        cmocka_unit_test_setup(nothing_is_left_in_the_look_before_sleeping_while_somebody_polls,
                               fake_system),
        cmocka_unit_test_setup(nothing_is_left_while_a_superseded_poller_has_not_noticed,
                               fake_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
