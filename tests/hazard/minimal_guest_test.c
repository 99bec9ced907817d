/*
 * docs/examples/minimal_guest, a guest that shares only the protocol with the library, with real
 * hosts: messages, coming and going.
 */
#define _GNU_SOURCE
#include "hazard/guest_program.h"
#include "hazard/peers.h"
#include "support/processes.h"

#include "region/slot.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* See minimal_guest.c. */
enum { TYPE_REFUSED = 200 };

static void stop_guest(struct process guest) {
    must_equal(kill((pid_t)guest.pid, SIGTERM), 0);
    must_equal(end_of(guest), STATUS_STOPPED);
}

/* ---- Messages ---- */

/* A request that ends where the buffer ends. */
static void echo_at_end(shmipc_peer *host, size_t length) {
    shmipc_slot slot;
    shmipc_response response;
    size_t capacity = 0;
    must_equal(shmipc_slot_claim(host, patience(), &slot), SHMIPC_OK);
    uint8_t *buffer = shmipc_slot_buffer(slot, &capacity);
    pattern_fill(buffer + capacity - length, length, length);
    must_equal(shmipc_slot_send(slot, 0, length, SHMIPC_ALIGN_END), SHMIPC_OK);
    must_equal(shmipc_slot_receive(slot, patience(), &response), SHMIPC_OK);
    must_equal(response.length, length);
    must(pattern_holds(response.data, length, length));
    must_equal(shmipc_slot_release(slot), SHMIPC_OK);
}

static void echo_every_length(shmipc_peer *host, size_t most) {
    static const uint32_t types[] = {SHMIPC_TYPE_NORMAL, SHMIPC_TYPE_FLATBUFFER,
                                     SHMIPC_TYPE_GUEST_CALL, SHMIPC_TYPE_APPLICATION, UINT32_MAX};
    static const size_t lengths[] = {0,   1,   2,   7,   15,  16,  17,  31,  32,  33,
                                     47,  48,  49,  63,  64,  65,  95,  96,  97,  111,
                                     112, 113, 127, 128, 129, 255, 256, 257, 448, 511};
    for (unsigned t = 0; t < sizeof types / sizeof *types; t++) {
        for (unsigned i = 0; i < sizeof lengths / sizeof *lengths && lengths[i] < most; i++)
            echo(host, types[t], lengths[i]);
        echo(host, types[t], most);
    }
    for (unsigned i = 0; i < sizeof lengths / sizeof *lengths && lengths[i] < most; i++)
        echo_at_end(host, lengths[i]);
    echo_at_end(host, most);
}

/* The guest calls its host, too, for a request of the type GUEST_CALL. */
static void minimal_guest_answers_messages_of_every_kind_and_length(void **state) {
    static const uint32_t capacities[][2] = {
        {64, 64}, {128, 128}, {CAPACITY, RESPONSE_CAPACITY}, {1 << 20, 1 << 20}};
    (void)state;
    for (unsigned i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        struct scenery s;
        open_scenery(&s, capacities[i][0], capacities[i][1]);
        struct process guest = start_guest(s.name.text, NULL);
        must_equal(shmipc_wait_guests(s.host, 1, patience()), SHMIPC_OK);
        echo_every_length(s.host, capacities[i][1]);
        must_equal(shmipc_ping(s.host, patience(), NULL), SHMIPC_OK);
        close_scenery(&s);
        must_equal(end_of(guest), STATUS_HOST_LEFT);
    }
}

static void minimal_guest_tells_errors(void **state) {
    struct scenery s;
    char text[RESPONSE_CAPACITY];
    static const char large[CAPACITY];
    shmipc_response response = {.data = text, .capacity = sizeof text};
    (void)state;
    open_scenery(&s, CAPACITY, RESPONSE_CAPACITY);
    struct process guest = start_guest(s.name.text, NULL);
    must_equal(shmipc_wait_guests(s.host, 1, patience()), SHMIPC_OK);

    must_equal(call(s.host, TYPE_REFUSED, "no such key", 11, &response), SHMIPC_E_HANDLER);
    must_equal(response.length, 11);
    must_equal(memcmp(text, "no such key", 11), 0);
    must_equal(call(s.host, TYPE_REFUSED, "", 0, &response), SHMIPC_E_HANDLER);
    must_equal(call(s.host, TYPE_REFUSED, large, sizeof large, &response), SHMIPC_E_HANDLER);
    must_equal(response.length, RESPONSE_CAPACITY); /* shortened */
    must_equal(call(s.host, 0, large, RESPONSE_CAPACITY + 1, &response), SHMIPC_E_TOO_LARGE);
    must(strstr(shmipc_last_error(), "513") != NULL && strstr(shmipc_last_error(), "512") != NULL);
    echo(s.host, 0, 5);

    stop_guest(guest);
    close_scenery(&s);
}

/* ---- Several callers, several guests ---- */

enum { CALLERS = 4, CALLS = 400 };

static void *make_calls(void *context) {
    for (unsigned i = 0; i < CALLS; i++)
        echo(context, i % 8 == 0 ? SHMIPC_TYPE_GUEST_CALL : SHMIPC_TYPE_NORMAL, draw(200));
    return NULL;
}

static void minimal_guests_share_the_requests_of_several_callers(void **state) {
    struct scenery s;
    pthread_t threads[CALLERS];
    struct process guests[2];
    (void)state;
    open_scenery(&s, CAPACITY, RESPONSE_CAPACITY);
    for (unsigned i = 0; i < 2; i++)
        guests[i] = start_guest(s.name.text, NULL);
    must_equal(shmipc_wait_guests(s.host, 2, patience()), SHMIPC_OK);
    for (unsigned i = 0; i < CALLERS; i++)
        threads[i] = thread_start(make_calls, s.host);
    for (unsigned i = 0; i < CALLERS; i++)
        thread_join(threads[i]);
    stop_guest(guests[0]); /* the other one goes on */
    echo(s.host, 0, 100);
    close_scenery(&s);
    must_equal(end_of(guests[1]), STATUS_HOST_LEFT);
}

/* ---- Coming and going ---- */

static void expect_event(shmipc_peer *host, shmipc_event_kind kind, struct process guest) {
    shmipc_event event;
    must_equal(shmipc_next_event(host, patience(), &event), SHMIPC_OK);
    must_equal(event.kind, kind);
    must_equal(event.pid, guest.pid);
}

static void minimal_guest_comes_and_leaves_in_order(void **state) {
    struct scenery s;
    (void)state;
    open_scenery(&s, CAPACITY, RESPONSE_CAPACITY);
    for (unsigned i = 0; i < 3; i++) {
        struct process guest = start_guest(s.name.text, NULL);
        expect_event(s.host, SHMIPC_EVENT_ATTACHED, guest);
        echo(s.host, 0, 60);
        stop_guest(guest);
        expect_event(s.host, SHMIPC_EVENT_LEFT, guest);
        must_equal(call(s.host, 0, "", 0, NULL), SHMIPC_E_NO_PEER);
    }
    struct process guest = start_guest(s.name.text, only_calls);
    expect_event(s.host, SHMIPC_EVENT_ATTACHED, guest);
    expect_event(s.host, SHMIPC_EVENT_LEFT, guest);
    must_equal(end_of(guest), 0);
    must_equal(atomic_load(&s.from_only_calls), 1);
    close_scenery(&s);
    guest = start_guest(s.name.text, NULL);
    must_equal(end_of(guest), STATUS_NO_REGION);
}

static unsigned guest_slots_in(const struct view *view, enum slot_state state) {
    return slots_in(view, view->shared->header.host_slots, view->shared->header.guest_slots, state);
}

/* With a request that no worker takes, then with a handler that runs. */
static void minimal_guest_gives_up_its_call_when_it_is_stopped(void **state) {
    struct gated gated = {0};
    struct server server;
    shmipc_peer *host;
    const shmipc_host_config config = test_host_config();
    const struct region_name name = new_name();
    (void)state;
    must_equal(shmipc_host_create(name.text, &config, &host), SHMIPC_OK);
    struct view view = view_open(name.text);
    struct process guest = start_guest(name.text, "unheard");
    in_time(guest_slots_in(&view, SLOT_REQUEST) == 1);
    must_equal(kill((pid_t)guest.pid, SIGTERM), 0);
    must_equal(end_of(guest), STATUS_CALL_FAILED);
    must_equal(guest_slots_in(&view, SLOT_FREE), config.guest_slots);

    server_start(&server, host, gated_handler, &gated);
    guest = start_guest(name.text, "unanswered");
    gate_await(&gated.entered, 1);
    must_equal(kill((pid_t)guest.pid, SIGTERM), 0);
    must_equal(end_of(guest), STATUS_CALL_FAILED);
    must_equal(guest_slots_in(&view, SLOT_CANCELLED), 1);
    gate_pass(&gated.leave);
    in_time(guest_slots_in(&view, SLOT_FREE) == config.guest_slots);
    must_equal(shmipc_shutdown(host, patience()), SHMIPC_OK);
    (void)server_join(&server);
    shmipc_free(host);
    must_equal(munmap(view.shared, view.size), 0);
}

/* ---- Corrupt words ---- */

static void corrupt_a_request(uint64_t request, uint32_t length) {
    struct scenery s;
    open_scenery(&s, CAPACITY, RESPONSE_CAPACITY);
    struct view view = view_open(s.name.text);
    struct process guest = start_guest(s.name.text, NULL);
    must_equal(shmipc_wait_guests(s.host, 1, patience()), SHMIPC_OK);
    struct slot *slot = slot_of(&view, 0);
    store_relaxed32(&slot->length, length);
    exchange_seq_cst64(&slot->word, request);
    must_equal(end_of(guest), STATUS_CORRUPT);
    close_scenery(&s);
    must_equal(munmap(view.shared, view.size), 0);
}

static void minimal_guest_ends_where_a_word_is_impossible(void **state) {
    (void)state;
    corrupt_a_request(SLOT_REQUEST, CAPACITY + 1);
    corrupt_a_request(SLOT_REQUEST, UINT32_MAX);
    corrupt_a_request(SLOT_REQUEST | WORD_ERROR, 0);
    corrupt_a_request(SLOT_REQUEST | WORD_RECLAIMED, 0);
    corrupt_a_request(SLOT_REQUEST | UINT64_C(0x0200000000), 0);
}

HAZARD_MAIN("minimal_guest", hazard_test(minimal_guest_answers_messages_of_every_kind_and_length),
            hazard_test(minimal_guest_tells_errors),
            hazard_test(minimal_guests_share_the_requests_of_several_callers),
            hazard_test(minimal_guest_comes_and_leaves_in_order),
            hazard_test(minimal_guest_gives_up_its_call_when_it_is_stopped),
            hazard_test(minimal_guest_ends_where_a_word_is_impossible))
