/*
 * The policy of spinning: how often a wait looks, yields and sleeps, over a clock of the test's
 * own.
 */
#include "support/fake_system.h"
#include "support/fixture.h"

#include "shmipc/shmipc.h"
#include "wait/policy.h"

static void assert_no_spinning(int64_t ns) {
    struct spin_budget budget = shmi_spin_budget(shmi_spin_time(ns, 0));
    assert_int_equal(budget.least, 0);
    assert_int_equal(budget.most, 0);
    assert_int_equal(load_relaxed32(&budget.now), 0);
}

static uint32_t most_of(int64_t ns) {
    struct spin_budget budget = shmi_spin_budget(shmi_spin_time(ns, 0));
    assert_true(budget.least <= budget.most);
    assert_int_equal(load_relaxed32(&budget.now), budget.most);
    return budget.most;
}

static void nobody_spins_on_one_processor(void **state) {
    (void)state;
    fake.per_look = 2000;
    fake.processors = 1;
    assert_no_spinning(SHMIPC_SPIN_AUTO);
    assert_no_spinning(50000);
    fake.processors = 0;
    assert_no_spinning(50000);
}

static void zero_means_no_spinning(void **state) {
    (void)state;
    fake.per_look = 2000;
    assert_no_spinning(0);
}

/* 200 pauses between two looks at a clock that advances 2000 ns each: 10 ns a pause. */
static void spins_are_measured_by_the_clock(void **state) {
    (void)state;
    fake.per_look = 2000;
    assert_in_range(most_of(10000), 990, 1000);
    assert_in_range(most_of(SHMIPC_SPIN_AUTO), SPIN_AUTO_NS / 10 - 30, SPIN_AUTO_NS / 10);
    fake.per_look = 20000;
    assert_in_range(most_of(10000), 99, 100);
}

/* The spin lasts as long as the other side needs to copy the request and to answer. */
static void a_spin_is_longer_where_messages_are_large(void **state) {
    (void)state;
    const uint64_t bytes = 400 << 10;
    assert_int_equal(shmi_spin_time(SHMIPC_SPIN_AUTO, 0), SPIN_AUTO_NS);
    assert_int_equal(shmi_spin_time(SHMIPC_SPIN_AUTO, bytes), SPIN_AUTO_NS + 25600);
    assert_int_equal(shmi_spin_time(SHMIPC_SPIN_AUTO, UINT64_C(1) << 33), SPIN_MAX_NS);
    assert_int_equal(shmi_spin_time(10000, bytes), 10000);
    assert_int_equal(shmi_spin_time(0, bytes), 0);
}

static void no_spin_is_longer_than_the_header_promises(void **state) {
    (void)state;
    fake.per_look = 2000;
    assert_in_range(most_of(INT64_MAX), 9900, 10000);
    assert_int_equal(most_of(INT64_MAX), most_of(SPIN_MAX_NS));
}

static void a_clock_that_stands_still_gives_an_answer(void **state) {
    (void)state;
    fake.per_look = 0;
    assert_true(most_of(1000) > 0);
}

/* A wait in vain: how often it looked, yields apart. */
static uint32_t looks_of_a_wait(struct spin_budget *budget) {
    struct spin spin = spin_begin(budget);
    uint32_t looks = 0;
    while (spin_next(&spin) == STEP_PAUSE)
        looks++;
    for (int i = 1; i < YIELDS; i++) /* the first one has ended the loop */
        assert_int_equal(spin_next(&spin), STEP_YIELD);
    assert_int_equal(spin_next(&spin), STEP_PARK);
    assert_int_equal(spin_next(&spin), STEP_PARK);
    return looks;
}

static bool is_about(uint32_t value, uint32_t expected) {
    return value >= expected && value <= expected + 3;
}

static void a_wait_spins_its_budget_then_yields_then_sleeps(void **state) {
    (void)state;
    struct spin_budget none = {.least = 0};
    struct spin_budget some = {.least = 100, .most = 1600, .now = 1600};
    assert_true(is_about(looks_of_a_wait(&none), 0));
    assert_true(is_about(looks_of_a_wait(&some), 1600));
}

static void spinning_in_vain_halves_the_next_down_to_the_least(void **state) {
    (void)state;
    struct spin_budget budget = {.least = 100, .most = 1600, .now = 1600};
    for (uint32_t expected = 1600; expected >= 100; expected /= 2)
        assert_true(is_about(looks_of_a_wait(&budget), expected));
    assert_true(is_about(looks_of_a_wait(&budget), 100));
}

static void one_in_many_waits_spins_to_the_end(void **state) {
    (void)state;
    struct spin_budget budget = {.least = 100, .most = 1600, .now = 100};
    int long_ones = 0;
    for (int i = 0; i < 4 * SPIN_PROBE; i++)
        long_ones += is_about(looks_of_a_wait(&budget), 1600);
    assert_int_equal(long_ones, 4);
}

/* Waits until the wait has looked `looks` times, then has what it waited for. */
static void win_after(struct spin_budget *budget, uint32_t looks) {
    struct spin spin = spin_begin(budget);
    for (uint32_t i = 0; i < looks; i++)
        assert_int_equal(spin_next(&spin), STEP_PAUSE);
    spin_won(&spin);
}

static void a_long_spin_that_pays_makes_all_long(void **state) {
    (void)state;
    struct spin_budget budget = {.least = 100, .most = 1600, .now = 100, .waits = SPIN_PROBE - 1};
    win_after(&budget, 1500);
    assert_true(is_about(looks_of_a_wait(&budget), 1600));
}

static void an_early_answer_teaches_nothing(void **state) {
    (void)state;
    struct spin_budget budget = {.least = 100, .most = 1600, .now = 100, .waits = SPIN_PROBE - 1};
    win_after(&budget, 50);
    assert_int_equal(load_relaxed32(&budget.waits), SPIN_PROBE - 1);
    assert_int_equal(load_relaxed32(&budget.now), 100);
}

static void a_long_wait_among_short_ones_spins_to_the_end(void **state) {
    (void)state;
    struct spin_budget budget = {.least = 100, .most = 1600, .now = 100};
    for (int i = 1; i < SPIN_SOON; i++)
        win_after(&budget, 50);
    assert_true(is_about(looks_of_a_wait(&budget), 100));
    for (int i = 0; i < SPIN_SOON; i++)
        win_after(&budget, 50);
    assert_true(is_about(looks_of_a_wait(&budget), 1600));
    assert_int_equal(load_relaxed32(&budget.now), 100); /* in vain, and an exception */
    assert_true(is_about(looks_of_a_wait(&budget), 100));
}

/* As long as both sides only yield to each other, the system leaves them on one processor. */
static void a_wait_that_yielding_ended_lets_the_next_one_sleep(void **state) {
    (void)state;
    struct spin_budget budget = {.least = 100, .most = 100, .now = 100};
    struct spin spin = spin_begin(&budget);
    while (spin_next(&spin) != STEP_YIELD) {
    }
    spin_won(&spin);

    spin = spin_begin(&budget);
    enum step step;
    do {
        step = spin_next(&spin);
        assert_int_not_equal(step, STEP_YIELD);
    } while (step != STEP_PARK);
    assert_true(is_about(looks_of_a_wait(&budget), 100)); /* and yields again */
}

static void without_spinning_every_wait_yields(void **state) {
    (void)state;
    struct spin_budget none = {.least = 0};
    struct spin spin = spin_begin(&none);
    assert_int_equal(spin_next(&spin), STEP_YIELD);
    spin_won(&spin);
    assert_true(is_about(looks_of_a_wait(&none), 0)); /* and YIELDS yields */
}

static void the_first_looks_of_a_tight_wait_delay(void **state) {
    (void)state;
    struct spin_budget budget = {.least = 100, .most = 100};
    struct spin spin = spin_begin(&budget);
    spin_tightly(&spin, 7);
    assert_int_equal(spin.turns, 7);
    for (int i = 0; i < TIGHT_LOOKS; i++)
        assert_int_equal(spin_next(&spin), STEP_DELAY);
    assert_int_equal(spin_next(&spin), STEP_PAUSE);
}

static void a_look_at_many_slots_is_a_wait_itself(void **state) {
    (void)state;
    struct spin_budget budget = {.least = 100, .most = 100};
    struct spin spin = spin_begin(&budget);
    spin_pay(&spin, 7);
    assert_int_equal(spin.left, 100);
    spin_pay(&spin, 80);
    assert_int_equal(spin.left, 90);
    spin_pay(&spin, 8 * 91);
    assert_int_equal(spin.left, 0);
    assert_int_equal(spin_next(&spin), STEP_YIELD);
    spin_pay(&spin, 800); /* nothing of the yields */
    assert_int_equal(spin_next(&spin), STEP_YIELD);
    assert_int_equal(spin_next(&spin), STEP_PARK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(nobody_spins_on_one_processor, fake_system),
        cmocka_unit_test_setup(zero_means_no_spinning, fake_system),
        cmocka_unit_test_setup(spins_are_measured_by_the_clock, fake_system),
        cmocka_unit_test_setup(a_spin_is_longer_where_messages_are_large, fake_system),
        cmocka_unit_test_setup(no_spin_is_longer_than_the_header_promises, fake_system),
        cmocka_unit_test_setup(a_clock_that_stands_still_gives_an_answer, fake_system),
        cmocka_unit_test_setup(a_wait_spins_its_budget_then_yields_then_sleeps, fake_system),
        cmocka_unit_test_setup(spinning_in_vain_halves_the_next_down_to_the_least, fake_system),
        cmocka_unit_test_setup(one_in_many_waits_spins_to_the_end, fake_system),
        cmocka_unit_test_setup(a_long_spin_that_pays_makes_all_long, fake_system),
        cmocka_unit_test_setup(an_early_answer_teaches_nothing, fake_system),
        cmocka_unit_test_setup(a_long_wait_among_short_ones_spins_to_the_end, fake_system),
        cmocka_unit_test_setup(a_wait_that_yielding_ended_lets_the_next_one_sleep, fake_system),
        cmocka_unit_test_setup(without_spinning_every_wait_yields, fake_system),
        cmocka_unit_test_setup(the_first_looks_of_a_tight_wait_delay, fake_system),
        cmocka_unit_test_setup(a_look_at_many_slots_is_a_wait_itself, fake_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
