/*
 * How a worker looks for requests among many slots, step by step in one thread.
 */
#include "support/fixture.h"

#include "serve/scan.h"

enum { SLOTS = 40, LONG_ENOUGH = 16 * SLOTS };

struct many {
    struct pair pair;
    shmipc_slot slots[SLOTS];
    struct worker worker;
};

static void open_many(struct many *m) {
    shmipc_host_config config = test_host_config();
    config.host_slots = SLOTS;
    *m = (struct many){.worker = {.handler = echo_handler, .id = 1}};
    pair_open(&m->pair, &config);
    for (int i = 0; i < SLOTS; i++) {
        shmipc_slot slot;
        must_equal(shmipc_slot_claim(m->pair.host, 0, &slot), SHMIPC_OK);
        m->slots[slot.index] = slot;
    }
}

static void close_many(struct many *m) {
    for (int i = 0; i < SLOTS; i++)
        must_equal(shmipc_slot_release(m->slots[i]), SHMIPC_OK);
    pair_close(&m->pair);
}

static void send_on(const struct many *m, uint32_t slot) {
    must_equal(shmipc_slot_send(m->slots[slot], 0, 0, 0), SHMIPC_OK);
}

static bool receive_on(const struct many *m, uint32_t slot) {
    shmipc_response response;
    if (shmipc_slot_ready(m->slots[slot]) != 1)
        return false;
    must_equal(shmipc_slot_receive(m->slots[slot], 0, &response), SHMIPC_OK);
    return true;
}

static int look_at_some(struct many *m) {
    return shmi_scan_some(m->pair.guest, &m->worker);
}

static void looks_reach_every_slot(void **state) {
    (void)state;
    struct many m;
    open_many(&m);
    for (uint32_t i = 0; i < 3 * SLOTS; i++) {
        uint32_t slot = i * 7 % SLOTS;
        int looks = 1;
        send_on(&m, slot);
        while (look_at_some(&m) == 0)
            looks++;
        assert_in_range(looks, 1, SLOTS / 8 + 1);
        assert_true(receive_on(&m, slot));
        assert_int_equal(look_at_some(&m), 0);
    }
    close_many(&m);
}

static void a_slot_that_was_served_is_found_at_the_first_look(void **state) {
    (void)state;
    struct many m;
    open_many(&m);
    for (uint32_t round = 0; round < 3; round++) {
        for (uint32_t slot = 0; slot < SLOTS; slot += SLOTS / RECENT_SLOTS) {
            send_on(&m, slot);
            while (round == 0 && look_at_some(&m) == 0) {
            }
            assert_int_equal(round == 0 ? 1 : look_at_some(&m), 1);
            assert_true(receive_on(&m, slot));
        }
    }
    close_many(&m);
}

static void the_recent_slots_are_those_served_lately(void **state) {
    (void)state;
    enum { SERVED = 3 * RECENT_SLOTS, STEP = SLOTS / SERVED };
    struct many m;
    open_many(&m);
    for (uint32_t slot = 0; slot < SERVED * STEP; slot += STEP) {
        send_on(&m, slot);
        while (look_at_some(&m) == 0) {
        }
        assert_true(receive_on(&m, slot));
    }
    for (uint32_t n = SERVED - RECENT_SLOTS; n < SERVED; n++) {
        m.worker.scan.sweep = 0;
        send_on(&m, n * STEP);
        assert_int_equal(look_at_some(&m), 1);
        assert_true(receive_on(&m, n * STEP));
    }
    close_many(&m);
}

static void calls_in_flight_are_served_in_turn_one_look_each(void **state) {
    (void)state;
    struct many m;
    open_many(&m);
    m.worker.scan.next = SLOTS / 2;
    for (uint32_t slot = 0; slot < SLOTS; slot++)
        send_on(&m, slot);
    for (uint32_t n = 0; n < SLOTS; n++) {
        assert_int_equal(look_at_some(&m), 1);
        assert_true(receive_on(&m, (SLOTS / 2 + n) % SLOTS));
    }
    assert_int_equal(look_at_some(&m), 0);
    close_many(&m);
}

/* The busy slots have their next request before the worker looks again. */
static void an_idle_slot_does_not_starve_behind_busy_ones(void **state) {
    (void)state;
    struct many m;
    open_many(&m);
    for (uint32_t slot = 0; slot < RECENT_SLOTS; slot++)
        send_on(&m, slot);
    send_on(&m, SLOTS - 1);
    int looks = 0;
    while (!receive_on(&m, SLOTS - 1)) {
        assert_in_range(++looks, 1, LONG_ENOUGH);
        assert_int_equal(look_at_some(&m), 1);
        for (uint32_t slot = 0; slot < RECENT_SLOTS; slot++) {
            if (receive_on(&m, slot))
                send_on(&m, slot);
        }
    }
    close_many(&m);
}

static void a_notified_worker_finds_the_request_at_once(void **state) {
    (void)state;
    struct many m;
    open_many(&m);
    for (uint32_t slot = 0; slot < SLOTS; slot += 3) {
        send_on(&m, slot);
        shmi_scan_find_next(m.pair.guest, &m.worker);
        assert_int_equal(look_at_some(&m), 1);
        assert_true(receive_on(&m, slot));
    }
    close_many(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(looks_reach_every_slot),
        watched_test(a_slot_that_was_served_is_found_at_the_first_look),
        watched_test(the_recent_slots_are_those_served_lately),
        watched_test(calls_in_flight_are_served_in_turn_one_look_each),
        watched_test(an_idle_slot_does_not_starve_behind_busy_ones),
        watched_test(a_notified_worker_finds_the_request_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
