/*
 * Where workers are at home, and their keepers: step by step, over a system of the test's own.
 * Other workers are played: they are keepers, and do nothing.
 */
#include "support/fake_system.h"
#include "support/fixture.h"
#include "unit/houses.h"

#include "serve/home.h"
#include "serve/poller.h"
#include "serve/running.h"
#include "serve/scan.h"

static uint32_t keepers(const struct houses *h, uint32_t slot) {
    return load_relaxed32(keepers_of(h, slot));
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

/* The workers of shmipc_poll have none, nor have those of a direction without slots. */
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

/* The keepers of slot 0, and how often the eventcount had been notified, when the handler ran. */
static struct { uint32_t keepers, notifies; } in_handler;

static int note_keepers(void *context, const shmipc_request *request, shmipc_response *response) {
    const struct houses *h = context;
    (void)request;
    (void)response;
    in_handler.keepers = keepers(h, 0);
    in_handler.notifies = shmi_eventcount_generation(&h->peer->serves.requests);
    return 0;
}

/* Runs the request in the slot by a worker that is at home in slot 0. */
static void run_one(struct houses *h, uint32_t slot, uint32_t type) {
    const shmipc_request request = {.type = type, .slot = h->peer->serves.first + slot};
    shmipc_response response = {.type = 0};
    h->worker.handler = note_keepers;
    h->worker.context = h;
    assert_int_equal(run_handler(h->peer, &h->worker, &request, &response), 0);
    assert_int_equal(keepers(h, 0), 1);
    assert_int_equal(keepers(h, 1), 0);
}

/* In a handler for another slot it keeps its home only if it polls, whether the handler is expected
   to be long or not. */
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

/* The worker is unwound out of a handler for another slot. */
static void a_worker_that_ends_leaves_its_home_once(void **state) {
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

/* ---- What was left to a worker ---- */

enum { PASSED_ON = 2 }; /* which counts as two notifications: it may be for several */

/* How often the eventcount was notified as its handler began. */
static uint32_t notifications_of_a_keeper_that_goes_out(uint32_t type, bool polls,
                                                        bool request_waits) {
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
    assert_int_equal(notifications_of_a_keeper_that_goes_out(SHORT, false, true), PASSED_ON);
    assert_int_equal(notifications_of_a_keeper_that_goes_out(LONG, false, true), PASSED_ON);
    assert_int_equal(notifications_of_a_keeper_that_goes_out(LONG, true, true), PASSED_ON);
    assert_int_equal(notifications_of_a_keeper_that_goes_out(SHORT, true, true),
                     0); /* it polls, and is not out */
    assert_int_equal(notifications_of_a_keeper_that_goes_out(SHORT, false, false), 0);
    assert_int_equal(notifications_of_a_keeper_that_goes_out(LONG, false, false), 0);
    assert_int_equal(notifications_of_a_keeper_that_goes_out(LONG, true, false), 0);
}

static void a_notification_passed_on_is_for_the_worker_at_home_there(void **state) {
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

/* Otherwise it might be in a long handler for another slot, and no worker would be notified of the
   request at home. */
static void a_worker_that_begins_to_poll_looks_at_home_first(void **state) {
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(workers_settle_where_fewest_are_at_home, fake_system),
        cmocka_unit_test_setup(a_worker_may_have_no_home, fake_system),
        cmocka_unit_test_setup(a_worker_keeps_its_home_while_it_is_not_out, fake_system),
        cmocka_unit_test_setup(a_worker_that_ends_leaves_its_home_once, fake_system),
        cmocka_unit_test_setup(a_keeper_that_goes_out_passes_on_once, fake_system),
        cmocka_unit_test_setup(a_notification_passed_on_is_for_the_worker_at_home_there,
                               fake_system),
        cmocka_unit_test_setup(a_worker_that_begins_to_poll_looks_at_home_first, fake_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
