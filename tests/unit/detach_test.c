/* What a peer that is cut off keeps, and what it no longer shares with the region. */
#define _GNU_SOURCE
#include "support/fixture.h"
#include "unit/leaving.h"

#include "peer/peer.h"
#include "region/slot.h"

#include <string.h>

/* ---- Slots that are held ---- */

static void *claim_for_another(void *context) {
    struct scene *scene = context;
    static shmipc_slot slot;
    slot = must_claim(scene->leaver, 0);
    return &slot;
}

/* A slot that another thread claimed is held by a thread that has ended. */
static shmipc_slot claim_by(struct scene *scene, bool another_thread) {
    void *slot;
    pthread_t thread;
    if (!another_thread)
        return must_claim(scene->leaver, 0);
    thread = thread_start(claim_for_another, scene);
    must_equal(pthread_join(thread, &slot), 0);
    return *(shmipc_slot *)slot;
}

static void assert_cut_off(shmipc_slot slot) {
    shmipc_response response;
    size_t capacity;
    uint8_t *buffer = shmipc_slot_buffer(slot, &capacity);
    assert_non_null(buffer);
    assert_true(pattern_holds(buffer, capacity, 9));
    memset(buffer, 0xee, capacity);
    assert_int_equal(shmipc_slot_send(slot, 0, 100, 0), SHMIPC_E_CLOSED);
    assert_int_equal(shmipc_slot_receive(slot, 0, &response), SHMIPC_E_STATE);
    assert_int_equal(shmipc_slot_ready(slot), SHMIPC_E_STATE);
    assert_int_equal(shmipc_slot_cancel(slot), SHMIPC_E_CLOSED);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_E_STALE);
    assert_null(shmipc_slot_buffer(slot, NULL));
}

static void hold_an_idle_slot(bool host_leaves, bool another_thread) {
    struct scene scene = scene_open(host_leaves);
    shmipc_slot slot = claim_by(&scene, another_thread);
    pattern_fill(shmipc_slot_buffer(slot, NULL), REQUEST_CAPACITY, 9);
    assert_shut_down(scene.leaver, SHMIPC_E_TIMEOUT);
    assert_true(host_leaves || state_of(&scene, 1) == SLOT_FREE);
    shmipc_peer *next = succeed(&scene);
    shmipc_slot theirs = host_leaves ? (shmipc_slot){.peer = NULL} : must_claim(next, 0);
    uint8_t *bytes = shmipc_slot_buffer(theirs, NULL);
    if (bytes != NULL)
        pattern_fill(bytes, REQUEST_CAPACITY, 3);
    assert_cut_off(slot);
    assert_true(bytes == NULL || pattern_holds(bytes, REQUEST_CAPACITY, 3));
    shmipc_free(next);
    scene_close(&scene);
}

static void a_held_slot_delays_no_shutdown(void **state) {
    (void)state;
    for (int i = 0; i < 20; i++)
        hold_an_idle_slot(i / 2 % 2, i % 2);
}

static void a_held_slot_delays_no_close(void **state) {
    (void)state;
    for (int host = 0; host < 2; host++) {
        struct scene scene = scene_open(host);
        shmipc_slot slot = must_claim(scene.leaver, 0);
        pattern_fill(shmipc_slot_buffer(slot, NULL), REQUEST_CAPACITY, 9);
        assert_int_equal(shmipc_close(scene.leaver), SHMIPC_OK);
        shmipc_free(succeed(&scene));
        assert_cut_off(slot);
        scene_close(&scene);
    }
}

/* The caller learns later whether a handler has started on the request in its held slot. The answer
   of that handler gets nowhere. */
static void a_request_under_way_in_a_held_slot_delays_no_shutdown(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        const bool host = i / 2;
        const bool started = i % 2;
        struct scene scene = scene_open(host);
        struct gated gated = {{0}, {0}};
        struct server server;
        shmipc_response response;
        shmipc_slot slot = must_claim(scene.leaver, 0);
        assert_int_equal(shmipc_slot_send(slot, 0, 500, 0), SHMIPC_OK);
        if (started) {
            server_start(&server, scene.other, gated_handler, &gated);
            gate_await(&gated.entered, 1);
        }
        assert_shut_down(scene.leaver, SHMIPC_E_TIMEOUT);
        assert_int_equal(shmipc_slot_ready(slot), 1);
        assert_int_equal(shmipc_slot_receive(slot, SHMIPC_FOREVER, &response),
                         started ? SHMIPC_E_CLOSED_STARTED : SHMIPC_E_CLOSED);
        assert_int_equal(shmipc_slot_release(slot), SHMIPC_E_STALE);
        if (started) {
            gate_pass(&gated.leave);
            (void)server_stop(&server);
        }
        if (!host) {
            shmipc_peer *next = succeed(&scene);
            eventually(word_state(slot_look(region_slot(&scene.other->region, 1))) == SLOT_FREE);
            assert_int_equal(shmipc_slot_release(must_claim(next, 0)), SHMIPC_OK);
            shmipc_free(next);
        }
        scene_close(&scene);
    }
}

/* ---- A system that cannot detach ---- */

static void where_nobody_can_be_cut_off_the_deadline_is_kept(void **state) {
    (void)state;
    atomic_store(&no_detaching, true);
    for (int host = 0; host < 2; host++) {
        struct scene scene = scene_open(host);
        struct stayer stayer = {.spin = false};
        struct patterned_call call = {.peer = scene.other};
        struct server server;
        shmipc_slot slot = must_claim(scene.leaver, 0);
        server_start(&server, scene.leaver, staying_handler, &stayer);
        pthread_t caller = thread_start(call_once, &call);
        gate_await(&stayer.entered, 1);
        assert_shut_down(scene.leaver, SHMIPC_E_TIMEOUT);
        if (host)
            shmipc_free(succeed(&scene));
        assert_true(shmi_peer_is_locked(scene.other->region.object, scene.leaver->index));
        shmipc_free(scene.leaver);
        assert_true(shmi_peer_is_locked(scene.other->region.object, host ? HOST : 1));
        atomic_store(&stayer.leave, true);
        assert_int_equal(server_join(&server), SHMIPC_E_CLOSED);
        assert_false(shmi_peer_is_locked(scene.other->region.object, host ? HOST : 1));
        thread_join(caller);
        (void)slot;
        if (!host) {
            shmipc_peer *next = succeed(&scene);
            assert_int_equal(shmipc_slot_release(must_claim(next, 0)), SHMIPC_OK);
            shmipc_free(next);
        }
        shmipc_free(scene.other);
    }
    atomic_store(&no_detaching, false);
}

/* Its index and its slot stay its own; but nobody waits for its answers. */
static void a_guest_that_cannot_be_cut_off_serves_no_more(void **state) {
    (void)state;
    atomic_store(&no_detaching, true);
    struct scene scene = scene_open(false);
    shmipc_slot slot = must_claim(scene.leaver, 0);
    assert_int_equal(shmipc_close(scene.leaver), SHMIPC_OK);
    assert_true(shmi_peer_is_locked(scene.other->region.object, 1));
    assert_int_equal(shmipc_call(scene.other, &(shmipc_request){.data = NULL}, NULL, 20 * SECOND),
                     SHMIPC_E_NO_PEER);
    assert_int_equal(shmipc_wait_guests(scene.other, 1, 0), SHMIPC_E_TIMEOUT);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    scene_close(&scene);
    atomic_store(&no_detaching, false);
}

/* ---- What is kept ---- */

static void eventcounts_stay_as_they_were_for_a_peer_that_was_cut_off(void **state) {
    (void)state;
    for (int host = 0; host < 2; host++) {
        struct scene scene = scene_open(host);
        shmipc_slot slot = must_claim(scene.leaver, 0);
        assert_shut_down(scene.leaver, SHMIPC_E_TIMEOUT);
        uint32_t generation = shmi_eventcount_generation(&scene.leaver->membership.changes);
        (void)shmi_eventcount_notify(&scene.other->membership.changes, WAKE_ALL);
        assert_int_equal(shmi_eventcount_generation(&scene.leaver->membership.changes), generation);
        assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
        scene_close(&scene);
    }
}

static int child_looks(void *context) {
    struct scene *scene = context;
    shmipc_free(scene->leaver);
    return count_mappings();
}

static void children_of_a_peer_that_was_cut_off_keep_nothing(void **state) {
    (void)state;
    for (int host = 0; host < 2; host++) {
        struct scene scene = scene_open(host);
        shmipc_slot slot = must_claim(scene.leaver, 0);
        assert_shut_down(scene.leaver, SHMIPC_E_TIMEOUT);
        assert_int_equal(child_wait(child_start(child_looks, &scene)), 0);
        assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
        scene_close(&scene);
    }
}

static void cutting_off_leaks_nothing(void **state) {
    (void)state;
    int descriptors = count_descriptors();
    int mappings = count_mappings();
    for (int i = 0; i < 20; i++) {
        struct scene scene = scene_open(i % 2);
        (void)must_claim(scene.leaver, 0);
        assert_int_equal(shmipc_shutdown(scene.leaver, 0), SHMIPC_E_TIMEOUT);
        scene_close(&scene);
    }
    assert_int_equal(count_descriptors(), descriptors);
    assert_int_equal(count_mappings(), mappings);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_held_slot_delays_no_shutdown),
        watched_test(a_held_slot_delays_no_close),
        watched_test(a_request_under_way_in_a_held_slot_delays_no_shutdown),
        watched_test(where_nobody_can_be_cut_off_the_deadline_is_kept),
        watched_test(a_guest_that_cannot_be_cut_off_serves_no_more),
        watched_test(eventcounts_stay_as_they_were_for_a_peer_that_was_cut_off),
        watched_test(children_of_a_peer_that_was_cut_off_keep_nothing),
        watched_test(cutting_off_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
