/* Workers that serve beside a keeper: what one of them leaves, and what it serves itself. */
#include "support/fake_system.h"
#include "support/fixture.h"
#include "unit/houses.h"

#include "serve/scan.h"
#include "serve/sentry.h"

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

/* A thread that calls shmipc_poll serves the request in the keeper's place. */
static void note_the_request_that_is_left(void) {
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

static void a_request_without_a_keeper_is_served_before_a_worker_parks(void **state) {
    (void)state;
    serve_with_a_keeper(note_the_request_that_is_left, false);
    assert_int_equal(left_at, 0);
}

static void a_worker_sleeps_though_it_leaves_a_request_to_its_keeper(void **state) {
    (void)state;
    serve_with_a_keeper(note_the_request_that_is_left, true);
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

/* The worker runs only one of the request that it left and the one that it was notified of. */
static void a_worker_that_left_a_request_passes_a_notification_on(void **state) {
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
        cmocka_unit_test_setup(a_request_without_a_keeper_is_served_before_a_worker_parks,
                               fake_system),
        cmocka_unit_test_setup(a_worker_sleeps_though_it_leaves_a_request_to_its_keeper,
                               fake_system),
        cmocka_unit_test_setup(a_worker_that_left_a_request_passes_a_notification_on, fake_system),
        cmocka_unit_test_setup(nobody_prefers_its_home_where_others_have_no_keeper, fake_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
