/* Deadlines, and that each wait keeps its own; over a clock of the test's own. */
#include "support/fake_system.h"
#include "support/fixture.h"

#include "peer/peer.h"

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

/* ---- Deadlines of waits ---- */

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

/* Gives the claim back like a thread that has missed the waiter. */
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

/* The shutdown looks soon once, then sleeps in ticks as long as the claim is kept. */
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
