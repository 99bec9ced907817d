/*
 * Waiting without waiting: over a system of the test's own. What a wait does when is in
 * policy_test.c.
 */
#include "support/fake_system.h"
#include "support/fixture.h"

#include "peer/peer.h"
#include "region/slot.h"

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

/* ---- Holding off ---- */

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

static uint64_t shortest_delay(uint32_t turns) {
    uint64_t shortest = UINT64_MAX;
    for (int i = 0; i < 10; i++) {
        uint64_t begin = now_ns();
        cpu_delay(turns);
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
static void the_first_looks_of_a_tight_poll_delay(void **state) {
    (void)state;
    enum { TURNS = 1 << 20 };
    const struct spin_budget model = {.least = 100, .most = 100};
    uint64_t one = shortest_delay(TURNS), least = UINT64_MAX;
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
    const uint64_t one = shortest_delay(TURNS / 2);

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

/* A hold-off of some milliseconds, and the shortest time that it was seen to take. */
static struct hold_off long_hold_off(uint64_t *shortest) {
    const struct hold_off h = {.now = 200000u << PAUSE_BITS};
    *shortest = UINT64_MAX;
    for (int i = 0; i < 3; i++) {
        uint64_t begin = now_ns();
        wait_hold_off(&h);
        uint64_t took = now_ns() - begin;
        *shortest = took < *shortest ? took : *shortest;
    }
    return h;
}

static int end_serving(void *peer, const shmipc_request *request, shmipc_response *response) {
    (void)request;
    (void)response;
    return shmipc_wake(peer);
}

static void both_sides_hold_off_before_they_look(void **state) {
    (void)state;
    struct pair p;
    shmipc_response response;
    uint64_t hold_off;
    pair_open(&p, NULL);
    struct local_slot *l = &p.host->slots[0];
    l->hold_off = p.guest->serving.hold_off = long_hold_off(&hold_off);

    shmipc_slot slot;
    assert_int_equal(shmipc_slot_claim(p.host, 0, &slot), SHMIPC_OK);
    assert_int_equal(shmipc_slot_send(slot, SHMIPC_TYPE_NORMAL, 0, 0), SHMIPC_OK);
    uint64_t begin = now_ns();
    assert_int_equal(shmipc_serve(p.guest, end_serving, p.guest), SHMIPC_E_WOKEN);
    assert_true(now_ns() - begin >= hold_off / 2);
    begin = now_ns();
    assert_int_equal(shmipc_slot_receive(slot, SECOND, &response), SHMIPC_OK);
    assert_true(now_ns() - begin >= hold_off / 2);
    assert_true(l->hold_off.now < 200000u << PAUSE_BITS); /* the answer was there */
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    pair_close(&p);
}

enum { IN_BUFFERS = 16 };

static int end_after_the_last(void *peer, const shmipc_request *request,
                              shmipc_response *response) {
    const shmipc_peer *p = peer;
    (void)response;
    return request->slot == p->serves.first + IN_BUFFERS - 1 ? shmipc_wake(peer) : 0;
}

static void receive_in_less_than(shmipc_slot slot, uint64_t ns) {
    shmipc_response response;
    uint64_t begin = now_ns();
    assert_int_equal(shmipc_slot_receive(slot, SECOND, &response), SHMIPC_OK);
    assert_true(now_ns() - begin < ns);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
}

/* A worker learns that from its first request. */
static void neither_side_holds_off_for_messages_in_buffers(void **state) {
    (void)state;
    shmipc_host_config config = test_host_config();
    struct pair p;
    shmipc_slot slots[IN_BUFFERS];
    uint64_t hold_off;
    config.host_slots = IN_BUFFERS;
    pair_open(&p, &config);
    const struct hold_off long_one = long_hold_off(&hold_off);
    p.guest->serving.hold_off = long_one;
    for (int i = 0; i < IN_BUFFERS; i++) {
        p.host->slots[i].hold_off = long_one;
        assert_int_equal(shmipc_slot_claim(p.host, 0, &slots[i]), SHMIPC_OK);
        assert_int_equal(shmipc_slot_send(slots[i], SHMIPC_TYPE_NORMAL, INLINE_SIZE + 1, 0),
                         SHMIPC_OK);
    }
    uint64_t begin = now_ns();
    assert_int_equal(shmipc_serve(p.guest, end_after_the_last, p.guest), SHMIPC_E_WOKEN);
    assert_true(now_ns() - begin < IN_BUFFERS / 2 * hold_off);
    for (int i = 0; i < IN_BUFFERS; i++) {
        receive_in_less_than(slots[i], hold_off / 2);
        assert_int_equal(p.host->slots[i].hold_off.now, long_one.now);
    }
    pair_close(&p);
}

/* ---- Calls in a crowd, and their notifications ---- */

/* What a caller meets that calls while others wait for long handlers. */
struct crowded {
    uint32_t at_once; /* long waits of this peer, itself among them */
    bool polled;      /* a worker polls, */
    bool sleeper;     /* or sleeps */
    bool taken;       /* the request is taken before its caller waits */
};

static struct {
    struct pair pair;
    struct crowded with;
    uint32_t yields;   /* before the first sleep; YIELDS, where it spins, and one if it notified */
    uint32_t counted;  /* long waits meanwhile */
    uint32_t notifies; /* at publishing */
    uint32_t notified_asleep; /* when it has slept once */
} crowd;

static uint32_t notifications_of_requests(void) {
    return shmi_eventcount_generation(&crowd.pair.host->calls.requests);
}

static void note_at_sleep(void) {
    if (fake.sleeps == 1) {
        crowd.yields = fake.yields;
        crowd.counted = load_relaxed32(&crowd.pair.host->calling.long_waits.now);
        crowd.notified_asleep = notifications_of_requests();
    }
    must_equal(notifications_of_requests(), crowd.notified_asleep); /* not with each tick */
    fake.now = fake.until;
}

static void open_crowd(struct crowded with) {
    shmipc_host_config config = test_host_config();
    config.spin_ns = SHMIPC_SPIN_AUTO;
    fake.per_look = 2000;
    pair_open(&crowd.pair, &config);
    fake.per_look = 0;
    if (with.polled)
        shmi_eventcount_join_pollers(&crowd.pair.guest->serves.requests);
    if (with.sleeper)
        (void)shmi_eventcount_prepare(&crowd.pair.guest->serves.requests);
    store_relaxed32(&crowd.pair.host->calling.long_waits.mean, with.at_once * CROWD_PARTS);
    if (with.at_once > 1)
        store_relaxed32(&crowd.pair.host->calling.long_waits.now, with.at_once - 1);
}

/* Copies, and calls for three ticks: from the sleep on it notifies no more. */
static void call_copying_with(struct crowded with) {
    open_crowd(with);
    const uint32_t before = notifications_of_requests();
    fake.sleeps = fake.yields = 0;
    fake.during_sleep = note_at_sleep;
    assert_int_equal(shmipc_call(crowd.pair.host, &nothing, NULL, 3 * (int64_t)TICK_NS),
                     SHMIPC_E_TIMEOUT);
    fake.during_sleep = NULL;
    assert_int_equal(fake.sleeps, 3);
    crowd.notifies = crowd.notified_asleep - before;
    pair_close(&crowd.pair);
}

/* Calls for three ticks in a slot, as a thread does that may have several calls in flight. */
static void call_with(struct crowded with) {
    shmipc_slot slot;
    shmipc_response response;
    word taken = 0;
    open_crowd(with);
    assert_int_equal(shmipc_slot_claim(crowd.pair.host, 0, &slot), SHMIPC_OK);
    assert_int_equal(shmipc_slot_send(slot, SHMIPC_TYPE_NORMAL, 0, 0), SHMIPC_OK);
    struct slot *shared = crowd.pair.host->slots[slot.index].shared;
    crowd.notifies = notifications_of_requests();
    if (with.taken)
        assert_true(shmi_slot_take(shared, slot_look(shared), crowd.pair.guest->self, &taken));
    fake.sleeps = fake.yields = 0;
    fake.during_sleep = note_at_sleep;
    assert_int_equal(shmipc_slot_receive(slot, 3 * (int64_t)TICK_NS, &response),
                     with.taken ? SHMIPC_E_TIMEOUT_STARTED : SHMIPC_E_TIMEOUT);
    fake.during_sleep = NULL;
    assert_int_equal(fake.sleeps, 3);
    if (with.taken)
        (void)shmi_slot_publish_response(shared, taken, 0);
    crowd.notified_asleep -= crowd.notifies;
    pair_close(&crowd.pair);
}

/* On two processors. */
static void a_call_sleeps_at_once_in_a_crowd_that_nobody_polls_for(void **state) {
    (void)state;
    call_with((struct crowded){.at_once = 2});
    assert_int_equal(crowd.yields, 0);
    assert_int_equal(crowd.counted, 2);
}

static void a_call_spins_alone_and_where_somebody_polls(void **state) {
    (void)state;
    call_with((struct crowded){.at_once = 1});
    assert_int_equal(crowd.yields, YIELDS);
    assert_int_equal(crowd.counted, 1);
    call_with((struct crowded){.at_once = 3, .polled = true});
    assert_int_equal(crowd.yields, YIELDS);
    assert_int_equal(crowd.counted, 2); /* the others */
}

static void a_call_notifies_when_it_is_sent_if_a_worker_sleeps_and_none_polls(void **state) {
    (void)state;
    call_with((struct crowded){.sleeper = true});
    assert_int_equal(crowd.notifies, 1);
    call_with((struct crowded){.sleeper = false});
    assert_int_equal(crowd.notifies, 0);
    call_with((struct crowded){.sleeper = true, .polled = true});
    assert_int_equal(crowd.notifies, 0);
}

/* Whom it notified when it was sent may have found another request first. */
static void a_call_notifies_once_more_before_it_sleeps(void **state) {
    (void)state;
    call_with((struct crowded){.sleeper = true});
    assert_int_equal(crowd.notified_asleep, 1);
    call_with((struct crowded){.sleeper = true, .polled = true});
    assert_int_equal(crowd.notified_asleep, 1);
}

static void
a_call_notifies_only_if_it_has_not_just_notified_nor_was_taken_and_a_worker_sleeps(void **state) {
    (void)state;
    call_copying_with((struct crowded){.sleeper = true, .at_once = 1});
    assert_int_equal(crowd.notifies, 2);
    call_copying_with((struct crowded){.sleeper = true, .at_once = 2});
    assert_int_equal(crowd.notifies, 1);
    call_with((struct crowded){.sleeper = true, .taken = true});
    assert_int_equal(crowd.notified_asleep, 0);
    call_with((struct crowded){.polled = true});
    assert_int_equal(crowd.notified_asleep, 0);
    call_with((struct crowded){.at_once = 2});
    assert_int_equal(crowd.notified_asleep, 0);
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
        cmocka_unit_test_setup(a_hold_off_passes_fractions_of_a_pause_but_none_that_is_very_short,
                               fake_system),
        cmocka_unit_test_setup(the_first_looks_of_a_tight_poll_delay, fake_system),
        cmocka_unit_test_setup(a_call_learns_when_to_look, fake_system),
        cmocka_unit_test_setup(one_of_several_calls_is_not_polled_tightly, fake_system),
        cmocka_unit_test_setup(a_call_sleeps_in_ticks_and_ends_at_its_deadline, fake_system),
        cmocka_unit_test_setup(both_sides_hold_off_before_they_look, fake_system),
        cmocka_unit_test_setup(neither_side_holds_off_for_messages_in_buffers, fake_system),
        cmocka_unit_test_setup(a_call_sleeps_at_once_in_a_crowd_that_nobody_polls_for, fake_system),
        cmocka_unit_test_setup(a_call_spins_alone_and_where_somebody_polls, fake_system),
        cmocka_unit_test_setup(a_call_notifies_when_it_is_sent_if_a_worker_sleeps_and_none_polls,
                               fake_system),
        cmocka_unit_test_setup(a_call_notifies_once_more_before_it_sleeps, fake_system),
        cmocka_unit_test_setup(
            a_call_notifies_only_if_it_has_not_just_notified_nor_was_taken_and_a_worker_sleeps,
            fake_system),
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
