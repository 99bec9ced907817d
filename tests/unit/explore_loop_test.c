/*
 * Event loops that watch a descriptor, in thousands of orders of the atomic steps of all threads.
 */
#include "support/explore.h"
#include "support/fixture.h"
#include "unit/explore_stage.h"

#include "peer/peer.h"

#include <string.h>

/* ---- The descriptor: a word in place of the system's ---- */

struct pollable {
    atomic_u32 is_ready;
};

static struct pollable descriptor; /* of the one loop that there is */

/* Linked in place of the library's own. */
/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
int __wrap_shmi_pollable_open(struct object *object, struct pollable **pollable);
void __wrap_shmi_pollable_close(struct pollable *pollable);
shmipc_fd __wrap_shmi_pollable_fd(const struct pollable *pollable);
int __wrap_shmi_pollable_clear(struct pollable *pollable, uint64_t until);
void __wrap_shmi_pollable_signal(struct pollable *pollable);
bool __wrap_shmi_object_signal(struct object *object, uint32_t peer);
bool __wrap_shmi_pollable_watch(struct pollable *pollable, uint32_t pid);
bool __wrap_shmi_pollable_saw_end(struct pollable *pollable);

int __wrap_shmi_pollable_open(struct object *object, struct pollable **pollable) {
    (void)object;
    *pollable = &descriptor;
    return SHMIPC_OK;
}

void __wrap_shmi_pollable_close(struct pollable *pollable) {
    (void)pollable;
}

shmipc_fd __wrap_shmi_pollable_fd(const struct pollable *pollable) {
    (void)pollable;
    return -1;
}

int __wrap_shmi_pollable_clear(struct pollable *pollable, uint64_t until) {
    (void)until;
    store_release32(&pollable->is_ready, 0);
    return SHMIPC_OK;
}

void __wrap_shmi_pollable_signal(struct pollable *pollable) {
    store_release32(&pollable->is_ready, 1);
}

bool __wrap_shmi_object_signal(struct object *object, uint32_t peer) {
    (void)object;
    (void)peer;
    store_release32(&descriptor.is_ready, 1);
    (void)shmi_word_wake(NULL, &descriptor.is_ready, 1);
    return true;
}

bool __wrap_shmi_pollable_watch(struct pollable *pollable, uint32_t pid) {
    (void)pollable;
    (void)pid;
    return false;
}

bool __wrap_shmi_pollable_saw_end(struct pollable *pollable) {
    (void)pollable;
    return false;
}
/* NOLINTEND(bugprone-reserved-identifier) */

static void watch(shmipc_peer *peer) {
    shmipc_fd fd;
    must_equal(shmipc_get_fd(peer, &fd), SHMIPC_OK);
}

/* Returns when something is there, or an error; sleeps until the descriptor is ready. */
static int await(shmipc_peer *peer, uint32_t events, const shmipc_slot *slots, size_t count) {
    int there;
    while ((there = shmipc_arm(peer, events, slots, count)) == 0) {
        while (load_acquire32(&descriptor.is_ready) == 0)
            (void)shmi_word_wait(NULL, &descriptor.is_ready, 0, CLOCK_NEVER, NO_HOME);
    }
    return there;
}

static void assert_disarmed(const shmipc_peer *peer) {
    must_equal(load_relaxed32(peer->calling.answers.armed), 0);
    must_equal(load_relaxed32(&peer->calling.answers.shared->sleepers), 0);
    must_equal(load_relaxed32(peer->serves.requests.armed), 0);
    must_equal(load_relaxed32(&peer->serves.requests.shared->sleepers), 0);
}

/* ---- A loop that calls ---- */

enum { CALLS = 2 };

static void send_all(struct stage *s, shmipc_slot *slots) {
    for (int i = 0; i < CALLS; i++) {
        uint32_t number = ++s->request;
        must_equal(shmipc_slot_claim(s->caller, 0, &slots[i]), SHMIPC_OK);
        memcpy(shmipc_slot_buffer(slots[i], NULL), &number, sizeof number);
        must_equal(shmipc_slot_send(slots[i], 0, sizeof number, 0), SHMIPC_OK);
    }
}

static int receive_those_ready(shmipc_slot *slots) {
    int received = 0;
    for (int i = 0; i < CALLS; i++) {
        shmipc_response response;
        if (shmipc_slot_ready(slots[i]) != 1)
            continue;
        must_equal(shmipc_slot_receive(slots[i], 0, &response), SHMIPC_OK);
        must_equal(shmipc_slot_release(slots[i]), SHMIPC_OK);
        received++;
    }
    return received;
}

static void call_in_a_loop(void *context) {
    struct stage *s = context;
    shmipc_slot slots[CALLS];
    send_all(s, slots);
    for (int received = 0; received < CALLS; received += receive_those_ready(slots))
        must_equal(await(s->caller, 0, slots, CALLS), 1);
    s->calls_to_go = 1;
    finish_call(s);
}

static void end_called(void *context) {
    struct stage *s = context;
    must_equal(shmipc_disarm(s->caller), SHMIPC_OK);
    end_two(s);
    assert_disarmed(s->caller);
}

static void begin_watching_answers(void *context) {
    struct stage *s = context;
    watch(s->caller);
    begin_two(s);
}

static void a_loop_hears_of_two_answers_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run_on_stage(host_calls, CALLS,
                     (struct scenario){.begin = begin_watching_answers,
                                       .end = end_called,
                                       .actors = {call_in_a_loop, serve_until_woken},
                                       .preemptions = 2,
                                       .drawn = DRAWN});
}

/* ---- A loop that serves ---- */

static void serve_in_a_loop(void *context) {
    struct stage *s = context;
    while (s->served < CALLS) {
        must_equal(await(s->responder, SHMIPC_ARM_REQUESTS, NULL, 0), 1);
        must(shmipc_poll(s->responder, number_handler, s) >= 0);
    }
}

static void call_alone(void *context) {
    must_equal(call_once(context, SHMIPC_FOREVER), SHMIPC_OK);
}

static void begin_watching_requests(void *context) {
    struct stage *s = context;
    watch(s->responder);
    begin_two(s);
}

static void end_served(void *context) {
    struct stage *s = context;
    must_equal(shmipc_disarm(s->responder), SHMIPC_OK);
    end_two(s);
    assert_disarmed(s->responder);
}

static void a_loop_hears_of_two_requests_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run_on_stage(host_calls, CALLS,
                     (struct scenario){.begin = begin_watching_requests,
                                       .end = end_served,
                                       .actors = {serve_in_a_loop, call_alone, call_alone},
                                       .preemptions = 1,
                                       .drawn = DRAWN});
}

/* ---- A loop that is notified of a request, and leaves it to a worker ---- */

static void arm_and_disarm(void *context) {
    struct stage *s = context;
    for (int i = 0; i < CALLS; i++)
        must(shmipc_arm(s->responder, SHMIPC_ARM_REQUESTS, NULL, 0) >= 0);
    must_equal(shmipc_disarm(s->responder), SHMIPC_OK);
}

/* For nothing any more. */
static void arm_for_less_and_less(void *context) {
    struct stage *s = context;
    must(shmipc_arm(s->responder, SHMIPC_ARM_REQUESTS, NULL, 0) >= 0);
    must_equal(shmipc_arm(s->responder, 0, NULL, 0), 0);
}

static void call_twice_and_finish(void *context) {
    struct stage *s = context;
    for (int i = 0; i < CALLS; i++) {
        must_equal(call_once(s, SHMIPC_FOREVER), SHMIPC_OK);
        finish_call(s);
    }
}

static void leave_requests_to_a_worker(void (*loop)(void *context)) {
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run_on_stage(host_calls, CALLS,
                     (struct scenario){.begin = begin_watching_requests,
                                       .end = end_served,
                                       .actors = {loop, call_twice_and_finish, serve_until_woken},
                                       .preemptions = 1,
                                       .drawn = DRAWN});
}

static void a_loop_that_disarms_leaves_requests_to_a_worker_in_any_order(void **state) {
    (void)state;
    leave_requests_to_a_worker(arm_and_disarm);
}

static void a_loop_that_arms_for_less_leaves_requests_to_a_worker_in_any_order(void **state) {
    (void)state;
    leave_requests_to_a_worker(arm_for_less_and_less);
}

/* ---- A loop whose peer is closed ---- */

static void begin_stage_and_watch(void *context) {
    struct stage *s = context;
    open_stage(s, s->host_calls, CALLS);
    watch(s->caller);
}

static void wait_until_closed(void *context) {
    struct stage *s = context;
    int error;
    do
        error = await(s->caller, SHMIPC_ARM_REQUESTS, NULL, 0);
    while (error == 1);
    must_equal(error, SHMIPC_E_CLOSED);
}

static void close_the_loops_peer(void *context) {
    struct stage *s = context;
    must_equal(shmipc_close(s->caller), SHMIPC_OK);
}

static void a_loop_hears_that_its_peer_is_closed_in_any_order(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++)
        run_closing(host_calls,
                    (struct scenario){.begin = begin_stage_and_watch,
                                      .end = end_closed,
                                      .actors = {wait_until_closed, close_the_loops_peer},
                                      .preemptions = 2,
                                      .drawn = DRAWN / 4});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_loop_hears_of_two_answers_in_any_order),
        watched_test(a_loop_hears_of_two_requests_in_any_order),
        watched_test(a_loop_that_disarms_leaves_requests_to_a_worker_in_any_order),
        watched_test(a_loop_that_arms_for_less_leaves_requests_to_a_worker_in_any_order),
        watched_test(a_loop_hears_that_its_peer_is_closed_in_any_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
