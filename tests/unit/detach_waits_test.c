/* Each way to wait ends when its peer shuts down or closes. */
#define _GNU_SOURCE
#include "support/fixture.h"
#include "unit/leaving.h"

#include "peer/peer.h"
#include "region/slot.h"

static int wait_for_any(struct waiter *w) {
    size_t which = 0;
    int error = shmipc_slot_wait_any(&w->slot, 1, SHMIPC_FOREVER, &which);
    shmipc_response response;
    return error ? error : shmipc_slot_receive(w->slot, SHMIPC_FOREVER, &response);
}

static int wait_for_answer(struct waiter *w) {
    shmipc_response response;
    return shmipc_slot_receive(w->slot, SHMIPC_FOREVER, &response);
}

static int wait_for_request(struct waiter *w) {
    return shmipc_wait(w->peer, SHMIPC_FOREVER);
}

static int (*const waits[])(struct waiter *) = {wait_for_any,  wait_for_answer,  wait_for_slot,
                                                wait_to_serve, wait_for_request, wait_for_event};

enum { WAITS = sizeof waits / sizeof *waits };

static void each_way_to_wait_is_ended_by_a_shutdown(void **state) {
    (void)state;
    for (int i = 0; i < 2 * WAITS; i++) {
        struct scene scene = scene_open(i % 2);
        struct waiter waiter = {.peer = scene.leaver, .wait = waits[i / 2]};
        if (i / 2 < 3)
            waiter.slot = must_claim(scene.leaver, 0);
        if (i / 2 < 2)
            assert_int_equal(shmipc_slot_send(waiter.slot, 0, 10, 0), SHMIPC_OK);
        pthread_t thread = thread_start(wait_here, &waiter);
        for (int n = 0; n < i % 10; n++)
            pause_briefly();
        uint64_t begin = now_ns();
        int result = shmipc_shutdown(scene.leaver, 0);
        assert_true(now_ns() - begin < SOON);
        assert_true(result == SHMIPC_E_TIMEOUT || (result == SHMIPC_OK && i / 2 >= 3));
        thread_join(thread);
        assert_ended(waiter.result);
        scene_close(&scene);
    }
}

/* True also if it is about to sleep. A thread that waits for events is not announced. */
static bool is_asleep(const struct waiter *w) {
    const shmipc_peer *p = w->peer;
    if (w->wait == wait_for_answer)
        return (slot_look(region_slot(&p->region, w->slot.index)) & WORD_PARKED) != 0;
    if (w->wait == wait_for_any)
        return load_seq_cst32(&p->calling.answers.waiters) != 0;
    if (w->wait == wait_for_slot)
        return load_seq_cst32(&p->calls.vacancies.waiters) != 0;
    return w->wait == wait_for_event || load_seq_cst32(&p->serves.requests.waiters) != 0;
}

/* Returns how long it took. */
static uint64_t close_under(int (*wait)(struct waiter *), bool host) {
    struct scene scene = scene_open(host);
    struct waiter waiter = {.peer = scene.leaver, .wait = wait};
    const bool calls = wait == wait_for_any || wait == wait_for_answer;
    if (calls || wait == wait_for_slot)
        waiter.slot = must_claim(scene.leaver, 0);
    if (calls)
        assert_int_equal(shmipc_slot_send(waiter.slot, 0, 10, 0), SHMIPC_OK);
    pthread_t thread = thread_start(wait_here, &waiter);
    eventually(is_asleep(&waiter));
    for (int n = 0; n < 40; n++) /* the first sleep of a waiter for a slot is a short one */
        pause_briefly();
    uint64_t begin = now_ns();
    assert_int_equal(shmipc_close(scene.leaver), SHMIPC_OK);
    thread_join(thread);
    uint64_t took = now_ns() - begin;
    assert_ended(waiter.result);
    scene_close(&scene);
    return took;
}

/* One of some tries is enough, since the machine may be busy. A tick would end the sleep, too, but
   later. */
static void each_way_to_wait_is_ended_by_a_close_before_the_next_tick(void **state) {
    (void)state;
    for (int i = 0; i < 2 * WAITS; i++) {
        int tries = 0;
        while (close_under(waits[i / 2], i % 2) > TICK_NS / 2)
            assert_true(++tries < 30);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(each_way_to_wait_is_ended_by_a_shutdown),
        watched_test(each_way_to_wait_is_ended_by_a_close_before_the_next_tick),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
