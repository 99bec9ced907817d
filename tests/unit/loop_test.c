/*
 * The descriptor for event loops, with a host and a guest in this process.
 */
#include "support/fixture.h"

#include "peer/membership.h"
#include "peer/peer.h"
#include "support/readable.h"

#include <stdio.h>

enum { SLOTS = 2 }; /* of each direction: test_host_config */

/* A peer with a descriptor, and the one on the other side. */
struct scene {
    struct pair pair;
    shmipc_peer *loop;
    shmipc_peer *other;
    shmipc_fd fd;
    shmipc_slot slots[SLOTS];
};

static void open_scene(struct scene *s, bool host_loops) {
    pair_open(&s->pair, NULL);
    s->loop = host_loops ? s->pair.host : s->pair.guest;
    s->other = host_loops ? s->pair.guest : s->pair.host;
    must_equal(shmipc_get_fd(s->loop, &s->fd), SHMIPC_OK);
    shmipc_event event; /* the host has not heard of its guest yet */
    while (shmipc_next_event(s->loop, 0, &event) == SHMIPC_OK) {
    }
    for (int i = 0; i < SLOTS; i++)
        must_equal(shmipc_slot_claim(s->loop, 0, &s->slots[i]), SHMIPC_OK);
}

static void close_scene(struct scene *s) {
    for (int i = 0; i < SLOTS; i++)
        (void)shmipc_slot_release(s->slots[i]);
    pair_close(&s->pair);
}

static void send_in(const struct scene *s, size_t i) {
    must_equal(shmipc_slot_send(s->slots[i], 200, 0, 0), SHMIPC_OK);
}

static int arm_for_answers(const struct scene *s) {
    return shmipc_arm(s->loop, 0, s->slots, SLOTS);
}

/* It is not readable now, or was so for a tick. */
static bool is_quiet(const struct scene *s) {
    return !is_readable(s->fd, 0) || now_ns() >= s->loop->loop.tick_at;
}

/* Repeats as a loop does: the descriptor may become readable for no reason, or for a tick. */
static void await_readiness(const struct scene *s, uint32_t events) {
    do
        must(is_readable(s->fd, 10 * SECOND));
    while (shmipc_arm(s->loop, events, s->slots, SLOTS) == 0);
}

/* The bits by which the others know of this loop. */
static uint32_t announced(const struct scene *s) {
    const struct region_layout *shared = s->loop->region.shared;
    uint32_t bits = load_seq_cst32(&shared->peers[s->loop->index].answers.sleepers);
    for (int i = 0; i < EVENTCOUNTS; i++)
        bits |= load_seq_cst32(&shared->eventcounts[i].eventcount.sleepers) |
                load_seq_cst32(&shared->eventcounts[i].armed);
    return bits;
}

static void an_answer_makes_it_readable(void **state) {
    (void)state;
    for (int host_loops = 0; host_loops < 2; host_loops++) {
        struct scene s;
        shmipc_response response;
        open_scene(&s, host_loops);
        send_in(&s, 1);
        assert_int_equal(arm_for_answers(&s), 0);
        assert_true(is_quiet(&s));
        assert_int_equal(shmipc_poll(s.other, echo_handler, NULL), 1);
        assert_true(is_readable(s.fd, 10 * SECOND));
        assert_int_equal(arm_for_answers(&s), 1);
        assert_int_equal(shmipc_slot_ready(s.slots[1]), 1);
        assert_int_equal(shmipc_slot_receive(s.slots[1], 0, &response), SHMIPC_OK);
        assert_int_equal(response.type, 200);
        assert_int_equal(arm_for_answers(&s), 0);
        assert_true(is_quiet(&s));
        close_scene(&s);
    }
}

static void a_request_makes_it_readable(void **state) {
    (void)state;
    for (int host_loops = 0; host_loops < 2; host_loops++) {
        struct scene s;
        struct call_thread call;
        open_scene(&s, host_loops);
        assert_int_equal(shmipc_arm(s.loop, SHMIPC_ARM_REQUESTS, NULL, 0), 0);
        assert_true(is_quiet(&s));
        call_start(&call, s.other, SHMIPC_FOREVER);
        await_readiness(&s, SHMIPC_ARM_REQUESTS);
        assert_int_equal(shmipc_poll(s.loop, echo_handler, NULL), 1);
        assert_int_equal(call_join(&call), SHMIPC_OK);
        close_scene(&s);
    }
}

static void a_guest_that_comes_and_goes_makes_it_readable(void **state) {
    (void)state;
    struct scene s;
    shmipc_peer *second;
    shmipc_event event;
    open_scene(&s, true);
    assert_int_equal(shmipc_arm(s.loop, SHMIPC_ARM_EVENTS, NULL, 0), 0);
    assert_true(is_quiet(&s));
    assert_int_equal(shmipc_guest_attach(s.pair.name.text, NULL, 0, &second), SHMIPC_OK);
    await_readiness(&s, SHMIPC_ARM_EVENTS);
    assert_int_equal(shmipc_next_event(s.loop, 0, &event), SHMIPC_OK);
    assert_int_equal(event.kind, SHMIPC_EVENT_ATTACHED);
    assert_int_equal(shmipc_arm(s.loop, SHMIPC_ARM_EVENTS, NULL, 0), 0);
    shmipc_free(second);
    await_readiness(&s, SHMIPC_ARM_EVENTS);
    assert_int_equal(shmipc_next_event(s.loop, 0, &event), SHMIPC_OK);
    assert_int_equal(event.kind, SHMIPC_EVENT_LEFT);
    close_scene(&s);
}

static void what_is_there_already_is_not_waited_for(void **state) {
    (void)state;
    struct scene s;
    open_scene(&s, true);
    send_in(&s, 0);
    assert_int_equal(shmipc_poll(s.other, echo_handler, NULL), 1);
    assert_int_equal(arm_for_answers(&s), 1);
    assert_true(is_readable(s.fd, 0));
    close_scene(&s);
}

/* A loop that does not look for itself is told again and again. */
static void it_stays_readable_until_nothing_is_there(void **state) {
    (void)state;
    struct scene s;
    shmipc_response response;
    open_scene(&s, true);
    send_in(&s, 0);
    send_in(&s, 1);
    assert_int_equal(arm_for_answers(&s), 0);
    assert_int_equal(shmipc_poll(s.other, echo_handler, NULL), 2);
    for (size_t i = 0; i < SLOTS; i++) {
        assert_true(is_readable(s.fd, 0));
        assert_int_equal(arm_for_answers(&s), 1);
        assert_int_equal(shmipc_slot_receive(s.slots[i], 0, &response), SHMIPC_OK);
    }
    assert_true(is_readable(s.fd, 0));
    assert_int_equal(arm_for_answers(&s), 0);
    assert_true(is_quiet(&s));
    close_scene(&s);
}

static void nobody_pays_for_a_loop_that_is_busy_or_disarmed(void **state) {
    (void)state;
    struct scene s;
    open_scene(&s, true);
    assert_int_equal(announced(&s), 0);
    send_in(&s, 0);
    const uint32_t events = SHMIPC_ARM_REQUESTS | SHMIPC_ARM_EVENTS;
    assert_int_equal(shmipc_arm(s.loop, events, s.slots, SLOTS), 0);
    assert_int_not_equal(announced(&s), 0);
    assert_int_equal(shmipc_disarm(s.loop), SHMIPC_OK);
    assert_int_equal(announced(&s), 0);
    assert_int_equal(shmipc_arm(s.loop, events, s.slots, SLOTS), 0);
    assert_int_equal(shmipc_poll(s.other, echo_handler, NULL), 1);
    assert_int_equal(shmipc_arm(s.loop, events, s.slots, SLOTS), 1);
    assert_int_equal(announced(&s), 0);
    close_scene(&s);
}

/* The loop's notification was meant for any thread that serves. */
static void leave_request_to_a_worker(bool told, int (*leave)(shmipc_peer *loop)) {
    struct scene s;
    struct server server;
    open_scene(&s, false);
    struct local_eventcount *requests = &s.loop->serves.requests;
    server_start(&server, s.loop, echo_handler, NULL);
    eventually(load_seq_cst32(&requests->waiters) == 1);
    assert_int_equal(shmipc_arm(s.loop, SHMIPC_ARM_REQUESTS, NULL, 0), 0);
    shmipc_slot sent = must_claim(s.other, 0);
    assert_int_equal(shmipc_slot_send(sent, 200, 0, 0), SHMIPC_OK);
    if (told)
        assert_int_equal(shmipc_arm(s.loop, SHMIPC_ARM_REQUESTS, NULL, 0), 1);
    const uint32_t generation = shmi_eventcount_generation(requests);
    assert_int_equal(leave(s.loop), 0);
    bool notified = shmi_eventcount_generation(requests) != generation;
    assert_true(notified || shmipc_slot_ready(sent) == 1); /* else by a tick of the worker's */
    eventually(shmipc_slot_ready(sent) == 1);
    must_release(sent);
    assert_int_equal(server_stop(&server), SHMIPC_E_WOKEN);
    close_scene(&s);
}

static int arm_for_nothing(shmipc_peer *loop) {
    return shmipc_arm(loop, 0, NULL, 0);
}

static void a_loop_that_takes_no_requests_leaves_them_to_a_worker(void **state) {
    (void)state;
    for (int told = 0; told < 2; told++) {
        leave_request_to_a_worker(told, shmipc_disarm);
        leave_request_to_a_worker(told, arm_for_nothing);
    }
}

static void closing_makes_it_readable(void **state) {
    (void)state;
    struct scene s;
    open_scene(&s, true);
    send_in(&s, 0);
    assert_int_equal(arm_for_answers(&s), 0);
    assert_int_equal(shmipc_close(s.loop), SHMIPC_OK);
    assert_true(is_readable(s.fd, 0));
    assert_int_equal(arm_for_answers(&s), SHMIPC_E_CLOSED);
    assert_int_equal(shmipc_disarm(s.loop), SHMIPC_E_CLOSED);
    close_scene(&s);
}

static void a_host_that_leaves_makes_it_readable(void **state) {
    (void)state;
    struct scene s;
    open_scene(&s, false);
    assert_int_equal(shmipc_arm(s.loop, SHMIPC_ARM_REQUESTS, NULL, 0), 0);
    assert_int_equal(shmipc_shutdown(s.pair.host, SHMIPC_FOREVER), SHMIPC_OK);
    await_readiness(&s, SHMIPC_ARM_REQUESTS);
    assert_int_equal(shmipc_poll(s.loop, echo_handler, NULL), SHMIPC_E_SHUTDOWN);
    close_scene(&s);
}

/* A loop that takes its events until TIMEOUT would turn for ever if the two disagreed. */
static void it_is_ready_for_events_only_if_next_event_returns(void **state) {
    (void)state;
    struct scene s;
    shmipc_event event;
    open_scene(&s, false);
    store_release32(&s.loop->region.shared->peers[HOST].status, PEER_LEAVING);
    shmi_membership_announce(s.other);
    assert_int_equal(shmipc_arm(s.loop, SHMIPC_ARM_EVENTS, NULL, 0), 0);
    assert_int_equal(shmipc_next_event(s.loop, 0, &event), SHMIPC_E_TIMEOUT);
    assert_int_equal(shmipc_shutdown(s.other, 0), SHMIPC_OK);
    await_readiness(&s, SHMIPC_ARM_EVENTS);
    assert_int_equal(shmipc_next_event(s.loop, 0, &event), SHMIPC_OK);
    assert_int_equal(event.kind, SHMIPC_EVENT_LEFT);
    assert_int_equal(shmipc_arm(s.loop, SHMIPC_ARM_EVENTS, NULL, 0), 1);
    assert_int_equal(shmipc_next_event(s.loop, 0, &event), SHMIPC_E_NO_PEER);
    close_scene(&s);
}

static void a_corrupt_region_is_an_event(void **state) {
    (void)state;
    for (int host_loops = 0; host_loops < 2; host_loops++) {
        struct scene s;
        shmipc_event event;
        open_scene(&s, host_loops);
        assert_int_equal(shmipc_arm(s.loop, SHMIPC_ARM_EVENTS, NULL, 0), 0);
        (void)shmi_peer_mark_corrupt(s.loop, "a trial");
        await_readiness(&s, SHMIPC_ARM_EVENTS);
        assert_int_equal(shmipc_next_event(s.loop, 0, &event), SHMIPC_E_CORRUPT);
        close_scene(&s);
    }
}

/* It is looked for deaths, by ticks, though nobody notifies. */
static void it_becomes_readable_for_every_tick(void **state) {
    (void)state;
    struct scene s;
    open_scene(&s, true);
    uint64_t begin = now_ns();
    for (int i = 0; i < 3; i++) {
        assert_int_equal(shmipc_arm(s.loop, SHMIPC_ARM_REQUESTS, NULL, 0), 0);
        assert_true(is_readable(s.fd, 10 * SECOND));
    }
    assert_true(now_ns() - begin >= 150 * (uint64_t)MILLISECOND);
    close_scene(&s);
}

static void what_cannot_be_armed_is_refused(void **state) {
    (void)state;
    struct scene s;
    shmipc_peer *caller;
    shmipc_guest_config config = test_guest_config();
    shmipc_fd fd;
    config.flags = SHMIPC_CALLS_ONLY;
    open_scene(&s, true);
    assert_int_equal(shmipc_get_fd(NULL, &fd), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_get_fd(s.loop, NULL), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_arm(s.other, 0, NULL, 0), SHMIPC_E_STATE);
    assert_int_equal(shmipc_arm(NULL, 0, NULL, 0), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_arm(s.loop, 4, NULL, 0), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_arm(s.loop, 0, NULL, 1), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_arm(s.loop, 0, s.slots, SHMIPC_SLOTS_MAX + 1), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_get_fd(s.other, &fd), SHMIPC_OK);
    assert_int_equal(shmipc_arm(s.other, 0, s.slots, SLOTS), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_disarm(NULL), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_guest_attach(s.pair.name.text, &config, 0, &caller), SHMIPC_OK);
    assert_int_equal(shmipc_get_fd(caller, &fd), SHMIPC_OK);
    assert_int_equal(shmipc_arm(caller, SHMIPC_ARM_REQUESTS, NULL, 0), SHMIPC_E_INVALID);
    shmipc_free(caller);
    close_scene(&s);
}

static void the_descriptor_stays_the_same(void **state) {
    (void)state;
    struct scene s;
    shmipc_fd again;
    open_scene(&s, true);
    assert_int_equal(shmipc_get_fd(s.loop, &again), SHMIPC_OK);
    assert_true(again == s.fd);
    close_scene(&s);
}

static void arming_changes_no_last_error(void **state) {
    (void)state;
    struct scene s;
    char before[512];
    open_scene(&s, false);
    assert_int_equal(shmipc_shutdown(s.pair.host, SHMIPC_FOREVER), SHMIPC_OK);
    assert_int_equal(shmipc_slot_cancel((shmipc_slot){.peer = NULL}), SHMIPC_E_STALE);
    (void)snprintf(before, sizeof before, "%s", shmipc_last_error());
    assert_int_equal(shmipc_arm(s.loop, SHMIPC_ARM_REQUESTS, NULL, 0), 1);
    assert_string_equal(shmipc_last_error(), before);
    close_scene(&s);
}

static void nothing_is_left_of_a_descriptor(void **state) {
    (void)state;
    struct scene s;
    int before = count_descriptors();
    for (int i = 0; i < 10; i++) {
        open_scene(&s, i % 2);
        close_scene(&s);
    }
    assert_int_equal(count_descriptors(), before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(an_answer_makes_it_readable),
        watched_test(a_request_makes_it_readable),
        watched_test(a_guest_that_comes_and_goes_makes_it_readable),
        watched_test(what_is_there_already_is_not_waited_for),
        watched_test(it_stays_readable_until_nothing_is_there),
        watched_test(nobody_pays_for_a_loop_that_is_busy_or_disarmed),
        watched_test(a_loop_that_takes_no_requests_leaves_them_to_a_worker),
        watched_test(closing_makes_it_readable),
        watched_test(a_host_that_leaves_makes_it_readable),
        watched_test(it_is_ready_for_events_only_if_next_event_returns),
        watched_test(a_corrupt_region_is_an_event),
        watched_test(it_becomes_readable_for_every_tick),
        watched_test(what_cannot_be_armed_is_refused),
        watched_test(the_descriptor_stays_the_same),
        watched_test(arming_changes_no_last_error),
        watched_test(nothing_is_left_of_a_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
