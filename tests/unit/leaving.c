#define _GNU_SOURCE
#include "unit/leaving.h"

#include "peer/peer.h"
#include "platform/posix/object.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

atomic_bool no_detaching;
atomic_bool no_populating;

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

/* A peer that is cut off has yet to vacate its line: until then it must not look dead. */
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

struct scene scene_open(bool host_leaves) {
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

void scene_close(struct scene *scene) {
    pair_close(&scene->pair);
}

void assert_shut_down(shmipc_peer *peer, int expected) {
    uint64_t begin = now_ns();
    assert_int_equal(shmipc_shutdown(peer, SHORT), expected);
    assert_true(now_ns() - begin < SOON);
}

shmipc_peer *succeed(const struct scene *scene) {
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

int pattern_handler(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)context;
    must_equal(request->length, REQUEST_CAPACITY);
    must(pattern_holds(request->data, request->length, 7));
    response->length = RESPONSE_CAPACITY;
    pattern_fill(response->data, response->length, 6);
    must(pattern_holds(request->data, request->length, 7));
    must(pattern_holds(response->data, response->length, 6));
    return 0;
}

void call_with_patterns(shmipc_peer *peer, int count) {
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

enum slot_state state_of(const struct scene *scene, uint32_t slot) {
    return word_state(slot_look(region_slot(&scene->other->region, slot)));
}

int staying_handler(void *context, const shmipc_request *request, shmipc_response *response) {
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

void await_turn(const struct stayer *stayer) {
    unsigned turns = atomic_load(&stayer->turns);
    eventually(atomic_load(&stayer->turns) - turns >= 2);
}

void *call_once(void *context) {
    struct patterned_call *call = context;
    uint8_t bytes[REQUEST_CAPACITY];
    const shmipc_request request = {.data = bytes, .length = sizeof bytes};
    pattern_fill(bytes, sizeof bytes, 5);
    call->result = shmipc_call(call->peer, &request, NULL, SHMIPC_FOREVER);
    return NULL;
}

int wait_for_slot(struct waiter *w) {
    shmipc_slot slot;
    return shmipc_slot_claim(w->peer, SHMIPC_FOREVER, &slot);
}

int wait_to_serve(struct waiter *w) {
    return shmipc_serve(w->peer, echo_handler, NULL);
}

int wait_for_event(struct waiter *w) {
    shmipc_event event;
    int error;
    do {
        error = shmipc_next_event(w->peer, SHMIPC_FOREVER, &event);
    } while (error == SHMIPC_OK);
    return error;
}

void *wait_here(void *context) {
    struct waiter *w = context;
    w->result = w->wait(w);
    return NULL;
}

void assert_ended(int result) {
    assert_true(result == SHMIPC_E_CLOSED || result == SHMIPC_E_SHUTDOWN);
}
