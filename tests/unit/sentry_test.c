/*
 * The sentry: a standby, and a poller that is only played, over a system of the test's own.
 */
#include "support/fake_system.h"
#include "support/fixture.h"

#include "serve/sentry.h"

enum { PLAYED_POLLER = 1000 }; /* a worker's id */

static shmipc_peer *guest;

/* Serves beside the poller until the test wakes it, `during` each of so many sleeps. */
static void serve_beside(void (*during)(void), uint32_t sleeps, uint32_t sentry_at_last) {
    struct pair pair;
    pair_open(&pair, NULL);
    guest = pair.guest;
    store_relaxed32(&guest->serving.poller, PLAYED_POLLER);
    fake.sleeps = 0;
    fake.during_sleep = during;
    must_equal(shmipc_serve(guest, echo_handler, NULL), SHMIPC_E_WOKEN);
    fake.during_sleep = NULL;
    must_equal(fake.sleeps, sleeps);
    must_equal(load_relaxed32(&guest->serving.sentry), sentry_at_last);
    pair_close(&pair);
}

static bool the_played_one_polls(void) {
    return load_relaxed32(&guest->serving.poller) == PLAYED_POLLER;
}

static uint64_t sleep_time(void) {
    return fake.until - fake.now;
}

static uint32_t eventcount(void) {
    return shmi_eventcount_generation(&guest->serves.requests);
}

static void end(void) {
    must_equal(shmipc_wake(guest), SHMIPC_OK);
}

/* The poller takes a request between the first two looks, and none after. */
static void get_stuck(void) {
    must_equal(the_played_one_polls(), fake.sleeps <= 3);
    must_equal(sleep_time(), fake.sleeps <= 3 ? SENTRY_TICK_NS : TICK_NS);
    if (fake.sleeps == 4)
        end();
    fake.now = fake.until;
    if (fake.sleeps == 2)
        shmi_sentry_call(guest);
}

static void it_takes_the_place_of_a_poller_that_is_stuck(void **state) {
    (void)state;
    serve_beside(get_stuck, 4, SENTRY_ABSENT);
}

/* A request after each look. Each time a caller notifies in vain, which delays no look. */
static void take_request_upon_request(void) {
    must(the_played_one_polls());
    must_equal(load_relaxed32(&guest->serving.sentry),
               fake.sleeps > 1 && fake.sleeps % 2 ? SENTRY_IN_DOUBT : SENTRY_CONTENT);
    shmi_sentry_call(guest);
    if (fake.sleeps == 20)
        end();
    fake.now += SENTRY_TICK_NS / 2;
    (void)shmi_eventcount_notify(&guest->serves.requests, WAKE_ONE);
}

static void it_leaves_a_poller_that_takes_requests_in_its_place(void **state) {
    (void)state;
    serve_beside(take_request_upon_request, 20, SENTRY_CALLED);
}

/* The poller rests from the second sleep on, until the standby sleeps for long. */
static void rest_and_serve_again(void) {
    enum { FIRST_LONG = 5 };
    must_equal(the_played_one_polls(), fake.sleeps <= 2 || fake.sleeps > FIRST_LONG);
    must_equal(sleep_time(), fake.sleeps == FIRST_LONG ? TICK_NS : SENTRY_TICK_NS);
    if (fake.sleeps == 2)
        store_relaxed32(&guest->serving.poller, 0);
    if (fake.sleeps > FIRST_LONG) {
        end();
    } else if (fake.sleeps == FIRST_LONG) {
        uint32_t before = eventcount();
        store_relaxed32(&guest->serving.poller, PLAYED_POLLER);
        must(sentry_wants_call(guest));
        shmi_sentry_call(guest);
        must(!sentry_wants_call(guest));
        must_equal(eventcount(), before + 1);
    } else {
        fake.now = fake.until;
    }
}

static void it_goes_while_the_poller_rests_and_comes_when_it_is_called(void **state) {
    (void)state;
    serve_beside(rest_and_serve_again, 6, SENTRY_CALLED);
}

/* Another standby may be asleep for long. */
static void end_and_listen(void) {
    uint32_t before = eventcount();
    must_equal(load_relaxed32(&guest->serving.sentry), SENTRY_CONTENT);
    end();
    must_equal(eventcount(), before + 1); /* the wake's */
}

static void one_that_ends_calls_another(void **state) {
    (void)state;
    serve_beside(end_and_listen, 1, SENTRY_CALLED);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(it_takes_the_place_of_a_poller_that_is_stuck, fake_system),
        cmocka_unit_test_setup(it_leaves_a_poller_that_takes_requests_in_its_place, fake_system),
        cmocka_unit_test_setup(it_goes_while_the_poller_rests_and_comes_when_it_is_called,
                               fake_system),
        cmocka_unit_test_setup(one_that_ends_calls_another, fake_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
