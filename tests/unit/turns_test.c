/*
 * Turns in a slot, where more threads call than there are slots.
 */
#include "support/fixture.h"

#include "call/pool.h"
#include "peer/peer.h"

struct turn_taker {
    pthread_t thread;
    shmipc_peer *peer;
    atomic_bool had_slot;
};

static void *take_a_turn(void *context) {
    struct turn_taker *t = context;
    shmipc_slot slot = must_claim(t->peer, SHMIPC_FOREVER);
    atomic_store(&t->had_slot, true);
    must_release(slot);
    return NULL;
}

static struct local_slot *claim_as_calls_do(shmipc_peer *peer) {
    struct deadline deadline = deadline_in(SHMIPC_FOREVER);
    struct local_slot *l;
    must_equal(shmi_pool_claim(peer, &deadline, &l), SHMIPC_OK);
    return l;
}

/* Returns once it has announced that it waits. */
static void start_waiter(struct turn_taker *waiter) {
    waiter->thread = thread_start(take_a_turn, waiter);
    eventually(load_seq_cst32(&waiter->peer->calls.vacancies.waiters) == 1);
}

/* A slot that is claimed as a call claims it, and a thread that waits for it. */
static struct local_slot *claim_before(struct turn_taker *waiter) {
    struct local_slot *l = claim_as_calls_do(waiter->peer);
    start_waiter(waiter);
    return l;
}

static uint32_t notifications(const shmipc_peer *peer) {
    return load_relaxed32(&peer->calls.vacancies.shared->generation);
}

static void open_with_one_slot(struct pair *p) {
    shmipc_host_config config = test_host_config();
    config.host_slots = config.guest_slots = 1;
    pair_open(p, &config);
}

/* True if the waiter has the slot first, when a thread has just released it and claims again. */
static bool is_next(struct turn_taker *waiter) {
    shmipc_slot again = must_claim(waiter->peer, SHMIPC_FOREVER);
    bool had_slot = atomic_load(&waiter->had_slot);
    must_release(again);
    thread_join(waiter->thread);
    return had_slot;
}

static bool the_waiter_is_next(shmipc_peer *peer) {
    struct turn_taker waiter = {.peer = peer};
    struct local_slot *l = claim_before(&waiter);
    l->turn.began = 1;
    shmi_pool_release(peer, l);
    return is_next(&waiter);
}

/* The same for a thread that claims the slot and holds it. */
static bool the_waiter_is_next_after_a_claim(shmipc_peer *peer) {
    struct turn_taker waiter = {.peer = peer};
    shmipc_slot slot = must_claim(peer, SHMIPC_FOREVER);
    must_release(slot);
    peer->slots[slot.index].turn.began = 1;
    slot = must_claim(peer, SHMIPC_FOREVER);
    start_waiter(&waiter);
    must_release(slot);
    return is_next(&waiter);
}

/* Once the turn is over the waiter may not be next: if the system does not let it run for a
   millisecond the holder looks by itself. */
static void must_step_aside(bool (*waiter_is_next)(shmipc_peer *peer)) {
    enum { ROUNDS = 9 };
    for (int host = 0; host < 2; host++) {
        struct pair p;
        int next = 0;
        open_with_one_slot(&p);
        for (int i = 0; i < ROUNDS; i++)
            next += waiter_is_next(host ? p.host : p.guest);
        assert_true(next > ROUNDS / 2);
        pair_close(&p);
    }
}

static void a_thread_whose_turn_is_over_steps_aside(void **state) {
    (void)state;
    must_step_aside(the_waiter_is_next);
}

static void a_thread_that_held_a_slot_for_a_turn_steps_aside(void **state) {
    (void)state;
    must_step_aside(the_waiter_is_next_after_a_claim);
}

/* The other guest has announced a sleeper that does not come: the thread that stepped aside for it
   looks by itself, a little later. */
static void a_thread_whose_turn_is_over_steps_aside_for_another_guest(void **state) {
    (void)state;
    struct pair p;
    shmipc_peer *second;
    open_with_one_slot(&p);
    must_equal(shmipc_guest_attach(p.name.text, NULL, SHMIPC_TIMEOUT_DEFAULT, &second), SHMIPC_OK);
    (void)shmi_eventcount_prepare(&second->calls.vacancies);
    struct local_slot *l = claim_as_calls_do(p.guest);
    l->turn.began = 1;
    shmi_pool_release(p.guest, l);
    uint64_t begin = now_ns();
    l = claim_as_calls_do(p.guest);
    assert_true(now_ns() - begin >= STORES_SEEN_NS / 2);
    shmi_eventcount_cancel(&second->calls.vacancies);
    shmi_pool_release(p.guest, l);
    shmipc_free(second);
    pair_close(&p);
}

struct busy_guest {
    shmipc_peer *peer;
    atomic_bool stop;
};

static void *always_hold_a_slot(void *context) {
    enum { HELD_NS = 200000 };
    struct busy_guest *b = context;
    while (!atomic_load(&b->stop)) {
        struct local_slot *l = claim_as_calls_do(b->peer);
        uint64_t until = now_ns() + HELD_NS;
        while (now_ns() < until)
            cpu_pause();
        shmi_pool_release(b->peer, l);
    }
    return NULL;
}

static void a_guest_gets_a_slot_beside_one_that_always_calls(void **state) {
    (void)state;
    enum { MOST = 4, ROUNDS = 20 };
    for (int threads = 1; threads <= MOST; threads *= 4) {
        struct pair p;
        pthread_t callers[MOST];
        shmipc_peer *second;
        open_with_one_slot(&p);
        struct busy_guest busy = {.peer = p.guest};
        must_equal(shmipc_guest_attach(p.name.text, NULL, SHMIPC_TIMEOUT_DEFAULT, &second),
                   SHMIPC_OK);
        for (int i = 0; i < threads; i++)
            callers[i] = thread_start(always_hold_a_slot, &busy);
        for (int i = 0; i < ROUNDS; i++) {
            shmipc_slot slot;
            assert_int_equal(shmipc_slot_claim(second, INT64_C(1000000000), &slot), SHMIPC_OK);
            must_release(slot);
        }
        atomic_store(&busy.stop, true);
        for (int i = 0; i < threads; i++)
            thread_join(callers[i]);
        shmipc_free(second);
        pair_close(&p);
    }
}

static void a_turn_that_is_left_does_not_keep_others_waiting(void **state) {
    (void)state;
    enum { ROUNDS = 9 };
    for (int host = 0; host < 2; host++) {
        int soon = 0;
        for (int i = 0; i < ROUNDS; i++) {
            struct pair p;
            open_with_one_slot(&p);
            struct turn_taker waiter = {.peer = host ? p.host : p.guest};
            struct local_slot *l = claim_before(&waiter);
            uint32_t before = notifications(waiter.peer);
            l->turn.began = shmi_clock_now();
            l->turn.to_go = 2;
            uint64_t begin = now_ns();
            shmi_pool_release(waiter.peer, l);
            assert_int_equal(notifications(waiter.peer), before);
            thread_join(waiter.thread);
            soon += now_ns() - begin < TICK_NS / 2;
            pair_close(&p);
        }
        assert_true(soon > ROUNDS / 2);
    }
}

/* One of two slots has turn after turn, which leave room for no other; the other slot was given
   back in silence, and no thread comes back to it. */
static void a_slot_that_stays_free_is_taken_during_the_turns_of_another(void **state) {
    (void)state;
    for (int host = 0; host < 2; host++) {
        struct pair p;
        pair_open(&p, NULL); /* with two slots */
        struct turn_taker waiter = {.peer = host ? p.host : p.guest};
        waiter.peer->processors = 2;
        struct local_slot *busy = claim_as_calls_do(waiter.peer);
        struct local_slot *left = claim_before(&waiter);
        left->turn.began = shmi_clock_now();
        left->turn.to_go = 2;
        while (load_relaxed64(&waiter.peer->calling.next_reclaim) == 0) /* until it slept once */
            shmi_cpu_yield();
        store_relaxed64(&busy->turn.looked, shmi_clock_now());
        shmi_pool_release(waiter.peer, left);
        while (!atomic_load(&waiter.had_slot)) {
            store_relaxed64(&busy->turn.looked, shmi_clock_now());
            shmi_cpu_yield();
        }
        thread_join(waiter.thread);
        shmi_pool_release(waiter.peer, busy);
        pair_close(&p);
    }
}

static void a_turn_ends_in_silence_where_there_is_no_room_for_another(void **state) {
    (void)state;
    for (int rooms = 0; rooms < 2; rooms++) {
        struct pair p;
        pair_open(&p, NULL); /* with two slots */
        p.host->processors = 2;
        struct turn_taker waiter = {.peer = p.host};
        struct local_slot *busy = claim_as_calls_do(p.host);
        struct local_slot *l = claim_before(&waiter);
        store_relaxed64(&busy->turn.looked, rooms ? 0 : shmi_clock_now() + SECOND);
        uint32_t before = notifications(p.host);
        l->turn.began = 1;
        shmi_pool_release(p.host, l);
        uint32_t notifies = notifications(p.host) - before;
        assert_int_equal(notifies != 0, rooms);
        thread_join(waiter.thread);
        shmi_pool_release(p.host, busy);
        pair_close(&p);
    }
}

static void a_thread_that_holds_a_slot_for_long_notifies_a_waiter(void **state) {
    (void)state;
    for (int host = 0; host < 2; host++) {
        struct pair p;
        open_with_one_slot(&p);
        struct turn_taker waiter = {.peer = host ? p.host : p.guest};
        struct local_slot *l = &waiter.peer->slots[waiter.peer->calls.first];
        l->turn.began = shmi_clock_now();
        l->turn.to_go = 1000;
        store_relaxed32(&waiter.peer->calling.turns.left_early, 0);
        shmipc_slot slot = must_claim(waiter.peer, SHMIPC_FOREVER);
        start_waiter(&waiter);
        uint32_t before = notifications(waiter.peer);
        must_release(slot);
        assert_int_not_equal(notifications(waiter.peer), before);
        thread_join(waiter.thread);
        pair_close(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_thread_whose_turn_is_over_steps_aside),
        watched_test(a_thread_that_held_a_slot_for_a_turn_steps_aside),
        watched_test(a_thread_whose_turn_is_over_steps_aside_for_another_guest),
        watched_test(a_guest_gets_a_slot_beside_one_that_always_calls),
        watched_test(a_turn_that_is_left_does_not_keep_others_waiting),
        watched_test(a_slot_that_stays_free_is_taken_during_the_turns_of_another),
        watched_test(a_turn_ends_in_silence_where_there_is_no_room_for_another),
        watched_test(a_thread_that_holds_a_slot_for_long_notifies_a_waiter),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
