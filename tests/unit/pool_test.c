/*
 * Claiming slots: by threads of one process, and by processes in the case of guest slots.
 */
#include "support/fixture.h"

#include "call/pool.h"
#include "peer/peer.h"
#include "region/slot.h"

static void every_slot_can_be_claimed_once(void **state) {
    (void)state;
    for (int host = 0; host < 2; host++) {
        struct pair p;
        shmipc_slot slots[8];
        shmipc_slot more;
        shmipc_host_config config = test_host_config();
        config.host_slots = config.guest_slots = 8;
        pair_open(&p, &config);
        shmipc_peer *peer = host ? p.host : p.guest;
        for (int i = 0; i < 8; i++) {
            assert_int_equal(shmipc_slot_claim(peer, 0, &slots[i]), SHMIPC_OK);
            for (int j = 0; j < i; j++)
                assert_int_not_equal(slots[i].index, slots[j].index);
        }
        assert_int_equal(shmipc_slot_claim(peer, 0, &more), SHMIPC_E_TIMEOUT);
        must_release(slots[5]);
        more = must_claim(peer, SHMIPC_FOREVER);
        assert_int_equal(more.index, slots[5].index);
        slots[5] = more;
        for (int i = 0; i < 8; i++)
            must_release(slots[i]);
        pair_close(&p);
    }
}

static void each_claim_has_a_ticket_of_its_own(void **state) {
    (void)state;
    struct pair p;
    pair_open(&p, NULL);
    uint32_t last = 0;
    for (int i = 0; i < 1000; i++) {
        shmipc_slot slot = must_claim(p.host, SHMIPC_FOREVER);
        assert_int_equal(slot.ticket % 2, 1);
        assert_int_not_equal(slot.ticket, last);
        last = slot.ticket;
        must_release(slot);
    }
    pair_close(&p);
}

static void a_thread_gets_its_last_slot_again(void **state) {
    (void)state;
    struct pair p;
    pair_open(&p, NULL);
    shmipc_slot a = must_claim(p.host, SHMIPC_FOREVER);
    shmipc_slot b = must_claim(p.host, SHMIPC_FOREVER);
    must_release(a);
    must_release(b);
    for (int i = 0; i < 10; i++) {
        shmipc_slot again = must_claim(p.host, SHMIPC_FOREVER);
        assert_int_equal(again.index, b.index);
        must_release(again);
    }
    pair_close(&p);
}

static void guests_claim_from_each_other(void **state) {
    (void)state;
    struct pair p;
    shmipc_peer *second;
    shmipc_slot slot;
    pair_open(&p, NULL);
    assert_int_equal(shmipc_guest_attach(p.name.text, NULL, 0, &second), SHMIPC_OK);
    shmipc_slot a = must_claim(p.guest, SHMIPC_FOREVER);
    shmipc_slot b = must_claim(second, SHMIPC_FOREVER);
    assert_int_not_equal(a.index, b.index);
    assert_int_equal(shmipc_slot_claim(p.guest, 0, &slot), SHMIPC_E_TIMEOUT);
    assert_int_equal(shmipc_slot_claim(second, 0, &slot), SHMIPC_E_TIMEOUT);
    must_release(b);
    slot = must_claim(p.guest, SHMIPC_FOREVER);
    must_release(slot);
    must_release(a);
    shmipc_free(second);
    pair_close(&p);
}

static void guests_sign_what_they_claim(void **state) {
    (void)state;
    struct pair p;
    pair_open(&p, NULL);
    shmipc_slot slot = must_claim(p.guest, SHMIPC_FOREVER);
    struct slot *shared = region_slot(&p.guest->region, slot.index);
    assert_int_equal(word_state(slot_look(shared)), SLOT_BUSY);
    assert_true(word_owner(slot_look(shared)) == p.guest->self);
    must_release(slot);
    assert_int_equal(word_state(slot_look(shared)), SLOT_FREE);
    assert_true(word_owner(slot_look(shared)) == 0);
    slot = must_claim(p.host, SHMIPC_FOREVER);
    assert_int_equal(word_state(slot_look(region_slot(&p.host->region, slot.index))), SLOT_FREE);
    must_release(slot);
    pair_close(&p);
}

static void a_direction_without_slots_cannot_call(void **state) {
    (void)state;
    const shmipc_request nothing = {.data = NULL};
    shmipc_host_config config = test_host_config();
    struct pair p;
    shmipc_slot slot;
    config.guest_slots = 0;
    pair_open(&p, &config);
    assert_int_equal(shmipc_call(p.guest, &nothing, NULL, 0), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_slot_claim(p.guest, SHMIPC_FOREVER, &slot), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_poll(p.host, echo_handler, NULL), 0);
    pair_close(&p);
}

/* ---- Waiting for a slot ---- */

struct claimer {
    pthread_t thread;
    shmipc_peer *peer;
    atomic_uint *inside;
    unsigned limit;
    int rounds;
    uint64_t longest;
};

static void *claim_and_release(void *context) {
    struct claimer *c = context;
    for (int i = 0; i < c->rounds; i++) {
        uint64_t begin = now_ns();
        shmipc_slot slot = must_claim(c->peer, SHMIPC_FOREVER);
        uint64_t took = now_ns() - begin;
        c->longest = took > c->longest ? took : c->longest;
        must(atomic_fetch_add(c->inside, 1) < c->limit);
        shmi_cpu_yield();
        atomic_fetch_sub(c->inside, 1);
        must_release(slot);
    }
    return NULL;
}

/* Half of the claimers belong to another process, as far as guest slots are concerned. */
static void each_waiter_gets_a_slot(void **state) {
    (void)state;
    enum { CLAIMERS = 6, ROUNDS = 5000 };
    for (int host = 0; host < 2; host++) {
        struct pair p;
        shmipc_peer *second;
        struct claimer claimers[CLAIMERS];
        atomic_uint inside = 0;
        pair_open(&p, NULL);
        assert_int_equal(shmipc_guest_attach(p.name.text, NULL, 0, &second), SHMIPC_OK);
        for (int i = 0; i < CLAIMERS; i++) {
            shmipc_peer *guest = i % 2 == 0 ? p.guest : second;
            claimers[i] = (struct claimer){
                .peer = host ? p.host : guest, .inside = &inside, .limit = 2, .rounds = ROUNDS};
            claimers[i].thread = thread_start(claim_and_release, &claimers[i]);
        }
        for (int i = 0; i < CLAIMERS; i++) {
            thread_join(claimers[i].thread);
            assert_true(claimers[i].longest < 20 * SECOND);
        }
        shmipc_free(second);
        pair_close(&p);
    }
}

static void *claim_one(void *context) {
    struct claimer *c = context;
    uint64_t begin = now_ns();
    shmipc_slot slot = must_claim(c->peer, SHMIPC_FOREVER);
    c->longest = now_ns() - begin;
    must_release(slot);
    return NULL;
}

/* Each claimer that was let in lets the next one in: nobody waits for its tick. */
static void a_release_wakes_a_waiter_of_any_process(void **state) {
    (void)state;
    enum { CLAIMERS = 4, ROUNDS = 9 };
    for (int host = 0; host < 2; host++) {
        int soon = 0;
        for (int round = 0; round < ROUNDS; round++) {
            struct pair p;
            shmipc_peer *second;
            struct claimer claimers[CLAIMERS];
            pair_open(&p, NULL);
            assert_int_equal(shmipc_guest_attach(p.name.text, NULL, 0, &second), SHMIPC_OK);
            shmipc_peer *holder = host ? p.host : p.guest;
            struct eventcount *eventcount = holder->calls.vacancies.shared;
            shmipc_slot a = must_claim(holder, SHMIPC_FOREVER);
            shmipc_slot b = must_claim(holder, SHMIPC_FOREVER);
            for (int i = 0; i < CLAIMERS; i++) {
                claimers[i] = (struct claimer){.peer = host ? p.host : second};
                claimers[i].thread = thread_start(claim_one, &claimers[i]);
            }
            eventually(load_seq_cst32(&eventcount->sleepers) != 0 &&
                       load_seq_cst32(&claimers[0].peer->calls.vacancies.waiters) == CLAIMERS);
            uint64_t begin = now_ns();
            must_release(a);
            for (int i = 0; i < CLAIMERS; i++)
                thread_join(claimers[i].thread);
            soon += now_ns() - begin < TICK_NS / 2;
            assert_int_equal(load_seq_cst32(&eventcount->sleepers), 0);
            must_release(b);
            shmipc_free(second);
            pair_close(&p);
        }
        assert_true(soon > ROUNDS / 2);
    }
}

static void a_release_that_nobody_waits_for_wakes_nobody(void **state) {
    (void)state;
    for (int host = 0; host < 2; host++) {
        struct pair p;
        pair_open(&p, NULL);
        shmipc_peer *peer = host ? p.host : p.guest;
        uint32_t before = load_relaxed32(&peer->calls.vacancies.shared->generation);
        for (int i = 0; i < 100; i++)
            must_release(must_claim(peer, SHMIPC_FOREVER));
        assert_int_equal(load_relaxed32(&peer->calls.vacancies.shared->generation), before);
        pair_close(&p);
    }
}

static void a_burst_of_calls_waits_for_its_turn(void **state) {
    (void)state;
    enum { CALLS = 60 };
    for (int host = 0; host < 2; host++) {
        struct pair p;
        struct server server;
        struct call_thread calls[CALLS];
        pair_open(&p, NULL);
        server_start(&server, host ? p.guest : p.host, echo_handler, NULL);
        for (int i = 0; i < CALLS; i++)
            call_start(&calls[i], host ? p.host : p.guest, SHMIPC_FOREVER);
        for (int i = 0; i < CALLS; i++)
            assert_int_equal(call_join(&calls[i]), SHMIPC_OK);
        (void)server_stop(&server);
        pair_close(&p);
    }
}

static void it_is_crowded_when_more_slots_are_claimed_than_processors(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        shmipc_slot slots[4];
        shmipc_host_config config = test_host_config();
        struct pair p;
        config.host_slots = config.guest_slots = 4;
        pair_open(&p, &config);
        shmipc_peer *caller = host_calls ? p.host : p.guest;
        assert_int_equal(caller->processors, shmi_cpu_count());
        caller->processors = 3;
        for (int i = 0; i < 4; i++) {
            assert_false(shmi_pool_is_crowded(caller));
            assert_int_equal(shmipc_slot_claim(caller, 0, &slots[i]), SHMIPC_OK);
        }
        assert_true(shmi_pool_is_crowded(caller));
        for (int i = 0; i < 4; i++)
            assert_int_equal(shmipc_slot_release(slots[i]), SHMIPC_OK);
        assert_false(shmi_pool_is_crowded(caller));
        pair_close(&p);
    }
}

/* Another thread of the process takes the ticks, and may wait for something else. */
static void a_waiter_reclaims_dead_guests_slots_without_ticks(void **state) {
    (void)state;
    struct pair pair;
    shmipc_slot slot;
    pair_open(&pair, NULL);
    for (uint32_t i = pair.guest->calls.first; i < region_slots(&pair.guest->region); i++)
        exchange_seq_cst64(&region_slot(&pair.guest->region, i)->word,
                           word_with_owner(SLOT_BUSY, owner_make(9, 1)));
    store_relaxed64(&pair.guest->membership.next_tick, CLOCK_NEVER);
    store_relaxed64(&pair.host->membership.next_tick, CLOCK_NEVER);
    assert_int_equal(shmipc_slot_claim(pair.guest, 5 * SECOND, &slot), SHMIPC_OK);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    pair_close(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(it_is_crowded_when_more_slots_are_claimed_than_processors),
        watched_test(every_slot_can_be_claimed_once),
        watched_test(each_claim_has_a_ticket_of_its_own),
        watched_test(a_thread_gets_its_last_slot_again),
        watched_test(guests_claim_from_each_other),
        watched_test(guests_sign_what_they_claim),
        watched_test(a_direction_without_slots_cannot_call),
        watched_test(each_waiter_gets_a_slot),
        watched_test(a_release_wakes_a_waiter_of_any_process),
        watched_test(a_release_that_nobody_waits_for_wakes_nobody),
        watched_test(a_burst_of_calls_waits_for_its_turn),
        watched_test(a_waiter_reclaims_dead_guests_slots_without_ticks),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
