/*
 * The policy of waiting and serving: values in, values out, over a clock of the test's own.
 */
#include "support/fake_system.h"
#include "support/fixture.h"

#include "wait/policy.h"

#include "shmipc/shmipc.h"

/* ---- Spinning ---- */

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

/* As long as the other side copies what it is sent, and answers. */
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

/* While both only yield to each other, the system leaves them on one processor. */
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

/* ---- Holding off ---- */

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

static void nobody_holds_off_who_does_not_spin(void **state) {
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

/* ---- How long handlers take ---- */

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

/* So that a handler that was interrupted, or sleeps, is not long for ever. */
static void what_is_noted_is_bounded(void **state) {
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
static void what_another_took_over_from_is_long_at_once(void **state) {
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

/* ---- How many are in something long ---- */

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

/* Or a thread that is alone would not spin on two processors, for ever. */
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

static void each_of_a_crowd_needs_a_processor_and_so_does_who_waits_for_it(void **state) {
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

/* ---- Turns ---- */

enum { MS = 1000000 };

/* Releases of a turn up to the next step that is another, `apart` ns from each other. */
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

static void who_slept_in_a_turn_notifies(void **state) {
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
        cmocka_unit_test_setup(nobody_holds_off_who_does_not_spin, fake_system),
        cmocka_unit_test_setup(a_hold_off_ends_when_the_other_side_is_ready, fake_system),
        cmocka_unit_test_setup(a_hold_off_ends_soon_when_all_is_there_already, fake_system),
        cmocka_unit_test_setup(no_hold_off_is_longer_than_its_most, fake_system),
        cmocka_unit_test_setup(nothing_is_long_before_it_was_seen, fake_system),
        cmocka_unit_test_setup(a_type_is_long_from_the_threshold_on, fake_system),
        cmocka_unit_test_setup(a_shorter_one_counts_half_and_a_longer_one_an_eighth, fake_system),
        cmocka_unit_test_setup(what_is_noted_is_bounded, fake_system),
        cmocka_unit_test_setup(types_share_places, fake_system),
        cmocka_unit_test_setup(what_another_took_over_from_is_long_at_once, fake_system),
        cmocka_unit_test_setup(the_more_processors_help_the_sooner_a_handler_is_long, fake_system),
        cmocka_unit_test_setup(no_handler_is_long_that_takes_less_than_a_look_at_all_slots,
                               fake_system),
        cmocka_unit_test_setup(the_longer_waking_takes_the_later_a_handler_is_long, fake_system),
        cmocka_unit_test_setup(the_first_handlers_are_measured_now_and_then_and_later_ones_rarely,
                               fake_system),
        cmocka_unit_test_setup(a_crowds_mean_follows_how_many_are_there, fake_system),
        cmocka_unit_test_setup(a_mean_comes_down_to_exactly_one, fake_system),
        cmocka_unit_test_setup(each_of_a_crowd_needs_a_processor_and_so_does_who_waits_for_it,
                               fake_system),
        cmocka_unit_test_setup(on_one_processor_there_is_no_room_in_the_end, fake_system),
        cmocka_unit_test(turns_share_a_round),
        cmocka_unit_test(a_turn_looks_at_the_clock_more_seldom_in_time),
        cmocka_unit_test(who_slept_in_a_turn_notifies),
        cmocka_unit_test(a_turn_notifies_early_until_one_has_lasted),
        cmocka_unit_test(turns_leave_a_processor_to_the_worker),
        cmocka_unit_test(a_turn_is_under_way_as_long_as_it_is_looked_after),
        cmocka_unit_test(the_newest_waiter_looks_first_and_all_by_a_tick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
