/*
 * The policy of crowds: how many threads are in something long, and whether they leave a processor
 * free.
 */
#include "support/fake_system.h"
#include "support/fixture.h"

#include "wait/policy.h"

/* `count` at once, so often one after the other. */
static void crowd_together(struct crowd *c, uint32_t count, uint32_t often) {
    for (uint32_t i = 1; i < count; i++)
        shmi_crowd_enter(c);
    while (often-- > 0) {
        shmi_crowd_enter(c);
        shmi_crowd_leave(c);
    }
    for (uint32_t i = 1; i < count; i++)
        shmi_crowd_leave(c);
    assert_int_equal(load_relaxed32(&c->now), 0);
}

static uint32_t mean(const struct crowd *c) {
    return load_relaxed32(&c->mean);
}

static void a_crowds_mean_follows_how_many_are_there(void **state) {
    (void)state;
    struct crowd c = {.now = 0};
    shmi_crowd_enter(&c);
    assert_int_equal(mean(&c), CROWD_PARTS / CROWD_MOVES);
    shmi_crowd_leave(&c);
    assert_int_equal(mean(&c), CROWD_PARTS / CROWD_MOVES);
    crowd_together(&c, 4, 100);
    assert_in_range(mean(&c), 4 * CROWD_PARTS - CROWD_MOVES, 4 * CROWD_PARTS);
    crowd_together(&c, 2, 100);
    assert_int_equal(mean(&c), 2 * CROWD_PARTS);
}

/* Otherwise a thread that is alone would never spin again on two processors. */
static void a_mean_comes_down_to_exactly_one(void **state) {
    (void)state;
    for (uint32_t begin = CROWD_PARTS; begin < 8 * CROWD_PARTS; begin++) {
        struct crowd c = {.mean = begin};
        crowd_together(&c, 1, 100);
        assert_int_equal(mean(&c), CROWD_PARTS);
    }
}

static bool leaves_room(uint32_t together, uint32_t processors) {
    struct crowd c = {.now = 0};
    crowd_together(&c, together, 200);
    return crowd_leaves_room(&c, processors);
}

static void each_of_a_crowd_needs_a_processor_and_so_does_its_waiter(void **state) {
    (void)state;
    const struct crowd nobody = {.now = 0};
    assert_true(crowd_leaves_room(&nobody, 1));
    assert_true(leaves_room(1, 2));
    assert_false(leaves_room(2, 2));
    assert_false(leaves_room(2, 3));
    assert_true(leaves_room(2, 4));
    assert_false(leaves_room(3, 4));
    assert_true(leaves_room(8, 16));
    assert_false(leaves_room(9, 16));
}

/* The mean nears one from below, too slowly to get there. */
static void on_one_processor_there_is_no_room_in_the_end(void **state) {
    (void)state;
    assert_false(leaves_room(1, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_crowds_mean_follows_how_many_are_there, fake_system),
        cmocka_unit_test_setup(a_mean_comes_down_to_exactly_one, fake_system),
        cmocka_unit_test_setup(each_of_a_crowd_needs_a_processor_and_so_does_its_waiter,
                               fake_system),
        cmocka_unit_test_setup(on_one_processor_there_is_no_room_in_the_end, fake_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
