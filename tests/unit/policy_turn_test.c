/* The policy of turns: how long a thread may call in one slot while others wait for one. */
#include "support/fixture.h"

#include "wait/policy.h"

enum { MS = 1000000 };

/* How many releases of a turn, `apart` ns from each other, go by until the next step but
   TURN_LASTS. */
static int releases_that_last(struct turn *t, struct turns *all, uint32_t waiters, uint64_t *now,
                              uint64_t apart, enum turn_step *step) {
    int releases = 0;
    do {
        *now += apart;
        releases++;
        *step = turn_goes_on(t, false) ? TURN_LASTS : shmi_turn_next(t, all, false, waiters, *now);
    } while (*step == TURN_LASTS);
    return releases;
}

/* How long a turn lasts among so many waiters, after others have lasted. */
static uint64_t turn_among(uint32_t waiters) {
    struct turns all = {.handed_on = 0};
    struct turn turn;
    enum turn_step step;
    uint64_t now = MS;
    shmi_turn_begin(&turn, &all, now);
    (void)releases_that_last(&turn, &all, waiters, &now, 200, &step);
    assert_int_equal(step, TURN_ENDS);
    assert_int_equal(turn.began, 0);
    return now - MS;
}

static void turns_share_a_round(void **state) {
    (void)state;
    const uint64_t late = UINT64_C(200) * (TURN_RELEASES + 1);
    assert_in_range(turn_among(1), TURN_MOST_NS, TURN_MOST_NS + late);
    assert_in_range(turn_among(16), TURN_MOST_NS, TURN_MOST_NS + late);
    assert_in_range(turn_among(60), TURN_ROUND_NS / 60, TURN_ROUND_NS / 60 + late);
}

static void a_turn_looks_at_the_clock_more_seldom_in_time(void **state) {
    (void)state;
    struct turns all = {.handed_on = 0};
    struct turn turn;
    uint64_t now = MS;
    int looks = 0;
    shmi_turn_begin(&turn, &all, now);
    for (int i = 0; i < 4 * TURN_RELEASES; i++, now += 200)
        looks +=
            !turn_goes_on(&turn, false) && shmi_turn_next(&turn, &all, false, 1, now) == TURN_LASTS;
    assert_in_range(looks, 7, 10); /* after 1, 2, 4 .. 64, then each 64 */
    now += TURN_LOOK_NS * 2;
    while (turn_goes_on(&turn, false))
        ;
    assert_int_equal(shmi_turn_next(&turn, &all, false, 1, now), TURN_LASTS);
    assert_false(turn_goes_on(&turn, false));
}

static void a_thread_that_slept_in_its_turn_notifies(void **state) {
    (void)state;
    struct turns all = {.handed_on = 0};
    struct turn turn;
    shmi_turn_begin(&turn, &all, MS);
    turn.to_go = TURN_RELEASES;
    assert_false(turn_goes_on(&turn, true));
    assert_int_equal(shmi_turn_next(&turn, &all, true, 1, MS + 1), TURN_NOTIFIES);
    assert_int_equal(shmi_turn_next(&turn, &all, false, 1, MS + 2), TURN_LASTS);
}

static void a_turn_notifies_early_until_one_has_lasted(void **state) {
    (void)state;
    struct turns all;
    struct turn turn;
    enum turn_step step;
    uint64_t now = MS;
    shmi_turns_begin(&all);
    shmi_turn_begin(&turn, &all, now);
    assert_int_equal(releases_that_last(&turn, &all, 1, &now, 200, &step), 1);
    assert_int_equal(step, TURN_NOTIFIES);
    while (step != TURN_ENDS)
        (void)releases_that_last(&turn, &all, 1, &now, 200, &step);
    shmi_turn_begin(&turn, &all, now);
    assert_true(releases_that_last(&turn, &all, 1, &now, 200, &step) > TURN_RELEASES);
    assert_int_equal(step, TURN_ENDS);
}

static void turns_leave_a_processor_to_the_worker(void **state) {
    (void)state;
    struct turns all = {.slept = 0};
    assert_true(turns_leave_room(&all, 0, 1));
    assert_false(turns_leave_room(&all, 1, 2));
    assert_true(turns_leave_room(&all, 1, 3));
    assert_false(turns_leave_room(&all, 2, 3));
    for (int i = 0; i < 2 * TURN_MOVES; i++) { /* a sleeping caller needs none */
        struct turn turn = {.began = 1};
        (void)shmi_turn_next(&turn, &all, true, 1, MS);
    }
    assert_true(turns_leave_room(&all, 100, 2));
}

static void a_turn_is_under_way_as_long_as_it_is_looked_after(void **state) {
    (void)state;
    struct turns all = {.handed_on = 0};
    struct turn turn;
    shmi_turn_begin(&turn, &all, MS);
    assert_true(shmi_turn_is_under_way(&turn, false, MS - 1)); /* another thread's clock */
    assert_true(shmi_turn_is_under_way(&turn, false, MS + TURN_LEFT_NS - 1));
    assert_false(shmi_turn_is_under_way(&turn, false, MS + TURN_LEFT_NS));
    assert_true(shmi_turn_is_under_way(&turn, true, MS + TURN_STALE_NS - 1));
    assert_false(shmi_turn_is_under_way(&turn, true, MS + TURN_STALE_NS));
    turn_reset(&turn);
    assert_false(shmi_turn_is_under_way(&turn, true, MS));
}

static void the_newest_waiter_looks_first_and_all_by_a_tick(void **state) {
    (void)state;
    assert_int_equal(vacancy_sleep(true, 0, 9), STORES_SEEN_NS);
    assert_int_equal(vacancy_sleep(true, 1, 9), 2 * STORES_SEEN_NS);
    assert_int_equal(vacancy_sleep(true, 7, 9), TICK_NS);
    assert_int_equal(vacancy_sleep(false, 0, 2), 4 * TURN_MOST_NS);
    assert_int_equal(vacancy_sleep(false, 0, 1000), TICK_NS);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(turns_share_a_round),
        cmocka_unit_test(a_turn_looks_at_the_clock_more_seldom_in_time),
        cmocka_unit_test(a_thread_that_slept_in_its_turn_notifies),
        cmocka_unit_test(a_turn_notifies_early_until_one_has_lasted),
        cmocka_unit_test(turns_leave_a_processor_to_the_worker),
        cmocka_unit_test(a_turn_is_under_way_as_long_as_it_is_looked_after),
        cmocka_unit_test(the_newest_waiter_looks_first_and_all_by_a_tick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
