/*
 * Peers that leave under full load, again and again: nothing that is written or taken late has an
 * effect.
 */
#define _GNU_SOURCE
#include "support/fixture.h"
#include "unit/leaving.h"

#include "peer/peer.h"

#include <string.h>

struct scribbler {
    uint8_t *bytes;
    atomic_bool stop;
    atomic_uint turns;
};

static void *scribble(void *context) {
    struct scribbler *s = context;
    while (!atomic_load(&s->stop)) {
        memset(s->bytes, 0xee, REQUEST_CAPACITY);
        atomic_fetch_add(&s->turns, 1);
    }
    return NULL;
}

/* Two slots' former users write to them without end, while the next guest uses the same slots. */
static void no_byte_that_is_written_late_gets_anywhere(void **state) {
    (void)state;
    enum { ROUNDS = 60 };
    for (int round = 0; round < ROUNDS; round++) {
        struct scene scene = scene_open(false);
        struct stayer stayer = {.spin = true};
        struct patterned_call call = {.peer = scene.other};
        struct server server;
        struct server servers[2];
        struct waiter waiters[3] = {{.peer = scene.leaver, .wait = wait_for_slot},
                                    {.peer = scene.leaver, .wait = wait_for_event},
                                    {.peer = scene.leaver, .wait = wait_to_serve}};
        pthread_t waiting[3];
        shmipc_slot slot = must_claim(scene.leaver, 0);
        struct scribbler scribbler = {.bytes = shmipc_slot_buffer(slot, NULL)};
        pthread_t writing = thread_start(scribble, &scribbler);
        server_start(&server, scene.leaver, staying_handler, &stayer);
        pthread_t caller = thread_start(call_once, &call);
        gate_await(&stayer.entered, 1);
        for (int i = 0; i < 3; i++)
            waiting[i] = thread_start(wait_here, &waiters[i]);
        assert_int_equal(shmipc_shutdown(scene.leaver, round % 3 * MILLISECOND), SHMIPC_E_TIMEOUT);
        thread_join(caller);
        assert_int_equal(call.result, SHMIPC_E_PEER_DIED);
        shmipc_peer *next = succeed(&scene);
        server_start(&servers[0], next, pattern_handler, NULL);
        server_start(&servers[1], scene.other, pattern_handler, NULL);
        call_with_patterns(scene.other, 10);
        call_with_patterns(next, 10);
        atomic_store(&stayer.leave, true);
        atomic_store(&scribbler.stop, true);
        assert_int_equal(server_join(&server), SHMIPC_E_CLOSED);
        thread_join(writing);
        for (int i = 0; i < 3; i++) {
            thread_join(waiting[i]);
            assert_ended(waiters[i].result);
        }
        call_with_patterns(next, 10);
        call_with_patterns(scene.other, 10);
        assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
        for (int i = 0; i < 2; i++)
            assert_int_equal(server_stop(&servers[i]), SHMIPC_E_WOKEN);
        shmipc_free(next);
        scene_close(&scene);
    }
}

/* If a caller is told that its request never started, no worker runs it, however late one takes it.
   */
static int counting_handler(void *context, const shmipc_request *request,
                            shmipc_response *response) {
    atomic_fetch_add((atomic_uint *)context, 1);
    response->length = request->length;
    return 0;
}

struct caller {
    shmipc_peer *peer;
    unsigned may_have_started;
};

static void *call_until_refused(void *context) {
    struct caller *c = context;
    int error;
    do {
        error = shmipc_call(c->peer, &nothing, NULL, 20 * SECOND);
        c->may_have_started += error == SHMIPC_OK || error == SHMIPC_E_PEER_DIED;
    } while (error == SHMIPC_OK);
    return NULL;
}

static void a_request_that_never_started_never_runs(void **state) {
    (void)state;
    enum { ROUNDS = 100 };
    for (int round = 0; round < ROUNDS; round++) {
        struct scene scene = scene_open(true);
        atomic_uint handled = 0;
        struct caller c = {.peer = scene.other};
        struct server servers[2];
        shmipc_slot held = must_claim(scene.leaver, 0); /* so that it is cut off */
        for (int i = 0; i < 2; i++)
            server_start(&servers[i], scene.leaver, counting_handler, &handled);
        pthread_t thread = thread_start(call_until_refused, &c);
        eventually(atomic_load(&handled) > 10);
        assert_int_equal(shmipc_close(scene.leaver), SHMIPC_OK);
        thread_join(thread);
        for (int i = 0; i < 2; i++)
            assert_int_equal(server_join(&servers[i]), SHMIPC_E_CLOSED);
        assert_true(atomic_load(&handled) <= c.may_have_started);
        assert_int_equal(shmipc_slot_release(held), SHMIPC_OK);
        scene_close(&scene);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(no_byte_that_is_written_late_gets_anywhere),
        watched_test(a_request_that_never_started_never_runs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
