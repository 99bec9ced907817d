/*
 * Waiting without waiting: over a system of the test's own.
 */
#include "support/fake_system.h"
#include "support/fixture.h"

#include "peer.h"
#include "slot.h"

/* ---- Deadlines ---- */

static void time_begins_with_the_first_look(void **state) {
    (void)state;
    struct deadline deadline = deadline_in(500);
    assert_int_equal(fake.looks, 0);
    fake.now += 10000;
    uint64_t begin = fake.now;
    assert_true(shmi_deadline_at(&deadline) == begin + 500);
    fake.now += 499;
    assert_true(shmi_deadline_at(&deadline) == begin + 500);
    assert_false(shmi_deadline_passed(&deadline));
    fake.now += 1;
    assert_true(shmi_deadline_passed(&deadline));
}

static void zero_has_passed_at_once(void **state) {
    (void)state;
    struct deadline deadline = deadline_in(0);
    assert_true(shmi_deadline_passed(&deadline));
}

static void forever_never_passes_and_reads_no_clock(void **state) {
    (void)state;
    struct deadline deadline = deadline_in(SHMIPC_FOREVER);
    assert_true(shmi_deadline_at(&deadline) == CLOCK_NEVER);
    assert_false(shmi_deadline_passed(&deadline));
    assert_int_equal(fake.looks, 0);
}

static void the_longest_timeout_does_not_wrap(void **state) {
    (void)state;
    struct deadline deadline = deadline_in(INT64_MAX);
    assert_true(shmi_deadline_at(&deadline) == fake.now + (uint64_t)INT64_MAX);
    fake.now = CLOCK_NEVER - 10;
    deadline = deadline_in(INT64_MAX);
    assert_true(shmi_deadline_at(&deadline) == CLOCK_NEVER);
    assert_false(shmi_deadline_passed(&deadline));
}

static void a_sleeper_wakes_at_the_tick_or_the_deadline_before_it(void **state) {
    (void)state;
    struct deadline soon = deadline_in((int64_t)TICK_NS - 1);
    struct deadline late = deadline_in((int64_t)TICK_NS + 1);
    struct deadline forever = deadline_in(SHMIPC_FOREVER);
    assert_true(shmi_deadline_or_tick(&soon) == fake.now + TICK_NS - 1);
    assert_true(shmi_deadline_or_tick(&late) == fake.now + TICK_NS);
    assert_true(shmi_deadline_or_tick(&forever) == fake.now + TICK_NS);
    fake.now += TICK_NS;
    assert_true(shmi_deadline_or_tick(&late) == fake.now + 1);
    assert_true(shmi_deadline_or_tick(&forever) == fake.now + TICK_NS);
}

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
    fake.yields = 0;
    while (wait_again(&spin))
        looks++;
    assert_int_equal(fake.yields, YIELDS);
    assert_false(wait_again(&spin));
    return looks - YIELDS;
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
        assert_true(wait_again(&spin));
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
    fake.yields = 0;
    while (fake.yields == 0)
        assert_true(wait_again(&spin));
    spin_won(&spin);

    spin = spin_begin(&budget);
    fake.yields = 0;
    while (wait_again(&spin)) {
    }
    assert_int_equal(fake.yields, 0);
    assert_true(is_about(looks_of_a_wait(&budget), 100)); /* and yields again */
}

static void without_spinning_every_wait_yields(void **state) {
    (void)state;
    struct spin_budget none = {.least = 0};
    struct spin spin = spin_begin(&none);
    fake.yields = 0;
    while (fake.yields == 0)
        assert_true(wait_again(&spin));
    spin_won(&spin);
    assert_true(is_about(looks_of_a_wait(&none), 0)); /* and YIELDS yields */
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

static uint64_t time_held_off(uint32_t now) {
    const struct hold_off h = {.now = now, .turns = 1 << 20};
    uint64_t begin = now_ns();
    wait_hold_off(&h);
    return now_ns() - begin;
}

/* Turns as many as no pause has, to be seen by a clock. */
static void a_hold_off_passes_fractions_of_a_pause_but_none_that_is_very_short(void **state) {
    (void)state;
    uint64_t fraction = time_held_off((2 << PAUSE_BITS) - 1), shortest = UINT64_MAX;
    for (int i = 0; i < 10; i++) {
        uint64_t took = time_held_off(HOLD_OFF_LEAST - 1);
        shortest = took < shortest ? took : shortest;
    }
    assert_true(fraction > 100000);
    assert_true(shortest < fraction / 10);
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

static uint64_t shortest_linger(uint32_t turns) {
    uint64_t shortest = UINT64_MAX;
    for (int i = 0; i < 10; i++) {
        uint64_t begin = now_ns();
        cpu_linger(turns);
        uint64_t took = now_ns() - begin;
        shortest = took < shortest ? took : shortest;
    }
    return shortest;
}

static uint64_t time_of_looks(struct spin *spin, uint32_t looks) {
    uint64_t begin = now_ns();
    while (looks-- > 0)
        assert_true(wait_again(spin));
    return now_ns() - begin;
}

/* Turns as many as can be seen by a clock. */
static void the_first_looks_of_a_tight_poll_linger(void **state) {
    (void)state;
    enum { TURNS = 1 << 20 };
    const struct spin_budget model = {.least = 100, .most = 100};
    uint64_t one = shortest_linger(TURNS), least = UINT64_MAX;
    for (int i = 0; i < 10; i++) {
        struct spin_budget budget = model;
        struct spin spin = spin_begin(&budget);
        spin_tightly(&spin, TURNS);
        assert_true(time_of_looks(&spin, TIGHT_LOOKS) >= one);
        uint64_t took = time_of_looks(&spin, 1);
        least = took < least ? took : least;
    }
    assert_true(least < one / 2);
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

/* ---- Whole waits ---- */

static const shmipc_request nothing = {.data = NULL};

static void a_call_sleeps_in_ticks_and_ends_at_its_deadline(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, NULL);
    uint64_t begin = fake.now;
    fake.sleeps = 0;
    assert_int_equal(shmipc_call(pair.host, &nothing, NULL, SECOND / 4), SHMIPC_E_TIMEOUT);
    assert_true(fake.now == begin + (uint64_t)SECOND / 4);
    assert_int_equal(fake.sleeps, 3);
    assert_true(fake.longest <= TICK_NS);
    pair_close(&pair);
}

/* Its calls spin, and are answered when they yield. */
static void open_spinning(struct pair *pair) {
    shmipc_host_config config = test_host_config();
    config.spin_ns = SHMIPC_SPIN_AUTO;
    fake.per_look = 2000;
    pair_open(pair, &config);
    fake.answerer = pair->guest;
}

static void a_call_learns_when_to_look(void **state) {
    (void)state;
    struct pair pair;
    shmipc_slot slot;
    shmipc_response response;
    open_spinning(&pair);
    struct hold_off *h = &pair.host->slots[0].hold_off;
    assert_int_equal(shmipc_call(pair.host, &nothing, NULL, SECOND), SHMIPC_OK);
    assert_int_equal(h->now, h->step);
    assert_int_not_equal(h->step, 0);
    fake.answerer = NULL;
    h->now = 2 * HOLD_OFF_SHARE;
    assert_int_equal(shmipc_slot_claim(pair.host, 0, &slot), SHMIPC_OK);
    assert_int_equal(shmipc_slot_send(slot, SHMIPC_TYPE_NORMAL, 0, 0), SHMIPC_OK);
    assert_int_equal(shmipc_poll(pair.guest, echo_handler, NULL), 1);
    assert_int_equal(shmipc_slot_receive(slot, SECOND, &response), SHMIPC_OK);
    assert_int_equal(h->now, 2 * HOLD_OFF_SHARE - 2);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    pair_close(&pair);
}

static uint64_t time_to_receive(struct pair *pair) {
    shmipc_slot slot;
    shmipc_response response;
    pair->host->slots[0].hold_off.now = 0;
    store_relaxed32(&pair->host->slots[0].spins.yielded, 0); /* or it sleeps this time */
    assert_int_equal(shmipc_slot_claim(pair->host, 0, &slot), SHMIPC_OK);
    assert_int_equal(shmipc_slot_send(slot, SHMIPC_TYPE_NORMAL, 0, 0), SHMIPC_OK);
    uint64_t begin = now_ns();
    assert_int_equal(shmipc_slot_receive(slot, SECOND, &response), SHMIPC_OK);
    uint64_t took = now_ns() - begin;
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    return took;
}

/* Nothing is held off, and the answer comes when the spinning is over. */
static void one_of_several_calls_is_not_polled_tightly(void **state) {
    (void)state;
    enum { TURNS = 1 << 24 };
    struct pair pair;
    uint64_t least = UINT64_MAX;
    open_spinning(&pair);
    const uint64_t one = shortest_linger(TURNS / 2);

    pair.host->slots[0].hold_off.turns = TURNS;
    uint64_t begin = now_ns();
    assert_int_equal(shmipc_call(pair.host, &nothing, NULL, SECOND), SHMIPC_OK);
    assert_true(now_ns() - begin >= one);

    for (int i = 0; i < 10; i++) {
        uint64_t took = time_to_receive(&pair);
        least = took < least ? took : least;
    }
    assert_true(least < one);
    pair_close(&pair);
}
static void spurious_wakes_do_not_move_the_deadline(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, NULL);
    uint64_t begin = fake.now;
    fake.sleeps = 0;
    fake.wake_instead = 1000;
    assert_int_equal(shmipc_call(pair.guest, &nothing, NULL, MILLISECOND), SHMIPC_E_TIMEOUT);
    assert_true(fake.now == begin + (uint64_t)MILLISECOND);
    assert_int_equal(fake.sleeps, 1001);
    pair_close(&pair);
}

/* Gives the claim back as a thread does that has not seen who waits for it. */
static struct local_slot *unseen_claim;

static void give_back_unseen(void) {
    if (unseen_claim != NULL)
        store_release32(&unseen_claim->claim, load_relaxed32(&unseen_claim->claim) + 1);
    unseen_claim = NULL;
    fake.now = fake.until;
}

static void claim_several(shmipc_peer *peer, uint32_t count) {
    shmipc_slot slot = {.peer = NULL};
    while (count-- > 0)
        assert_int_equal(shmipc_slot_claim(peer, 0, &slot), SHMIPC_OK);
    unseen_claim = &peer->slots[slot.index];
    fake.during_sleep = give_back_unseen;
}

static void a_claim_that_was_given_back_unseen_is_soon_found(void **state) {
    (void)state;
    struct pair pair;
    shmipc_slot slot;
    pair_open(&pair, NULL);
    claim_several(pair.host, pair.host->calls.count);
    uint64_t begin = fake.now;
    assert_int_equal(shmipc_slot_claim(pair.host, SECOND, &slot), SHMIPC_OK);
    assert_in_range(fake.now - begin, 1, STORES_SEEN_NS);
    for (uint32_t i = 0; i < pair.host->calls.count; i++)
        store_release32(&pair.host->slots[i].claim, 0);
    fake.during_sleep = NULL;
    pair_close(&pair);
}

/* How long closing takes by the clock, while a slot is claimed and this happens in each sleep. */
static uint64_t time_to_shut_down(void (*during_sleep)(void)) {
    struct pair pair;
    pair_open(&pair, NULL);
    claim_several(pair.host, 1);
    fake.during_sleep = during_sleep;
    fake.sleeps = 0;
    uint64_t begin = fake.now;
    assert_int_equal(shmipc_shutdown(pair.host, SHMIPC_FOREVER), SHMIPC_OK);
    uint64_t took = fake.now - begin;
    fake.during_sleep = NULL;
    pair_close(&pair);
    return took;
}

static void a_shutdown_ends_soon_after_a_claim_was_given_back_unseen(void **state) {
    (void)state;
    assert_in_range(time_to_shut_down(give_back_unseen), 1, STORES_SEEN_NS);
}

/* It looks soon once; then it sleeps in ticks, however long the claim is kept. */
static void keep_the_claim_for_long(void) {
    must(fake.until - fake.now <= (fake.sleeps == 1 ? STORES_SEEN_NS : TICK_NS));
    if (fake.sleeps == 10)
        give_back_unseen();
    fake.now = fake.until;
}

static void a_shutdown_sleeps_while_a_claim_is_kept(void **state) {
    (void)state;
    assert_true(time_to_shut_down(keep_the_claim_for_long) > 8 * TICK_NS);
    assert_int_equal(fake.sleeps, 10);
}

static void a_call_that_may_not_wait_does_not_sleep(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, NULL);
    uint64_t begin = fake.now;
    fake.sleeps = 0;
    assert_int_equal(shmipc_call(pair.host, &nothing, NULL, 0), SHMIPC_E_TIMEOUT);
    assert_int_equal(fake.sleeps, 0);
    assert_true(fake.now == begin);
    pair_close(&pair);
}

static void every_public_wait_keeps_its_deadline(void **state) {
    (void)state;
    struct pair pair;
    shmipc_event event;
    shmipc_slot slots[2];
    shmipc_slot third;
    pair_open(&pair, NULL);
    assert_int_equal(shmipc_slot_claim(pair.host, 0, &slots[0]), SHMIPC_OK);
    assert_int_equal(shmipc_slot_claim(pair.host, 0, &slots[1]), SHMIPC_OK);
    assert_int_equal(shmipc_next_event(pair.host, 0, &event), SHMIPC_OK);

    uint64_t at = fake.now + 1234567890;
    assert_int_equal(shmipc_slot_claim(pair.host, 1234567890, &third), SHMIPC_E_TIMEOUT);
    assert_true(fake.now == at);
    at += 1234567890;
    assert_int_equal(shmipc_wait(pair.host, 1234567890), SHMIPC_E_TIMEOUT);
    assert_true(fake.now == at);
    at += 1234567890;
    assert_int_equal(shmipc_wait(pair.guest, 1234567890), SHMIPC_E_TIMEOUT);
    assert_true(fake.now == at);
    at += 1234567890;
    assert_int_equal(shmipc_next_event(pair.host, 1234567890, &event), SHMIPC_E_TIMEOUT);
    assert_true(fake.now == at);
    at += 1234567890;
    assert_int_equal(shmipc_wait_guests(pair.host, 2, 1234567890), SHMIPC_E_TIMEOUT);
    assert_true(fake.now == at);
    assert_int_equal(shmipc_slot_release(slots[0]), SHMIPC_OK);
    assert_int_equal(shmipc_slot_release(slots[1]), SHMIPC_OK);
    pair_close(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(time_begins_with_the_first_look, fake_system),
        cmocka_unit_test_setup(zero_has_passed_at_once, fake_system),
        cmocka_unit_test_setup(forever_never_passes_and_reads_no_clock, fake_system),
        cmocka_unit_test_setup(the_longest_timeout_does_not_wrap, fake_system),
        cmocka_unit_test_setup(a_sleeper_wakes_at_the_tick_or_the_deadline_before_it, fake_system),
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
        cmocka_unit_test_setup(a_hold_off_passes_fractions_of_a_pause_but_none_that_is_very_short,
                               fake_system),
        cmocka_unit_test_setup(nobody_holds_off_who_does_not_spin, fake_system),
        cmocka_unit_test_setup(a_hold_off_ends_when_the_other_side_is_ready, fake_system),
        cmocka_unit_test_setup(a_hold_off_ends_soon_when_all_is_there_already, fake_system),
        cmocka_unit_test_setup(the_first_looks_of_a_tight_poll_linger, fake_system),
        cmocka_unit_test_setup(no_hold_off_is_longer_than_its_most, fake_system),
        cmocka_unit_test_setup(a_call_learns_when_to_look, fake_system),
        cmocka_unit_test_setup(one_of_several_calls_is_not_polled_tightly, fake_system),
        cmocka_unit_test_setup(a_call_sleeps_in_ticks_and_ends_at_its_deadline, fake_system),
        cmocka_unit_test_setup(spurious_wakes_do_not_move_the_deadline, fake_system),
        cmocka_unit_test_setup(a_claim_that_was_given_back_unseen_is_soon_found, fake_system),
        cmocka_unit_test_setup(a_shutdown_ends_soon_after_a_claim_was_given_back_unseen,
                               fake_system),
        cmocka_unit_test_setup(a_shutdown_sleeps_while_a_claim_is_kept, fake_system),
        cmocka_unit_test_setup(a_call_that_may_not_wait_does_not_sleep, fake_system),
        cmocka_unit_test_setup(every_public_wait_keeps_its_deadline, fake_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
