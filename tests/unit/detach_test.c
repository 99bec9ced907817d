/*
 * Shutting down while threads hold slots, wait or run handlers: the deadline is kept, the other
 * side is told at once, and later writes never reach the region.
 */
#define _GNU_SOURCE
#include "support/fixture.h"

#include "peer/peer.h"
#include "platform/posix/object.h"
#include "region/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { REQUEST_CAPACITY = 9024, RESPONSE_CAPACITY = 7040 };

/* Far below what any holder takes, far above what a loaded machine does. */
#define SHORT (20 * MILLISECOND)
#define SOON (5 * SECOND)

static const shmipc_request nothing = {.data = NULL};

/* ---- A system that cannot detach, or that populates no pages; named for the linker ---- */

static atomic_bool no_detaching;
static atomic_bool no_populating;

void *real_detach(struct object *object) __asm__("__real_shmi_object_detach");
void *test_detach(struct object *object) __asm__("__wrap_shmi_object_detach");
int real_madvise(void *start, size_t size, int advice) __asm__("__real_madvise");
int test_madvise(void *start, size_t size, int advice) __asm__("__wrap_madvise");

/* As another process sees it. */
static bool is_locked(const struct object *object, uint32_t peer) {
    struct flock lock = {.l_type = F_WRLCK,
                         .l_whence = SEEK_SET,
                         .l_start = (off_t)(INT64_C(1) << 62) + (off_t)peer,
                         .l_len = 1};
    int fd = open(object->path, O_RDWR | O_CLOEXEC);
    must(fd >= 0);
    must_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
    must_equal(close(fd), 0);
    return lock.l_type != F_UNLCK;
}

/* Who is cut off has yet to vacate its line: until then it must not look dead. */
void *test_detach(struct object *object) {
    void *view = atomic_load(&no_detaching) ? NULL : real_detach(object);
    must(is_locked(object, object->self));
    return view;
}

int test_madvise(void *start, size_t size, int advice) {
    if (!atomic_load(&no_populating) || advice == MADV_DONTFORK)
        return real_madvise(start, size, advice);
    errno = EINVAL;
    return -1;
}

/* ---- A pair, of which one leaves; one slot in each direction ---- */

struct scene {
    struct pair pair;
    shmipc_peer *leaver;
    shmipc_peer *other;
};

static struct scene scene_open(bool host_leaves) {
    shmipc_host_config config = test_host_config();
    struct scene scene;
    config.host_slots = 1;
    config.guest_slots = 1;
    config.request_capacity = REQUEST_CAPACITY;
    config.response_capacity = RESPONSE_CAPACITY;
    pair_open(&scene.pair, &config);
    scene.leaver = host_leaves ? scene.pair.host : scene.pair.guest;
    scene.other = host_leaves ? scene.pair.guest : scene.pair.host;
    return scene;
}

static void scene_close(struct scene *scene) {
    pair_close(&scene->pair);
}

/* Within its deadline, and a generous while. */
static void assert_shut_down(shmipc_peer *peer, int expected) {
    uint64_t begin = now_ns();
    assert_int_equal(shmipc_shutdown(peer, SHORT), expected);
    assert_true(now_ns() - begin < SOON);
}

/* The place of a peer that has left is there for the next one. */
static shmipc_peer *succeed(const struct scene *scene) {
    const bool host = scene->leaver == scene->pair.host;
    shmipc_guest_config config = test_guest_config();
    shmipc_peer *next = NULL;
    if (host) {
        assert_int_equal(shmipc_host_create(scene->pair.name.text, NULL, &next), SHMIPC_OK);
        return next;
    }
    assert_int_equal(shmipc_guest_attach(scene->pair.name.text, &config, 0, &next), SHMIPC_OK);
    assert_int_equal(next->index, 1);
    return next;
}

/* Calls with patterned requests and answers come through as they are. The pattern is another than
   that of the requests whose handlers run on. */
static int pattern_handler(void *context, const shmipc_request *request,
                           shmipc_response *response) {
    (void)context;
    must_equal(request->length, REQUEST_CAPACITY);
    must(pattern_holds(request->data, request->length, 7));
    response->length = RESPONSE_CAPACITY;
    pattern_fill(response->data, response->length, 6);
    must(pattern_holds(request->data, request->length, 7));
    must(pattern_holds(response->data, response->length, 6));
    return 0;
}

static void call_with_patterns(shmipc_peer *peer, int count) {
    static uint8_t bytes[REQUEST_CAPACITY];
    static uint8_t answer[RESPONSE_CAPACITY];
    const shmipc_request request = {.data = bytes, .length = sizeof bytes};
    pattern_fill(bytes, sizeof bytes, 7);
    for (int i = 0; i < count; i++) {
        shmipc_response response = {.data = answer, .capacity = sizeof answer};
        must_equal(shmipc_call(peer, &request, &response, 20 * SECOND), SHMIPC_OK);
        must_equal(response.length, RESPONSE_CAPACITY);
        must(pattern_holds(answer, sizeof answer, 6));
    }
}

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

/* As the other side sees it; 0 is the host's slot, 1 the guest's. */
static enum slot_state state_of(const struct scene *scene, uint32_t slot) {
    return word_state(slot_look(region_slot(&scene->other->region, slot)));
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

/* Of a request under way in a held slot it is known later whether a handler has started on it; the
   handler of the other side answers into nowhere. */
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

/* ---- Handlers ---- */

/* A handler that looks at its request, stays, and looks again, writing to its answer all the
   while. */
struct stayer {
    struct gate entered;
    atomic_bool leave;
    atomic_bool spin;
    atomic_uint turns;
    int abandoned;
};

static int staying_handler(void *context, const shmipc_request *request,
                           shmipc_response *response) {
    struct stayer *stayer = context;
    must_equal(request->length, REQUEST_CAPACITY);
    gate_pass(&stayer->entered);
    do {
        must(pattern_holds(request->data, request->length, 5));
        memset(response->data, 0xee, response->capacity);
        atomic_fetch_add(&stayer->turns, 1);
        if (!atomic_load(&stayer->spin))
            pause_briefly();
    } while (!atomic_load(&stayer->leave));
    stayer->abandoned = shmipc_abandoned(request);
    response->length = response->capacity;
    return 0;
}

/* Until the handler has written once more than now. */
static void await_turn(const struct stayer *stayer) {
    unsigned turns = atomic_load(&stayer->turns);
    eventually(atomic_load(&stayer->turns) - turns >= 2);
}

struct patterned_call {
    shmipc_peer *peer;
    int result;
};

static void *call_once(void *context) {
    struct patterned_call *call = context;
    uint8_t bytes[REQUEST_CAPACITY];
    const shmipc_request request = {.data = bytes, .length = sizeof bytes};
    pattern_fill(bytes, sizeof bytes, 5);
    call->result = shmipc_call(call->peer, &request, NULL, SHMIPC_FOREVER);
    return NULL;
}

/* The caller is told, the place is free, and others use it, while the handler goes on writing. */
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

/* The slot is anybody's as soon as the peer has gone, and the handler's request stays. */
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

/* The handler writes there meanwhile: a race for the thread sanitizer, with any value. */
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
    must_equal(shmipc_close(peer), SHMIPC_E_STATE);
    must(strstr(shmipc_last_error(), "shmipc_close was called by a handler") != NULL);
    shmipc_free(peer); /* logs, and keeps the text */
    must(strstr(shmipc_last_error(), "shmipc_close was called by a handler") != NULL);
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

/* Code may be unloaded after that. */
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

/* A close that waits for a handler, and one that other threads wait for. */
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

/* ---- Threads that wait ---- */

struct waiter {
    shmipc_peer *peer;
    int (*wait)(struct waiter *waiter);
    shmipc_slot slot;
    int result;
};

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

static int wait_for_slot(struct waiter *w) {
    shmipc_slot slot;
    return shmipc_slot_claim(w->peer, SHMIPC_FOREVER, &slot);
}

static int wait_to_serve(struct waiter *w) {
    return shmipc_serve(w->peer, echo_handler, NULL);
}

static int wait_for_request(struct waiter *w) {
    return shmipc_wait(w->peer, SHMIPC_FOREVER);
}

static int wait_for_event(struct waiter *w) {
    shmipc_event event;
    int error;
    do {
        error = shmipc_next_event(w->peer, SHMIPC_FOREVER, &event);
    } while (error == SHMIPC_OK);
    return error;
}

static void *wait_here(void *context) {
    struct waiter *w = context;
    w->result = w->wait(w);
    return NULL;
}

static int (*const waits[])(struct waiter *) = {wait_for_any,  wait_for_answer,  wait_for_slot,
                                                wait_to_serve, wait_for_request, wait_for_event};

enum { WAITS = sizeof waits / sizeof *waits };

static void assert_ended(int result) {
    assert_true(result == SHMIPC_E_CLOSED || result == SHMIPC_E_SHUTDOWN);
}

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

/* Or is about to. Who waits for events is not announced. */
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

/* Once in some tries, as the machine may be busy: a tick ends a sleep too, but later. */
static void each_way_to_wait_is_ended_by_a_close_before_the_next_tick(void **state) {
    (void)state;
    for (int i = 0; i < 2 * WAITS; i++) {
        int tries = 0;
        while (close_under(waits[i / 2], i % 2) > TICK_NS / 2)
            assert_true(++tries < 30);
    }
}

/* ---- All at once, again and again ---- */

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

/* A request that is told never to have started has not, however late a worker took it. */
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
        watched_test(a_handler_that_runs_on_delays_no_shutdown_and_harms_nobody),
        watched_test(a_handler_whose_caller_gave_up_delays_no_shutdown_and_keeps_its_request),
        watched_test(where_no_page_can_be_populated_it_is_written),
        watched_test(a_handler_that_leaves_its_own_peer_is_refused),
        watched_test(a_handler_may_close_another_peer),
        watched_test(closing_after_a_shutdown_waits_for_its_handlers),
        watched_test(a_close_that_waits_delays_no_shutdown),
        watched_test(each_way_to_wait_is_ended_by_a_shutdown),
        watched_test(each_way_to_wait_is_ended_by_a_close_before_the_next_tick),
        watched_test(no_byte_that_is_written_late_gets_anywhere),
        watched_test(a_request_that_never_started_never_runs),
        watched_test(where_nobody_can_be_cut_off_the_deadline_is_kept),
        watched_test(eventcounts_stay_as_they_were_for_a_peer_that_was_cut_off),
        watched_test(children_of_a_peer_that_was_cut_off_keep_nothing),
        watched_test(cutting_off_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
