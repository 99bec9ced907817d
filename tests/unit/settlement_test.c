/*
 * What a caller is told that was cut off by a shutdown of its own peer: that a handler has started
 * on its request, or that none ever will, for any action of the other side meanwhile.
 */
#include "support/fixture.h"

#include "call/caller.h"
#include "peer/peer.h"
#include "region/slot.h"

#include <sys/mman.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23
#endif

/* A pair, of which one leaves; one slot in each direction. */
struct scene {
    struct pair pair;
    shmipc_peer *leaver;
    shmipc_peer *other;
};

/* The moments of a scene with one slot that is claimed. */
enum moment { NEVER, BEFORE_THE_STEP, HEADER_IS_KEPT, SLOT_IS_KEPT, NEXT_PART_IS_KEPT };

static enum moment reached;
static enum moment awaited; /* NEVER: nothing happens */
static void (*act)(struct scene *scene);
static struct scene *acting;
static struct scene *unseen; /* not NULL: its guest is not seen, and its host closes meanwhile */

static void reach(enum moment moment) {
    reached = moment == NEXT_PART_IS_KEPT ? reached + 1 : moment;
    if (awaited == NEVER || reached != awaited)
        return;
    awaited = NEVER;
    act(acting);
}

/* ---- The system's part, named for the linker ---- */

static atomic_bool no_detaching;

void *real_detach(struct object *object) __asm__("__real_shmi_object_detach");
void *test_detach(struct object *object) __asm__("__wrap_shmi_object_detach");
int real_madvise(void *start, size_t size, int advice) __asm__("__real_madvise");
int test_madvise(void *start, size_t size, int advice) __asm__("__wrap_madvise");
bool real_is_locked(struct object *object, uint32_t peer) __asm__("__real_shmi_peer_is_locked");
bool test_is_locked(struct object *object, uint32_t peer) __asm__("__wrap_shmi_peer_is_locked");

void *test_detach(struct object *object) {
    reach(BEFORE_THE_STEP);
    return atomic_load(&no_detaching) ? NULL : real_detach(object);
}

int test_madvise(void *start, size_t size, int advice) {
    int result = real_madvise(start, size, advice);
    if (advice == MADV_POPULATE_WRITE)
        reach(NEXT_PART_IS_KEPT);
    return result;
}

/* Two threads close: the first one has woken nobody yet. */
bool test_is_locked(struct object *object, uint32_t peer) {
    struct scene *scene = unseen;
    if (scene == NULL || peer != 1)
        return real_is_locked(object, peer);
    unseen = NULL;
    exchange_seq_cst32(&scene->leaver->life.phase, PEER_CLOSED);
    must_equal(shmipc_close(scene->leaver), SHMIPC_OK);
    return false;
}

/* ---- Scenes ---- */

static struct scene scene_open(bool host_leaves) {
    shmipc_host_config config = test_host_config();
    struct scene scene;
    config.host_slots = 1;
    config.guest_slots = 1;
    pair_open(&scene.pair, &config);
    scene.leaver = host_leaves ? scene.pair.host : scene.pair.guest;
    scene.other = host_leaves ? scene.pair.guest : scene.pair.host;
    return scene;
}

static void scene_close(struct scene *scene) {
    pair_close(&scene->pair);
}

/* ---- What others do meanwhile ---- */

static void act_at(enum moment moment, void (*what)(struct scene *), struct scene *scene) {
    awaited = moment;
    act = what;
    acting = scene;
}

static shmipc_slot send(shmipc_peer *peer) {
    shmipc_slot slot = must_claim(peer, 0);
    must_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    return slot;
}

static struct slot *slot_of(const shmipc_peer *peer, const struct scene *scene) {
    return region_slot(&peer->region, scene->leaver == scene->pair.host ? 0 : 1);
}

/* As a worker of the other side takes it before it runs a handler. */
static word taken;

static void take(struct scene *scene) {
    struct slot *slot = slot_of(scene->other, scene);
    word seen = slot_look(slot);
    owner bound = scene->other == scene->pair.host ? word_owner(seen) : scene->other->self;
    must_equal(word_state(seen), SLOT_REQUEST);
    must(shmi_slot_take(slot, seen, bound, &taken));
}

static void answer(struct scene *scene) {
    (void)shmi_slot_publish_response(slot_of(scene->other, scene), taken, 0);
}

static void take_and_answer(struct scene *scene) {
    take(scene);
    answer(scene);
}

static void cut_off(const struct scene *scene) {
    must_equal(shmipc_shutdown(scene->leaver, 0), SHMIPC_E_TIMEOUT);
    must_equal(awaited, NEVER);
}

static int outcome_of(shmipc_slot slot) {
    shmipc_response response;
    return shmipc_slot_receive(slot, SECOND, &response);
}

static void a_request_that_is_taken_while_its_caller_is_cut_off_has_started(void **state) {
    static void (*const others[])(struct scene *) = {take, take_and_answer};
    (void)state;
    for (int i = 0; i < 4; i++) {
        for (enum moment moment = BEFORE_THE_STEP; moment <= SLOT_IS_KEPT; moment++) {
            struct scene scene = scene_open(i % 2);
            shmipc_slot slot = send(scene.leaver);
            act_at(moment, others[i / 2], &scene);
            cut_off(&scene);
            assert_int_equal(outcome_of(slot), SHMIPC_E_CLOSED_STARTED);
            scene_close(&scene);
        }
    }
}

static void an_untaken_request_of_a_peer_that_was_cut_off_frees_its_slot(void **state) {
    (void)state;
    for (int host = 0; host < 2; host++) {
        struct scene scene = scene_open(host);
        shmipc_slot slot = send(scene.leaver);
        cut_off(&scene);
        assert_int_equal(word_state(slot_look(slot_of(scene.other, &scene))), SLOT_FREE);
        assert_int_equal(outcome_of(slot), SHMIPC_E_CLOSED);
        scene_close(&scene);
    }
}

/* A worker of the guest that comes out of a handler looks for the next request. */
static void a_host_that_was_cut_off_leaves_no_request_to_be_run(void **state) {
    struct gated gated = {{0}, {0}};
    shmipc_slot slots[2];
    struct pair pair;
    struct server server;
    (void)state;
    pair_open(&pair, NULL);
    server_start(&server, pair.guest, gated_handler, &gated);
    for (int i = 0; i < 2; i++) {
        slots[i] = send(pair.host);
        gate_await(&gated.entered, 1);
    }
    assert_int_equal(shmipc_shutdown(pair.host, 0), SHMIPC_E_TIMEOUT);
    while (!atomic_load(&server.done)) { /* once for each handler that has begun */
        gate_pass(&gated.leave);
        pause_briefly();
    }
    (void)server_join(&server);
    assert_int_equal(atomic_load(&gated.entered.passed), 1);
    assert_int_equal(outcome_of(slots[0]), SHMIPC_E_CLOSED_STARTED);
    assert_int_equal(outcome_of(slots[1]), SHMIPC_E_CLOSED);
    pair_close(&pair);
}

/* ---- A caller that ends its call just then ---- */

struct ending {
    shmipc_slot slot;
    pthread_t thread;
    int outcome;
};

static struct ending ending;

static void *end_here(void *context) {
    struct ending *e = context;
    e->outcome = outcome_of(e->slot);
    return NULL;
}

/* Until the caller has given up in the memory that it sees. */
static void end_call(struct scene *scene) {
    struct slot *slot = slot_of(scene->leaver, scene);
    word before = slot_look(slot);
    ending.thread = thread_start(end_here, &ending);
    eventually(word_state(slot_look(slot)) ==
               (word_state(before) == SLOT_REQUEST ? SLOT_FREE : SLOT_CANCELLED));
}

static void end_call_then_take(struct scene *scene) {
    end_call(scene);
    take(scene);
}

static void end_call_then_answer(struct scene *scene) {
    end_call(scene);
    answer(scene);
    must_equal(word_state(slot_look(slot_of(scene->other, scene))), SLOT_FREE);
}

static int outcome_beside(struct scene *scene, enum moment moment, void (*what)(struct scene *)) {
    act_at(moment, what, scene);
    cut_off(scene);
    thread_join(ending.thread);
    return ending.outcome;
}

static void a_caller_that_gives_up_in_its_copy_is_told_what_the_region_says(void **state) {
    (void)state;
    for (int i = 0; i < 4; i++) {
        struct scene scene = scene_open(i % 2);
        ending.slot = send(scene.leaver);
        assert_int_equal(
            outcome_beside(&scene, SLOT_IS_KEPT, i / 2 ? end_call_then_take : end_call),
            i / 2 ? SHMIPC_E_CLOSED_STARTED : SHMIPC_E_CLOSED);
        scene_close(&scene);
    }
}

static void give_up_in_the_region(bool host, bool started) {
    struct scene scene = scene_open(host);
    ending.slot = send(scene.leaver);
    if (started)
        take(&scene);
    assert_int_equal(
        outcome_beside(&scene, BEFORE_THE_STEP, started ? end_call_then_answer : end_call),
        started ? SHMIPC_E_CLOSED_STARTED : SHMIPC_E_CLOSED);
    scene_close(&scene);
}

/* Either way the region's slot is free when it is looked at. */
static void a_caller_that_gave_up_in_the_region_knows_it_best(void **state) {
    (void)state;
    for (int i = 0; i < 8; i++) {
        atomic_store(&no_detaching, i / 4);
        give_up_in_the_region(i % 2, i / 2 % 2);
    }
    atomic_store(&no_detaching, false);
}

/* A guest may have another's request in its slot by then. */
static void a_guest_that_is_cut_off_gives_up_no_other_guests_request(void **state) {
    (void)state;
    struct scene scene = scene_open(false);
    shmipc_guest_config config = test_guest_config();
    shmipc_peer *another;
    assert_int_equal(shmipc_guest_attach(scene.pair.name.text, &config, 0, &another), SHMIPC_OK);
    shmipc_slot slot = send(another);
    exchange_seq_cst32(&scene.leaver->slots[slot.index].claim, 1); /* just before it looks */
    cut_off(&scene);
    take_and_answer(&scene);
    assert_int_equal(outcome_of(slot), SHMIPC_OK);
    exchange_seq_cst32(&scene.leaver->slots[slot.index].claim, 2);
    shmipc_free(another);
    scene_close(&scene);
}

/* By a thread that was admitted before the peer closed. What became of the slot's last call says
   nothing of this one. */
static void a_request_that_is_sent_into_the_copy_never_starts(void **state) {
    (void)state;
    for (int host = 0; host < 2; host++) {
        struct scene scene = scene_open(host);
        shmipc_slot slot = send(scene.leaver);
        take_and_answer(&scene);
        assert_int_equal(outcome_of(slot), SHMIPC_OK);
        cut_off(&scene);
        word before = slot_look(slot_of(scene.other, &scene));
        struct local_slot *l = &scene.leaver->slots[slot.index];
        must_equal(shmi_send_in_place(scene.leaver, l, 0, 0, 0, 0), SHMIPC_OK);
        assert_int_equal(outcome_of(slot), SHMIPC_E_CLOSED);
        assert_true(slot_look(slot_of(scene.other, &scene)) == before);
        scene_close(&scene);
    }
}

/* Its host looks for guests, finds none, and withdraws the request, in its copy by then. */
static void a_request_that_is_withdrawn_in_the_copy_is_told_what_the_region_says(void **state) {
    (void)state;
    struct scene scene = scene_open(true);
    shmipc_slot slot = send(scene.leaver);
    act_at(SLOT_IS_KEPT, take, &scene);
    unseen = &scene;
    assert_int_equal(outcome_of(slot), SHMIPC_E_CLOSED_STARTED);
    assert_null(unseen);
    scene_close(&scene);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_host_that_was_cut_off_leaves_no_request_to_be_run),
        watched_test(a_request_that_is_taken_while_its_caller_is_cut_off_has_started),
        watched_test(an_untaken_request_of_a_peer_that_was_cut_off_frees_its_slot),
        watched_test(a_caller_that_gives_up_in_its_copy_is_told_what_the_region_says),
        watched_test(a_caller_that_gave_up_in_the_region_knows_it_best),
        watched_test(a_guest_that_is_cut_off_gives_up_no_other_guests_request),
        watched_test(a_request_that_is_sent_into_the_copy_never_starts),
        watched_test(a_request_that_is_withdrawn_in_the_copy_is_told_what_the_region_says),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
