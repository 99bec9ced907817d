/* The policy of durations: which handlers are expected to be long. */
#include "support/fake_system.h"
#include "support/fixture.h"

#include "wait/policy.h"

/* On two processors, with few slots: a handler is long from here on. */
enum { LONG = 2 * WAKE_FIRST_NS, TWICE_LONG = 2 * LONG };

static struct durations new_durations(uint32_t processors, uint32_t slots) {
    struct durations d = {.helpers = 0};
    shmi_durations_begin(&d, processors, slots);
    return d;
}

static uint32_t mean_of(const struct durations *d, uint32_t type) {
    return load_relaxed32(&d->ns[type % DURATIONS]);
}

static uint32_t threshold(uint32_t processors, uint32_t slots) {
    const struct durations d = new_durations(processors, slots);
    return load_relaxed32(&d.long_ns);
}

static void learn_often(struct durations *d, uint32_t type, uint64_t ns) {
    for (int i = 0; i < 100; i++)
        shmi_duration_learn(d, type, ns);
}

static void nothing_is_long_before_it_was_seen(void **state) {
    (void)state;
    const struct durations d = new_durations(2, 2);
    assert_true(durations_are_short(&d));
    for (uint32_t type = 0; type < 2 * DURATIONS; type++)
        assert_false(duration_is_long(&d, type));
}

/* The mean stays a little below what it nears: an eighth of less than eight is nothing. */
static void a_type_is_long_from_the_threshold_on(void **state) {
    (void)state;
    struct durations d = new_durations(2, 2);
    learn_often(&d, 5, LONG - 1);
    assert_false(duration_is_long(&d, 5));
    assert_true(durations_are_short(&d));
    store_relaxed32(&d.ns[5], LONG);
    shmi_duration_learn(&d, 5, LONG);
    assert_true(duration_is_long(&d, 5));
    assert_false(durations_are_short(&d));
    shmi_duration_learn(&d, 5, LONG - 2);
    assert_int_equal(mean_of(&d, 5), LONG - 1);
    assert_false(duration_is_long(&d, 5));
    assert_true(durations_are_short(&d));
}

static void a_shorter_one_counts_half_and_a_longer_one_an_eighth(void **state) {
    (void)state;
    struct durations d = new_durations(2, 2);
    store_relaxed32(&d.ns[3], 8000);
    shmi_duration_learn(&d, 3, 4000);
    assert_int_equal(mean_of(&d, 3), 6000);
    shmi_duration_learn(&d, 3, 14000);
    assert_int_equal(mean_of(&d, 3), 7000);
    shmi_duration_learn(&d, 3, 0);
    assert_int_equal(mean_of(&d, 3), 3500);
}

/* Otherwise a handler that was interrupted once, or slept, would be long for ever. */
static void a_measured_duration_is_bounded(void **state) {
    (void)state;
    struct durations d = new_durations(2, 2);
    shmi_duration_learn(&d, 0, UINT64_MAX);
    assert_int_equal(mean_of(&d, 0), DURATION_MOST_NS / 8);
    learn_often(&d, 0, (UINT64_C(1) << 32) + 1);
    assert_in_range(mean_of(&d, 0), DURATION_MOST_NS - 8, DURATION_MOST_NS);
    for (int i = 0; i < 6; i++)
        shmi_duration_learn(&d, 0, 0);
    assert_false(duration_is_long(&d, 0));
}

static void types_share_places(void **state) {
    (void)state;
    struct durations d = new_durations(2, 2);
    learn_often(&d, 3, TWICE_LONG);
    for (uint32_t type = 0; type < 4 * DURATIONS; type++)
        assert_int_equal(duration_is_long(&d, type), type % DURATIONS == 3);
    learn_often(&d, 4, TWICE_LONG);
    learn_often(&d, 3 + DURATIONS, 0);
    assert_false(duration_is_long(&d, 3));
    assert_true(duration_is_long(&d, 4));
    assert_false(durations_are_short(&d));
}

/* A type is long as soon as another worker had to take over. */
static void a_handler_whose_worker_was_superseded_is_long_at_once(void **state) {
    (void)state;
    struct durations d = new_durations(2, 2);
    shmi_duration_learn_long(&d, 7);
    assert_true(duration_is_long(&d, 7));
    assert_int_equal(mean_of(&d, 7), LONG);
    store_relaxed32(&d.ns[8], 3 * LONG);
    shmi_duration_learn_long(&d, 8);
    assert_int_equal(mean_of(&d, 8), 3 * LONG);
    shmi_duration_learn(&d, 7, 0); /* it was not */
    assert_false(duration_is_long(&d, 7));
}

static void the_more_processors_help_the_sooner_a_handler_is_long(void **state) {
    (void)state;
    assert_int_equal(threshold(1, 2), 2 * WAKE_FIRST_NS);
    assert_int_equal(threshold(2, 2), 2 * WAKE_FIRST_NS);
    assert_int_equal(threshold(3, 2), WAKE_FIRST_NS);
    assert_int_equal(threshold(4, 2), 2 * WAKE_FIRST_NS / 3);
    assert_int_equal(threshold(64, 2), LONG_LEAST_NS);
}

static void no_handler_is_long_that_takes_less_than_a_look_at_all_slots(void **state) {
    (void)state;
    const uint32_t many = 4096;
    assert_int_equal(threshold(2, many), many * NS_PER_SLOT);
    assert_int_equal(threshold(64, many), many * NS_PER_SLOT);
    assert_int_equal(threshold(2, LONG / NS_PER_SLOT), LONG);
}

static void learn_wake_often(struct durations *d, uint64_t ns) {
    for (int i = 0; i < 200; i++)
        shmi_duration_learn_wake(d, ns);
}

static void the_longer_waking_takes_the_later_a_handler_is_long(void **state) {
    (void)state;
    struct durations d = new_durations(2, 2);
    shmi_duration_learn_wake(&d, WAKE_FIRST_NS + 800);
    assert_in_range(load_relaxed32(&d.wake_ns), WAKE_FIRST_NS + 99, WAKE_FIRST_NS + 101);
    assert_int_equal(load_relaxed32(&d.long_ns), 2 * load_relaxed32(&d.wake_ns));
    learn_wake_often(&d, 8000);
    assert_in_range(load_relaxed32(&d.long_ns), 15900, 16100);
    learn_wake_often(&d, UINT64_MAX);
    assert_in_range(load_relaxed32(&d.long_ns), 2 * WAKE_MOST_NS - 200, 2 * WAKE_MOST_NS + 200);
    learn_wake_often(&d, 0);
    assert_int_equal(load_relaxed32(&d.long_ns), LONG_LEAST_NS);
}

/* The second handler, the fourth, the eighth; and each one after 1,024. */
static void the_first_handlers_are_measured_now_and_then_and_later_ones_rarely(void **state) {
    (void)state;
    for (uint32_t number = 2; number < 5 * DURATION_SAMPLES; number++) {
        const bool power = (number & (number - 1)) == 0;
        const bool rare = (number - 1) % DURATION_SAMPLES == 0;
        assert_int_equal(duration_is_sampled(number - 1), power || rare);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nothing_is_long_before_it_was_seen, fake_system),
        cmocka_unit_test_setup(a_type_is_long_from_the_threshold_on, fake_system),
        cmocka_unit_test_setup(a_shorter_one_counts_half_and_a_longer_one_an_eighth, fake_system),
        cmocka_unit_test_setup(a_measured_duration_is_bounded, fake_system),
        cmocka_unit_test_setup(types_share_places, fake_system),
        cmocka_unit_test_setup(a_handler_whose_worker_was_superseded_is_long_at_once, fake_system),
        cmocka_unit_test_setup(the_more_processors_help_the_sooner_a_handler_is_long, fake_system),
        cmocka_unit_test_setup(no_handler_is_long_that_takes_less_than_a_look_at_all_slots,
                               fake_system),
        cmocka_unit_test_setup(the_longer_waking_takes_the_later_a_handler_is_long, fake_system),
        cmocka_unit_test_setup(the_first_handlers_are_measured_now_and_then_and_later_ones_rarely,
                               fake_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
