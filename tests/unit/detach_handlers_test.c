/*
 * Shutting down and closing while handlers run: the deadline is kept, and the callers are told at
 * once.
 */
#define _GNU_SOURCE
#include "support/fixture.h"
#include "unit/leaving.h"

#include "peer/peer.h"
#include "region/slot.h"

#include <string.h>

/* While the handler goes on writing, its caller is told, and another peer takes the place and uses
   the slots. */
static void shut_down_under_a_handler(bool host_leaves, bool spin, bool free_first) {
    struct scene scene = scene_open(host_leaves);
    struct stayer stayer = {.spin = spin};
    struct patterned_call call = {.peer = scene.other};
    struct server server;
    struct server successor;
    server_start(&server, scene.leaver, staying_handler, &stayer);
    pthread_t caller = thread_start(call_once, &call);
    gate_await(&stayer.entered, 1);
    uint64_t begin = now_ns();
    assert_shut_down(scene.leaver, SHMIPC_E_TIMEOUT);
    assert_int_not_equal(state_of(&scene, host_leaves), SLOT_WORKING);
    thread_join(caller);
    assert_int_equal(call.result, SHMIPC_E_PEER_DIED);
    assert_true(now_ns() - begin < SOON);
    shmipc_peer *next = succeed(&scene);
    if (free_first)
        shmipc_free(scene.leaver);
    if (!host_leaves) {
        server_start(&successor, next, pattern_handler, NULL);
        call_with_patterns(scene.other, 20);
        await_turn(&stayer);
        call_with_patterns(scene.other, 20);
        assert_int_equal(server_stop(&successor), SHMIPC_E_WOKEN);
    }
    await_turn(&stayer);
    atomic_store(&stayer.leave, true);
    assert_int_equal(server_join(&server), SHMIPC_E_CLOSED);
    assert_int_equal(stayer.abandoned, 1);
    shmipc_free(next);
    if (free_first && host_leaves)
        scene.pair.host = NULL;
    else if (free_first)
        scene.pair.guest = NULL;
    scene_close(&scene);
}

static void a_handler_that_runs_on_delays_no_shutdown_and_harms_nobody(void **state) {
    (void)state;
    for (int i = 0; i < 8; i++)
        shut_down_under_a_handler(i & 1, i & 2, i & 4);
}

/* The slot is free as soon as the peer has gone, and the handler's request does not change. */
static void a_handler_whose_caller_gave_up_delays_no_shutdown_and_keeps_its_request(void **state) {
    (void)state;
    for (int host = 0; host < 2; host++) {
        struct scene scene = scene_open(host);
        struct stayer stayer = {.spin = false};
        struct server server;
        struct server successor;
        shmipc_slot slot = must_claim(scene.other, 0);
        pattern_fill(shmipc_slot_buffer(slot, NULL), REQUEST_CAPACITY, 5);
        assert_int_equal(shmipc_slot_send(slot, 0, REQUEST_CAPACITY, 0), SHMIPC_OK);
        server_start(&server, scene.leaver, staying_handler, &stayer);
        gate_await(&stayer.entered, 1);
        assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
        assert_shut_down(scene.leaver, SHMIPC_E_TIMEOUT);
        assert_int_equal(state_of(&scene, (uint32_t)host), SLOT_FREE);
        shmipc_peer *next = succeed(&scene);
        if (!host) {
            server_start(&successor, next, pattern_handler, NULL);
            call_with_patterns(scene.other, 20);
            assert_int_equal(server_stop(&successor), SHMIPC_E_WOKEN);
        }
        await_turn(&stayer);
        atomic_store(&stayer.leave, true);
        assert_int_equal(server_join(&server), SHMIPC_E_CLOSED);
        assert_int_equal(stayer.abandoned, 1);
        shmipc_free(next);
        scene_close(&scene);
    }
}

/* The handler writes to the page meanwhile, which the thread sanitizer reports as a race. Any value
   will do. */
static void where_no_page_can_be_populated_it_is_written(void **state) {
    (void)state;
#if defined(__has_feature)
#if __has_feature(thread_sanitizer)
    skip();
#endif
#endif
    atomic_store(&no_populating, true);
    for (int i = 0; i < 4; i++)
        shut_down_under_a_handler(i & 1, true, i & 2);
    atomic_store(&no_populating, false);
}

static int leaving_handler(void *context, const shmipc_request *request,
                           shmipc_response *response) {
    shmipc_peer *peer = context;
    (void)request;
    must_equal(shmipc_shutdown(peer, SHMIPC_FOREVER), SHMIPC_E_STATE);
    must(strstr(shmipc_last_error(), "shmipc_shutdown was called by a handler") != NULL);
    must_equal(shmipc_close(peer), SHMIPC_E_STATE); /* logs, and keeps the text; so does free */
    shmipc_free(peer);
    must(strstr(shmipc_last_error(), "shmipc_shutdown was called by a handler") != NULL);
    response->length = 0;
    return 0;
}

static void a_handler_that_leaves_its_own_peer_is_refused(void **state) {
    (void)state;
    for (int host = 0; host < 2; host++) {
        struct scene scene = scene_open(host);
        struct server server;
        server_start(&server, scene.leaver, leaving_handler, scene.leaver);
        assert_int_equal(shmipc_call(scene.other, &nothing, NULL, 20 * SECOND), SHMIPC_OK);
        assert_int_equal(server_stop(&server), SHMIPC_E_WOKEN);
        for (int polled = 0; polled < 1;) {
            struct call_thread call;
            call_start(&call, scene.other, 20 * SECOND);
            eventually((polled = shmipc_poll(scene.leaver, leaving_handler, scene.leaver)) != 0);
            assert_int_equal(call_join(&call), SHMIPC_OK);
        }
        assert_int_equal(shmipc_shutdown(scene.leaver, SECOND), SHMIPC_OK);
        scene_close(&scene);
    }
}

struct other_peer {
    shmipc_peer *peer;
    int result;
};

static int handler_that_closes_another(void *context, const shmipc_request *request,
                                       shmipc_response *response) {
    struct other_peer *another = context;
    (void)request;
    another->result = shmipc_close(another->peer);
    response->length = 0;
    return 0;
}

static void a_handler_may_close_another_peer(void **state) {
    (void)state;
    struct scene scene = scene_open(true);
    struct scene second = scene_open(true);
    struct other_peer another = {.peer = second.leaver, .result = 1};
    struct server server;
    server_start(&server, scene.leaver, handler_that_closes_another, &another);
    assert_int_equal(shmipc_call(scene.other, &nothing, NULL, 20 * SECOND), SHMIPC_OK);
    assert_int_equal(another.result, SHMIPC_OK);
    assert_int_equal(server_stop(&server), SHMIPC_E_WOKEN);
    scene_close(&second);
    scene_close(&scene);
}

struct closing {
    shmipc_peer *peer;
    atomic_bool done;
};

static void *close_peer(void *context) {
    struct closing *closing = context;
    must_equal(shmipc_close(closing->peer), SHMIPC_OK);
    atomic_store(&closing->done, true);
    return NULL;
}

/* The code of the handlers may be unloaded after the close. */
static void closing_after_a_shutdown_waits_for_its_handlers(void **state) {
    (void)state;
    for (int host = 0; host < 2; host++) {
        struct scene scene = scene_open(host);
        struct stayer stayer = {.spin = false};
        struct patterned_call call = {.peer = scene.other};
        struct closing closing = {.peer = scene.leaver};
        struct server server;
        server_start(&server, scene.leaver, staying_handler, &stayer);
        pthread_t caller = thread_start(call_once, &call);
        gate_await(&stayer.entered, 1);
        assert_shut_down(scene.leaver, SHMIPC_E_TIMEOUT);
        thread_join(caller);
        pthread_t closer = thread_start(close_peer, &closing);
        await_turn(&stayer);
        assert_false(atomic_load(&closing.done));
        atomic_store(&stayer.leave, true);
        thread_join(closer);
        assert_int_equal(server_join(&server), SHMIPC_E_CLOSED);
        scene_close(&scene);
    }
}

struct shutting_down {
    shmipc_peer *peer;
    int64_t timeout;
    int result;
    atomic_bool done;
};

static void *shut_down(void *context) {
    struct shutting_down *leaving = context;
    leaving->result = shmipc_shutdown(leaving->peer, leaving->timeout);
    atomic_store(&leaving->done, true);
    return NULL;
}

/* One close waits for a handler, and other threads wait for that close. */
static void a_close_that_waits_delays_no_shutdown(void **state) {
    (void)state;
    for (int host = 0; host < 2; host++) {
        struct scene scene = scene_open(host);
        struct stayer stayer = {.spin = false};
        struct patterned_call call = {.peer = scene.other};
        struct shutting_down leaving = {.peer = scene.leaver, .timeout = SECOND / 10};
        struct closing closing = {.peer = scene.leaver};
        struct server server;
        server_start(&server, scene.leaver, staying_handler, &stayer);
        pthread_t caller = thread_start(call_once, &call);
        gate_await(&stayer.entered, 1);
        pthread_t leaver = thread_start(shut_down, &leaving);
        eventually(load_seq_cst32(&scene.leaver->life.phase) != PEER_OPEN);
        pthread_t closer = thread_start(close_peer, &closing);
        eventually(atomic_load(&leaving.done));
        thread_join(leaver);
        assert_int_equal(leaving.result, SHMIPC_E_TIMEOUT);
        assert_int_equal(shmipc_shutdown(scene.leaver, SHMIPC_FOREVER), SHMIPC_E_CLOSED);
        assert_false(atomic_load(&closing.done));
        atomic_store(&stayer.leave, true);
        thread_join(closer);
        thread_join(caller);
        assert_int_equal(server_join(&server), SHMIPC_E_CLOSED);
        scene_close(&scene);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_handler_that_runs_on_delays_no_shutdown_and_harms_nobody),
        watched_test(a_handler_whose_caller_gave_up_delays_no_shutdown_and_keeps_its_request),
        watched_test(where_no_page_can_be_populated_it_is_written),
        watched_test(a_handler_that_leaves_its_own_peer_is_refused),
        watched_test(a_handler_may_close_another_peer),
        watched_test(closing_after_a_shutdown_waits_for_its_handlers),
        watched_test(a_close_that_waits_delays_no_shutdown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
