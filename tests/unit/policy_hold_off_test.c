/*
 * The policy of holding off: when a wait looks for the first time, over a clock of the test's own.
 */
#include "support/fake_system.h"
#include "support/fixture.h"

#include "shmipc/shmipc.h"
#include "wait/policy.h"

/* The first look comes after the hold-off; the other side is ready after `ready` pauses. Returns
   how many of the waits looked once. */
static uint32_t hold_off_against(struct hold_off *h, uint32_t ready, uint32_t waits) {
    uint32_t once = 0;
    for (uint32_t i = 0; i < waits; i++) {
        bool found_at_once = h->now >> PAUSE_BITS >= ready;
        once += found_at_once;
        hold_off_learn(h, found_at_once);
    }
    return once;
}

/* A pause of 10 ns, see spins_are_measured_by_the_clock. */
static struct hold_off new_hold_off(int64_t spin_ns) {
    fake.per_look = 2000;
    const int64_t ns = shmi_spin_time(spin_ns, 0);
    const struct spin_budget budget = shmi_spin_budget(ns);
    return shmi_hold_off(&budget, ns);
}

static void a_wait_that_does_not_spin_does_not_hold_off(void **state) {
    (void)state;
    struct hold_off never = new_hold_off(0);
    (void)hold_off_against(&never, 1, 1000);
    assert_int_equal(never.now, 0);
    fake.processors = 1;
    never = new_hold_off(SHMIPC_SPIN_AUTO);
    (void)hold_off_against(&never, 1, 1000);
    assert_int_equal(never.now, 0);
}

static void a_hold_off_ends_when_the_other_side_is_ready(void **state) {
    (void)state;
    struct hold_off h = new_hold_off(SHMIPC_SPIN_AUTO);
    (void)hold_off_against(&h, 12, 2000);
    assert_in_range(hold_off_against(&h, 12, 1000), 750, 990);
    assert_in_range(h.now >> PAUSE_BITS, 11, 13);
    (void)hold_off_against(&h, 3, 2000); /* it has become faster */
    assert_in_range(hold_off_against(&h, 3, 1000), 750, 990);
    assert_in_range(h.now >> PAUSE_BITS, 2, 4);
}

static void a_hold_off_ends_soon_when_all_is_there_already(void **state) {
    (void)state;
    struct hold_off h = new_hold_off(SHMIPC_SPIN_AUTO);
    (void)hold_off_against(&h, 12, 2000);
    assert_int_equal(hold_off_against(&h, 0, 2400), 2400);
    assert_int_equal(h.now >> PAUSE_BITS, 0);
}

static void no_hold_off_is_longer_than_its_most(void **state) {
    (void)state;
    struct hold_off h = new_hold_off(SHMIPC_SPIN_AUTO);
    assert_int_equal(hold_off_against(&h, UINT32_MAX, 10000), 0);
    assert_in_range(h.now >> PAUSE_BITS, HOLD_OFF_MOST_NS / 10 - 1, HOLD_OFF_MOST_NS / 10 + 1);
    h = new_hold_off(100);
    (void)hold_off_against(&h, UINT32_MAX, 10000);
    assert_in_range(h.now >> PAUSE_BITS, 9, 11);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_wait_that_does_not_spin_does_not_hold_off, fake_system),
        cmocka_unit_test_setup(a_hold_off_ends_when_the_other_side_is_ready, fake_system),
        cmocka_unit_test_setup(a_hold_off_ends_soon_when_all_is_there_already, fake_system),
        cmocka_unit_test_setup(no_hold_off_is_longer_than_its_most, fake_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
