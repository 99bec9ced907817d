/*
 * What passes before the first look of a wait and between its looks; over a clock of the test's
 * own.
 */
#include "support/fake_system.h"
#include "support/fixture.h"

#include "peer/peer.h"

/* ---- Holding off ---- */

static uint64_t time_held_off(uint32_t now) {
    const struct hold_off h = {.now = now, .turns = 1 << 20};
    uint64_t begin = now_ns();
    wait_hold_off(&h);
    return now_ns() - begin;
}

/* So many turns that a clock can tell them; no pause has as many. */
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

/* So many turns that a clock can tell them. */
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

/* Opens a pair whose calls spin, and are answered when they yield. */
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

/* The worker learns from its first request that messages are in buffers. */
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

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_hold_off_passes_fractions_of_a_pause_but_none_that_is_very_short,
                               fake_system),
        cmocka_unit_test_setup(the_first_looks_of_a_tight_poll_delay, fake_system),
        cmocka_unit_test_setup(a_call_learns_when_to_look, fake_system),
        cmocka_unit_test_setup(one_of_several_calls_is_not_polled_tightly, fake_system),
        cmocka_unit_test_setup(both_sides_hold_off_before_they_look, fake_system),
        cmocka_unit_test_setup(neither_side_holds_off_for_messages_in_buffers, fake_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
