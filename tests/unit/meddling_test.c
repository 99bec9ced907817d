/*
 * A peer that changes a word just before each change that the library tries: every operation ends
 * all the same.
 */
#include "support/fixture.h"

#include "call/caller.h"
#include "region/liveness.h"
#include "region/slot.h"

/* ---- The meddler ---- */

static struct slot *meddled; /* NULL: it leaves everything alone */
static uint64_t bits;        /* what it changes in the word */
static unsigned tries;
static shmipc_peer *closed_first; /* NULL, or a peer that closes just before the change instead */

/* By the mapping of the peer whose changes it spoils. */
static void meddle_with(shmipc_peer *peer, uint32_t slot, uint64_t changes) {
    meddled = region_slot(&peer->region, slot);
    bits = changes;
    tries = 0;
}

static void leave_alone(void) {
    meddled = NULL;
}

void meddle(const atomic_u64 *place, uint64_t expected) {
    enum { ENOUGH = 1000 };
    if (meddled == NULL || place != &meddled->word)
        return;
    must(++tries < ENOUGH);
    if (closed_first != NULL)
        store_relaxed32(&closed_first->life.phase, PEER_CLOSED);
    else if (atomic_load(&meddled->word) == expected)
        atomic_store(&meddled->word, expected ^ bits);
}

/* ---- A request in slot 0, or in 2, which is a guest's ---- */

struct scene {
    struct pair pair;
    shmipc_peer *caller;
    shmipc_peer *responder;
    shmipc_slot slot;
};

static struct scene scene_open(bool host_calls) {
    struct scene scene;
    pair_open(&scene.pair, NULL);
    scene.caller = host_calls ? scene.pair.host : scene.pair.guest;
    scene.responder = host_calls ? scene.pair.guest : scene.pair.host;
    must_equal(shmipc_slot_claim(scene.caller, SECOND, &scene.slot), SHMIPC_OK);
    must_equal(shmipc_slot_send(scene.slot, 0, 0, 0), SHMIPC_OK);
    return scene;
}

static void scene_close(struct scene *scene) {
    leave_alone();
    pair_close(&scene->pair);
}

static atomic_u64 *word_of(const struct scene *scene) {
    return &region_slot(&scene->caller->region, scene->slot.index)->word;
}

static void assert_corrupt(shmipc_peer *peer) {
    const shmipc_request request = {.data = NULL};
    leave_alone();
    assert_int_equal(shmipc_call(peer, &request, NULL, SECOND), SHMIPC_E_CORRUPT);
}

/* ---- The caller ---- */

static void a_wait_that_can_never_be_parked_ends(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        struct scene scene = scene_open(host_calls);
        shmipc_response response;
        meddle_with(scene.caller, scene.slot.index, WORD_PARKED);
        assert_int_equal(shmipc_slot_receive(scene.slot, SHMIPC_FOREVER, &response),
                         SHMIPC_E_CORRUPT);
        assert_corrupt(scene.caller);
        scene_close(&scene);
    }
}

/* By its deadline, and by its user. */
static void a_call_that_can_never_be_given_up_ends(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct scene scene = scene_open(i % 2);
        shmipc_response response;
        meddle_with(scene.caller, scene.slot.index, WORD_PARKED);
        if (i < 2)
            assert_int_equal(shmipc_slot_receive(scene.slot, 0, &response), SHMIPC_E_CORRUPT);
        else
            assert_int_equal(shmipc_slot_release(scene.slot), SHMIPC_OK);
        assert_corrupt(scene.caller);
        scene_close(&scene);
    }
}

static void a_sleeper_that_can_never_be_woken_is_left(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        struct scene scene = scene_open(host_calls);
        uint64_t sent = atomic_fetch_or(word_of(&scene), WORD_PARKED);
        meddle_with(scene.caller, scene.slot.index, WORD_ALIGN_END);
        assert_int_equal(shmipc_slot_cancel(scene.slot), SHMIPC_OK);
        leave_alone();
        atomic_store(word_of(&scene), sent);
        scene_close(&scene);
    }
}

/* The flags of a taken request are not checked until it is answered. */
static void a_wait_for_any_that_can_never_be_parked_ends(void **state) {
    (void)state;
    struct scene scene = scene_open(false);
    size_t which = 0;
    atomic_store(word_of(&scene), (atomic_load(word_of(&scene)) & ~WORD_STATE) | SLOT_WORKING);
    meddle_with(scene.caller, scene.slot.index, WORD_ALIGN_END);
    assert_int_equal(shmipc_slot_wait_any(&scene.slot, 1, SHMIPC_FOREVER, &which), SHMIPC_OK);
    assert_int_equal(which, 0);
    assert_int_equal(shmipc_slot_release(scene.slot), SHMIPC_OK);
    assert_corrupt(scene.caller);
    scene_close(&scene);
}

/* ---- The responder ---- */

static void a_request_that_can_never_be_taken_is_passed_over(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        struct scene scene = scene_open(host_calls);
        meddle_with(scene.responder, scene.slot.index, WORD_PARKED);
        assert_int_equal(shmipc_poll(scene.responder, echo_handler, NULL), 0);
        leave_alone();
        assert_int_equal(shmipc_poll(scene.responder, echo_handler, NULL), 1);
        scene_close(&scene);
    }
}

/* The peer that closes may have looked for taken requests before this one was taken. */
static void a_request_that_is_taken_while_the_peer_closes_runs_no_handler(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        struct scene scene = scene_open(host_calls);
        shmipc_response response;
        shmipc_stats stats;
        meddle_with(scene.responder, scene.slot.index, 0);
        closed_first = scene.responder;
        assert_int_equal(shmipc_poll(scene.responder, echo_handler, NULL), 1);
        closed_first = NULL;
        leave_alone();
        store_relaxed32(&scene.responder->life.phase, PEER_OPEN);
        assert_int_equal(shmipc_get_stats(scene.responder, &stats), SHMIPC_OK);
        assert_int_equal(stats.served, 0);
        assert_int_equal(shmipc_slot_receive(scene.slot, SECOND, &response), SHMIPC_E_SHUTDOWN);
        scene_close(&scene);
    }
}

static int meddled_handler(void *context, const shmipc_request *request,
                           shmipc_response *response) {
    response->length = 0;
    meddle_with(context, request->slot, WORD_PARKED);
    return 0;
}

static void an_answer_that_can_never_be_published_is_corruption(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        struct scene scene = scene_open(host_calls);
        assert_int_equal(shmipc_poll(scene.responder, meddled_handler, scene.responder),
                         SHMIPC_E_CORRUPT);
        assert_corrupt(scene.responder);
        scene_close(&scene);
    }
}

/* ---- Clearing up ---- */

static void a_slot_that_can_never_be_reclaimed_is_left(void **state) {
    (void)state;
    struct scene scene = scene_open(false);
    const struct region *region = &scene.responder->region;
    uint64_t sent = atomic_load(word_of(&scene));
    atomic_store(word_of(&scene), (sent & ~WORD_STATE) | SLOT_WORKING);
    meddle_with(scene.responder, scene.slot.index, WORD_PARKED);
    shmi_answer_for_responder(region, scene.slot.index);
    assert_int_equal(word_state(atomic_load(word_of(&scene))), SLOT_WORKING);
    meddle_with(scene.responder, scene.slot.index, WORD_PARKED);
    shmi_reclaim_index(region, scene.caller->index);
    assert_int_equal(word_state(atomic_load(word_of(&scene))), SLOT_WORKING);
    leave_alone();
    atomic_store(word_of(&scene), sent);
    scene_close(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_wait_that_can_never_be_parked_ends),
        watched_test(a_call_that_can_never_be_given_up_ends),
        watched_test(a_sleeper_that_can_never_be_woken_is_left),
        watched_test(a_wait_for_any_that_can_never_be_parked_ends),
        watched_test(a_request_that_can_never_be_taken_is_passed_over),
        watched_test(a_request_that_is_taken_while_the_peer_closes_runs_no_handler),
        watched_test(an_answer_that_can_never_be_published_is_corruption),
        watched_test(a_slot_that_can_never_be_reclaimed_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
