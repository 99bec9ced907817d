/*
 * Calls to one given guest: a host and its guests in this process.
 */
#include "support/fixture.h"

#include "peer/peer.h"

#include <string.h>

enum { GUESTS = 3 };
static const uint64_t services[GUESTS] = {7, UINT64_C(0x676e6f732d6f6e61), 7};

struct party {
    struct region_name name;
    int64_t spin_ns; /* of all; set before open_party */
    shmipc_peer *host;
    shmipc_peer *guests[GUESTS];
    uint64_t addresses[GUESTS];
};

static shmipc_peer *attach(const struct party *p, uint64_t service) {
    shmipc_guest_config config = test_guest_config();
    shmipc_peer *guest;
    config.service = service;
    config.spin_ns = p->spin_ns;
    must_equal(shmipc_guest_attach(p->name.text, &config, 0, &guest), SHMIPC_OK);
    return guest;
}

static void open_party(struct party *p) {
    shmipc_host_config config = test_host_config();
    shmipc_event event;
    config.spin_ns = p->spin_ns;
    p->name = new_name();
    must_equal(shmipc_host_create(p->name.text, &config, &p->host), SHMIPC_OK);
    for (int i = 0; i < GUESTS; i++) {
        p->guests[i] = attach(p, services[i]);
        must_equal(shmipc_next_event(p->host, 0, &event), SHMIPC_OK);
        must_equal(event.kind, SHMIPC_EVENT_ATTACHED);
        must(event.service == services[i]);
        p->addresses[i] = event.address;
    }
}

static void close_party(struct party *p) {
    for (int i = 0; i < GUESTS; i++)
        shmipc_free(p->guests[i]);
    shmipc_free(p->host);
}

/* Answers with the number that the context points to. */
static int tell_number(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)request;
    memcpy(response->data, context, sizeof(int));
    response->length = sizeof(int);
    return 0;
}

// NOLINTNEXTLINE(readability-non-const-parameter): the answer is written there
static int call(const struct party *p, uint64_t to, int *answerer, int64_t timeout) {
    const shmipc_request request = {.to = to};
    shmipc_response response = {.data = answerer, .capacity = sizeof *answerer};
    return shmipc_call(p->host, &request, &response, timeout);
}

static shmipc_slot send_to_second(const struct party *p) {
    shmipc_slot slot = must_claim(p->host, 0);
    must_equal(shmipc_slot_send_to(slot, p->addresses[1], 200, 0, 0), SHMIPC_OK);
    return slot;
}

/* All guests sleep, or all poll, or one of them does: in every case the addressee answers. */
static void the_addressee_answers_and_nobody_else(void **state) {
    (void)state;
    for (int64_t spin_ns = 0; spin_ns <= 100000; spin_ns += 100000) {
        struct party p = {.spin_ns = spin_ns};
        struct server servers[GUESTS];
        int numbers[GUESTS] = {0, 1, 2};
        open_party(&p);
        for (int i = 0; i < GUESTS; i++)
            server_start(&servers[i], p.guests[i], tell_number, &numbers[i]);
        for (int n = 0; n < 2000; n++) {
            int answerer = -1;
            must_equal(call(&p, p.addresses[n % GUESTS], &answerer, 10 * SECOND), SHMIPC_OK);
            must_equal(answerer, n % GUESTS);
            must_equal(call(&p, 0, &answerer, 10 * SECOND), SHMIPC_OK);
        }
        for (int i = 0; i < GUESTS; i++)
            assert_int_equal(server_stop(&servers[i]), SHMIPC_E_WOKEN);
        close_party(&p);
    }
}

static void others_do_not_see_the_request(void **state) {
    (void)state;
    struct party p = {.spin_ns = 0};
    int number = 1;
    open_party(&p);
    shmipc_slot slot = send_to_second(&p);
    assert_int_equal(shmipc_poll(p.guests[0], tell_number, &number), 0);
    assert_int_equal(shmipc_wait(p.guests[2], 0), SHMIPC_E_TIMEOUT);
    assert_int_equal(shmipc_slot_ready(slot), 0);
    assert_int_equal(shmipc_wait(p.guests[1], 0), SHMIPC_OK);
    assert_int_equal(shmipc_poll(p.guests[1], tell_number, &number), 1);
    assert_int_equal(shmipc_slot_ready(slot), 1);
    must_release(slot);
    close_party(&p);
}

/* Even if another guest polls. */
static void the_addressee_is_notified_unless_it_polls_itself(void **state) {
    (void)state;
    struct party p = {.spin_ns = 0};
    open_party(&p);
    struct eventcount *requests = p.host->calls.requests.shared;
    const uint32_t sleepers = 1u << p.guests[0]->index | 1u << p.guests[1]->index;
    shmipc_slot slots[2] = {must_claim(p.host, 0), must_claim(p.host, 0)};
    or_seq_cst32(&requests->sleepers, sleepers | 1u << (POLLERS_SHIFT + p.guests[0]->index));
    const uint32_t before = load_seq_cst32(&requests->generation);
    assert_int_equal(shmipc_slot_send_to(slots[0], p.addresses[0], 200, 0, 0), SHMIPC_OK);
    assert_int_equal(load_seq_cst32(&requests->generation), before);
    assert_int_equal(shmipc_slot_send_to(slots[1], p.addresses[1], 200, 0, 0), SHMIPC_OK);
    assert_int_equal(load_seq_cst32(&requests->generation), before + 1);
    and_seq_cst32(&requests->sleepers, 0);
    must_release(slots[0]);
    must_release(slots[1]);
    close_party(&p);
}

/* The word has 12 bits of the epoch: the same after 4095 attaches. */
static void an_address_has_the_whole_epoch(void **state) {
    (void)state;
    struct party p = {.spin_ns = 0};
    struct server server;
    int answerer;
    int number = 1;
    open_party(&p);
    server_start(&server, p.guests[1], tell_number, &number);
    const uint64_t later = p.addresses[1] + (UINT64_C(4095) << 32);
    assert_int_equal(call(&p, later, &answerer, SECOND), SHMIPC_E_NO_PEER);
    assert_int_equal(call(&p, p.addresses[1], &answerer, 10 * SECOND), SHMIPC_OK);
    assert_int_equal(server_stop(&server), SHMIPC_E_WOKEN);
    close_party(&p);
}

static void a_guest_that_has_left_is_not_called(void **state) {
    (void)state;
    struct party p = {.spin_ns = 0};
    int answerer;
    open_party(&p);
    shmipc_slot slot = send_to_second(&p);
    shmipc_response response;
    shmipc_free(p.guests[1]);
    assert_int_equal(call(&p, p.addresses[1], &answerer, SECOND), SHMIPC_E_NO_PEER);
    uint64_t begin = now_ns();
    assert_int_equal(shmipc_slot_receive(slot, 10 * SECOND, &response), SHMIPC_E_NO_PEER);
    assert_true(now_ns() - begin < 5 * (uint64_t)SECOND);
    p.guests[1] = NULL;
    close_party(&p);
}

/* It has the same index, and another epoch. */
static void the_next_guest_of_the_index_is_another(void **state) {
    (void)state;
    struct party p = {.spin_ns = 0};
    int number = 1;
    open_party(&p);
    shmipc_slot slot = send_to_second(&p);
    shmipc_free(p.guests[1]);
    p.guests[1] = attach(&p, services[1]);
    assert_int_equal(p.guests[1]->index, (uint32_t)p.addresses[1]);
    assert_int_equal(shmipc_poll(p.guests[1], tell_number, &number), 0);
    assert_int_equal(call(&p, p.addresses[1], &number, SECOND), SHMIPC_E_NO_PEER);
    must_release(slot);
    close_party(&p);
}

static void a_service_is_found_while_its_guest_is_there(void **state) {
    (void)state;
    struct party p = {.spin_ns = 0};
    uint64_t address;
    open_party(&p);
    assert_int_equal(shmipc_find_guest(p.host, 7, &address), SHMIPC_OK);
    assert_true(address == p.addresses[0]);
    assert_int_equal(shmipc_find_guest(p.host, services[1], &address), SHMIPC_OK);
    assert_true(address == p.addresses[1]);
    assert_int_equal(shmipc_find_guest(p.host, 8, &address), SHMIPC_E_NO_PEER);
    shmipc_free(p.guests[0]);
    p.guests[0] = NULL;
    assert_int_equal(shmipc_find_guest(p.host, 7, &address), SHMIPC_OK);
    assert_true(address == p.addresses[2]);
    assert_int_equal(shmipc_find_guest(p.guests[2], 7, &address), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_find_guest(p.host, 7, NULL), SHMIPC_E_INVALID);
    close_party(&p);
}

static void what_is_no_address_is_refused(void **state) {
    (void)state;
    struct party p = {.spin_ns = 0};
    const shmipc_request request = {.to = 1};
    int answerer;
    open_party(&p);
    const uint64_t wrong[] = {1, UINT64_C(1) << 32, UINT64_C(1) << 32 | 16, UINT64_MAX};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(call(&p, wrong[i], &answerer, 0), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_call(p.guests[0], &request, NULL, 0), SHMIPC_E_INVALID);
    close_party(&p);
}

/* NO_PEER ends the claim, as it does where the guest goes later; INVALID does not. */
static void a_call_in_a_held_slot_gives_it_back_unless_the_address_is_none(void **state) {
    (void)state;
    struct party p = {.spin_ns = 0};
    const shmipc_request wrong = {.to = 1};
    open_party(&p);
    const shmipc_request gone = {.to = p.addresses[1]};
    shmipc_slot slot = must_claim(p.host, 0);
    shmipc_free(p.guests[1]);
    p.guests[1] = NULL;
    assert_int_equal(shmipc_slot_call(slot, &wrong, NULL, 0), SHMIPC_E_INVALID);
    assert_non_null(shmipc_slot_buffer(slot, NULL));
    assert_int_equal(shmipc_slot_call(slot, &gone, NULL, 0), SHMIPC_E_NO_PEER);
    assert_null(shmipc_slot_buffer(slot, NULL));
    for (int i = 0; i < 2; i++)
        assert_int_equal(shmipc_call(p.host, &gone, NULL, 0), SHMIPC_E_NO_PEER);
    const shmipc_slot all[] = {must_claim(p.host, 0), must_claim(p.host, 0)};
    must_release(all[0]);
    must_release(all[1]);
    close_party(&p);
}

/* ---- A host that closes ---- */

static void a_host_that_has_left_refuses_the_call(void **state) {
    (void)state;
    for (int in_order = 0; in_order < 2; in_order++) {
        struct party p = {.spin_ns = 0};
        int answerer;
        open_party(&p);
        shmipc_slot held = must_claim(p.host, 0);
        assert_int_equal(in_order ? shmipc_shutdown(p.host, 0) : shmipc_close(p.host),
                         in_order ? SHMIPC_E_TIMEOUT : SHMIPC_OK);
        assert_int_equal(call(&p, p.addresses[1], &answerer, 0), SHMIPC_E_CLOSED);
        const shmipc_request request = {.to = p.addresses[1]};
        assert_int_equal(shmipc_slot_call(held, &request, NULL, 0), SHMIPC_E_CLOSED);
        close_party(&p);
        open_party(&p);
        assert_int_equal(in_order ? shmipc_shutdown(p.host, 0) : shmipc_close(p.host), SHMIPC_OK);
        assert_int_equal(call(&p, p.addresses[1], &answerer, 0), SHMIPC_E_CLOSED);
        close_party(&p);
    }
}

struct race {
    struct party party;
    struct gate called;
    atomic_bool closed;
};

/* Nobody serves: a call that is sent times out, unless its host or its guest is gone by then. */
static void *call_until_closed(void *context) {
    struct race *r = context;
    bool closed = false;
    int answerer;
    int error;
    do {
        closed = atomic_load(&r->closed);
        error = call(&r->party, r->party.addresses[1], &answerer, 0);
        must(error == SHMIPC_E_TIMEOUT || error == SHMIPC_E_CLOSED);
        gate_pass(&r->called);
    } while (!closed);
    must_equal(error, SHMIPC_E_CLOSED);
    return NULL;
}

static void calls_end_while_another_thread_closes(void **state) {
    (void)state;
    enum { ROUNDS = 200, CALLERS = 2 };
    for (int i = 0; i < ROUNDS; i++) {
        struct race r = {.party = {.spin_ns = 0}};
        pthread_t callers[CALLERS];
        open_party(&r.party);
        for (int n = 0; n < CALLERS; n++)
            callers[n] = thread_start(call_until_closed, &r);
        gate_await(&r.called, 2 * CALLERS);
        assert_int_equal(shmipc_close(r.party.host), SHMIPC_OK);
        atomic_store(&r.closed, true);
        for (int n = 0; n < CALLERS; n++)
            thread_join(callers[n]);
        close_party(&r.party);
    }
}

static void the_event_of_a_guest_that_left_names_it(void **state) {
    (void)state;
    struct party p = {.spin_ns = 0};
    shmipc_event event;
    open_party(&p);
    shmipc_free(p.guests[1]);
    p.guests[1] = attach(&p, 99);
    assert_int_equal(shmipc_next_event(p.host, 0, &event), SHMIPC_OK);
    assert_int_equal(event.kind, SHMIPC_EVENT_LEFT);
    assert_true(event.address == p.addresses[1]);
    assert_true(event.service == services[1]);
    assert_int_equal(shmipc_next_event(p.host, 0, &event), SHMIPC_OK);
    assert_int_equal(event.kind, SHMIPC_EVENT_ATTACHED);
    assert_true(event.address != p.addresses[1]);
    assert_true(event.service == 99);
    close_party(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(the_addressee_answers_and_nobody_else),
        watched_test(others_do_not_see_the_request),
        watched_test(the_addressee_is_notified_unless_it_polls_itself),
        watched_test(an_address_has_the_whole_epoch),
        watched_test(a_guest_that_has_left_is_not_called),
        watched_test(the_next_guest_of_the_index_is_another),
        watched_test(a_service_is_found_while_its_guest_is_there),
        watched_test(what_is_no_address_is_refused),
        watched_test(a_call_in_a_held_slot_gives_it_back_unless_the_address_is_none),
        watched_test(the_event_of_a_guest_that_left_names_it),
        watched_test(a_host_that_has_left_refuses_the_call),
        watched_test(calls_end_while_another_thread_closes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
