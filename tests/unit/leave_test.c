/*
 * Leaving: at once under running calls, and in order.
 */
#include "support/fixture.h"

#include "peer/peer.h"
#include "region/slot.h"
#include "serve/responder.h"

static const shmipc_request nothing = {.data = NULL};

struct inside {
    shmipc_peer *peer;
    int (*what)(shmipc_peer *peer);
    int result;
};

static void *run(void *context) {
    struct inside *inside = context;
    inside->result = inside->what(inside->peer);
    return NULL;
}

static int call(shmipc_peer *peer) {
    return shmipc_call(peer, &nothing, NULL, SHMIPC_FOREVER);
}

static int serve(shmipc_peer *peer) {
    return shmipc_serve(peer, echo_handler, NULL);
}

static int wait_for_request(shmipc_peer *peer) {
    return shmipc_wait(peer, SHMIPC_FOREVER);
}

static int wait_for_event(shmipc_peer *peer) {
    shmipc_event event;
    int error;
    do {
        error = shmipc_next_event(peer, SHMIPC_FOREVER, &event);
    } while (error == SHMIPC_OK);
    return error;
}

static int ping(shmipc_peer *peer) {
    return shmipc_ping(peer, SHMIPC_FOREVER, NULL);
}

/* Callers outnumber the slots: some sleep on their request, the others for a slot. */
static int (*const activities[])(shmipc_peer *) = {
    call, serve, wait_for_request, wait_for_event, ping, call, call, call};

enum { ACTIVITIES = sizeof activities / sizeof *activities };

static void everybody_inside_is_told_that_it_was_closed(void **state) {
    (void)state;
    for (int host = 0; host < 2; host++) {
        for (int round = 0; round < 40; round++) {
            struct pair p;
            struct inside inside[ACTIVITIES];
            pthread_t threads[ACTIVITIES];
            pair_open(&p, NULL);
            shmipc_peer *peer = host ? p.host : p.guest;
            for (int i = 0; i < ACTIVITIES; i++) {
                inside[i] = (struct inside){.peer = peer, .what = activities[i]};
                threads[i] = thread_start(run, &inside[i]);
            }
            for (int i = 0; i < round % 8; i++)
                pause_briefly();
            uint64_t begin = now_ns();
            shmipc_close(peer);
            assert_true(now_ns() - begin < 10 * SECOND);
            for (int i = 0; i < ACTIVITIES; i++) {
                thread_join(threads[i]);
                assert_int_equal(inside[i].result, SHMIPC_E_CLOSED);
            }
            pair_close(&p);
        }
    }
}

static void a_call_that_had_started_is_told_so(void **state) {
    (void)state;
    for (int host = 0; host < 2; host++) {
        struct pair p;
        struct server server;
        struct gated gated = {{0}, {0}};
        struct call_thread caller;
        pair_open(&p, NULL);
        server_start(&server, host ? p.guest : p.host, gated_handler, &gated);
        call_start(&caller, host ? p.host : p.guest, SHMIPC_FOREVER);
        gate_await(&gated.entered, 1);
        shmipc_close(caller.peer);
        assert_int_equal(call_join(&caller), SHMIPC_E_CLOSED_STARTED);
        gate_pass(&gated.leave);
        (void)server_stop(&server);
        pair_close(&p);
    }
}

static void *close_peer(void *context) {
    (void)shmipc_close(context);
    return NULL;
}

static void closing_waits_for_a_handler_that_runs(void **state) {
    (void)state;
    struct pair p;
    struct server server;
    struct gated gated = {{0}, {0}};
    struct call_thread caller;
    pair_open(&p, NULL);
    server_start(&server, p.guest, gated_handler, &gated);
    call_start(&caller, p.host, SHMIPC_FOREVER);
    gate_await(&gated.entered, 1);
    pthread_t closing = thread_start(close_peer, p.guest);
    eventually(load_seq_cst32(&p.guest->life.phase) == PEER_CLOSED);
    for (int i = 0; i < 20; i++)
        pause_briefly();
    assert_non_null(p.guest->region.shared);
    gate_pass(&gated.leave);
    thread_join(closing);
    assert_int_equal(server_join(&server), SHMIPC_E_CLOSED);
    assert_int_equal(call_join(&caller), SHMIPC_OK);
    pair_close(&p);
}

static void a_closed_peer_refuses_everything(void **state) {
    (void)state;
    const shmipc_request addressed = {.to = UINT64_C(1) << 32 | 1};
    struct pair p;
    shmipc_slot slot;
    shmipc_fd fd;
    uint64_t address;
    shmipc_info info;
    shmipc_stats stats;
    shmipc_event event;
    pair_open(&p, NULL);
    shmipc_peer *peers[] = {p.guest, p.host};
    for (int i = 0; i < 2; i++) {
        shmipc_peer *peer = peers[i];
        shmipc_close(peer);
        shmipc_close(peer);
        assert_int_equal(shmipc_call(peer, &nothing, NULL, 0), SHMIPC_E_CLOSED);
        assert_int_equal(shmipc_call(peer, &nothing, NULL, SHMIPC_FOREVER), SHMIPC_E_CLOSED);
        assert_int_equal(shmipc_call(peer, &addressed, NULL, 0), SHMIPC_E_CLOSED);
        assert_int_equal(shmipc_ping(peer, 0, NULL), SHMIPC_E_CLOSED);
        assert_int_equal(shmipc_slot_claim(peer, SHMIPC_FOREVER, &slot), SHMIPC_E_CLOSED);
        assert_int_equal(shmipc_serve(peer, echo_handler, NULL), SHMIPC_E_CLOSED);
        assert_int_equal(shmipc_poll(peer, echo_handler, NULL), SHMIPC_E_CLOSED);
        assert_int_equal(shmipc_wait(peer, SHMIPC_FOREVER), SHMIPC_E_CLOSED);
        assert_int_equal(shmipc_wake(peer), SHMIPC_E_CLOSED);
        assert_int_equal(shmipc_shutdown(peer, 0), SHMIPC_E_CLOSED);
        assert_int_equal(shmipc_get_info(peer, &info), SHMIPC_E_CLOSED);
        assert_int_equal(shmipc_get_stats(peer, &stats), SHMIPC_E_CLOSED);
        assert_int_equal(shmipc_get_slot_stats(peer, 0, &stats), SHMIPC_E_CLOSED);
        assert_int_equal(shmipc_next_event(peer, 0, &event), SHMIPC_E_CLOSED);
        assert_int_equal(shmipc_find_guest(peer, 0, &address), SHMIPC_E_CLOSED);
        assert_int_equal(shmipc_get_fd(peer, &fd), SHMIPC_E_CLOSED);
        assert_int_equal(shmipc_disarm(peer), SHMIPC_E_CLOSED);
    }
    assert_int_equal(shmipc_wait_guests(p.host, 0, 0), SHMIPC_E_CLOSED);
    pair_close(&p);
}

static void nothing_may_be_closed_and_freed(void **state) {
    (void)state;
    shmipc_close(NULL);
    shmipc_free(NULL);
    assert_int_equal(shmipc_shutdown(NULL, 0), SHMIPC_E_INVALID);
}

static void *claim_and_release(void *context) {
    shmipc_slot slot;
    must_equal(shmipc_slot_claim(context, SHMIPC_FOREVER, &slot), SHMIPC_OK);
    must_equal(shmipc_slot_release(slot), SHMIPC_OK);
    return NULL;
}

/* Released under a peer that is closing, a slot is announced all the same: another guest that waits
   for it does not have to wait for its tick. */
static void a_slot_that_comes_back_while_its_guest_closes_is_announced(void **state) {
    (void)state;
    enum { ROUNDS = 11 };
    int soon = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct pair p;
        shmipc_peer *second;
        shmipc_slot slots[2];
        pair_open(&p, NULL);
        assert_int_equal(shmipc_guest_attach(p.name.text, NULL, 0, &second), SHMIPC_OK);
        for (int n = 0; n < 2; n++)
            assert_int_equal(shmipc_slot_claim(p.guest, 0, &slots[n]), SHMIPC_OK);
        pthread_t claiming = thread_start(claim_and_release, second);
        eventually(load_seq_cst32(&second->calls.vacancies.shared->sleepers) != 0);
        pthread_t closing = thread_start(close_peer, p.guest);
        eventually(load_seq_cst32(&p.guest->life.phase) == PEER_CLOSED);
        for (int n = 0; n < 20; n++)
            pause_briefly();
        uint64_t begin = now_ns();
        for (int n = 0; n < 2; n++)
            assert_int_equal(shmipc_slot_release(slots[n]), SHMIPC_OK);
        thread_join(claiming);
        soon += now_ns() - begin < TICK_NS / 2;
        thread_join(closing);
        shmipc_free(second);
        pair_close(&p);
    }
    assert_true(soon > ROUNDS / 2);
}

/* ---- In order ---- */

static void shutdown_waits_for_calls_under_way(void **state) {
    (void)state;
    for (int host = 0; host < 2; host++) {
        struct pair p;
        struct server server;
        struct gated gated = {{0}, {0}};
        struct call_thread caller;
        pair_open(&p, NULL);
        shmipc_peer *peer = host ? p.host : p.guest;
        server_start(&server, host ? p.guest : p.host, gated_handler, &gated);
        call_start(&caller, peer, SHMIPC_FOREVER);
        gate_await(&gated.entered, 1);
        gate_pass(&gated.leave);
        assert_int_equal(shmipc_shutdown(peer, 20 * SECOND), SHMIPC_OK);
        assert_int_equal(call_join(&caller), SHMIPC_OK);
        assert_int_equal(shmipc_call(peer, &nothing, NULL, 0), SHMIPC_E_CLOSED);
        (void)server_stop(&server);
        pair_close(&p);
    }
}

static void a_shutdown_cuts_short_calls_that_take_too_long(void **state) {
    (void)state;
    struct pair p;
    struct server server;
    struct gated gated = {{0}, {0}};
    struct call_thread caller;
    pair_open(&p, NULL);
    server_start(&server, p.host, gated_handler, &gated);
    call_start(&caller, p.guest, SHMIPC_FOREVER);
    gate_await(&gated.entered, 1);
    assert_int_equal(shmipc_shutdown(p.guest, 10 * MILLISECOND), SHMIPC_E_TIMEOUT);
    assert_int_equal(call_join(&caller), SHMIPC_E_CLOSED_STARTED);
    gate_pass(&gated.leave);
    (void)server_stop(&server);
    pair_close(&p);
}

static int shut_down(shmipc_peer *peer) {
    return shmipc_shutdown(peer, 20 * SECOND);
}

/* On every system; unit/detach has what else holds where a peer can be cut off. */
static void a_shutdown_keeps_its_deadline_while_a_slot_is_held(void **state) {
    (void)state;
    for (int host = 0; host < 2; host++) {
        struct pair pair;
        shmipc_slot slot;
        pair_open(&pair, NULL);
        shmipc_peer *leaver = host ? pair.host : pair.guest;
        assert_int_equal(shmipc_slot_claim(leaver, 0, &slot), SHMIPC_OK);
        uint64_t begin = now_ns();
        assert_int_equal(shmipc_shutdown(leaver, 20 * MILLISECOND), SHMIPC_E_TIMEOUT);
        assert_true(now_ns() - begin < 10 * SECOND);
        assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
        pair_close(&pair);
    }
}

static void a_draining_peer_refuses_new_calls(void **state) {
    (void)state;
    for (int host = 0; host < 2; host++) {
        struct pair p;
        shmipc_slot slot;
        shmipc_slot other;
        pair_open(&p, NULL);
        struct inside leaving = {.peer = host ? p.host : p.guest, .what = shut_down};
        assert_int_equal(shmipc_slot_claim(leaving.peer, 0, &slot), SHMIPC_OK);
        pthread_t thread = thread_start(run, &leaving);
        eventually(load_seq_cst32(&leaving.peer->life.phase) == PEER_DRAINING);
        assert_int_equal(shmipc_call(leaving.peer, &nothing, NULL, 0), SHMIPC_E_SHUTDOWN);
        assert_int_equal(shmipc_slot_claim(leaving.peer, SHMIPC_FOREVER, &other),
                         SHMIPC_E_SHUTDOWN);
        assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_E_SHUTDOWN);
        assert_int_equal(shmipc_shutdown(leaving.peer, 0), SHMIPC_E_CLOSED);
        assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
        thread_join(thread);
        assert_int_equal(leaving.result, SHMIPC_OK);
        pair_close(&p);
    }
}

static void a_host_that_leaves_answers_requests_that_it_will_not_run(void **state) {
    (void)state;
    for (int in_order = 0; in_order < 2; in_order++) {
        struct pair p;
        struct call_thread caller;
        pair_open(&p, NULL);
        call_start(&caller, p.guest, SHMIPC_FOREVER);
        eventually(word_state(slot_look(region_slot(&p.host->region, 2))) == SLOT_REQUEST ||
                   word_state(slot_look(region_slot(&p.host->region, 3))) == SLOT_REQUEST);
        if (in_order)
            assert_int_equal(shmipc_shutdown(p.host, SECOND), SHMIPC_OK);
        else
            shmipc_close(p.host);
        assert_int_equal(call_join(&caller), SHMIPC_E_SHUTDOWN);
        pair_close(&p);
    }
}

/* A host that stops between two steps of leaving answers nothing. */
static void begin_to_leave(struct pair *p, struct call_thread *caller, enum peer_status status) {
    pair_open(p, NULL);
    call_start(caller, p->guest, SHMIPC_FOREVER);
    eventually(word_state(slot_look(region_slot(&p->host->region, 2))) == SLOT_REQUEST ||
               word_state(slot_look(region_slot(&p->host->region, 3))) == SLOT_REQUEST);
    store_release32(&peer_own_record(p->host)->status, status);
}

static void a_request_to_a_host_that_is_leaving_comes_back_and_costs_no_slot(void **state) {
    (void)state;
    struct pair p;
    struct call_thread caller;
    shmipc_slot slots[2];
    begin_to_leave(&p, &caller, PEER_LEAVING);
    assert_int_equal(call_join(&caller), SHMIPC_E_SHUTDOWN);
    store_release32(&peer_own_record(p.host)->status, PEER_ATTACHED);
    for (int i = 0; i < 2; i++)
        assert_int_equal(shmipc_slot_claim(p.guest, SECOND, &slots[i]), SHMIPC_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(shmipc_slot_release(slots[i]), SHMIPC_OK);
    pair_close(&p);
}

static void a_request_to_a_host_that_has_just_left_is_told_so(void **state) {
    (void)state;
    struct pair p;
    struct call_thread caller;
    begin_to_leave(&p, &caller, PEER_VACANT);
    assert_int_equal(shmi_object_unpublish(p.host->region.object), SHMIPC_OK);
    assert_int_equal(call_join(&caller), SHMIPC_E_SHUTDOWN);
    pair_close(&p);
}

/* Whether the host answers so, or the guest sees it leave: of a slot of such a region nobody has
   any use. */
static void an_answer_that_says_shutdown_releases_the_slot(void **state) {
    (void)state;
    struct pair p;
    shmipc_slot slot;
    shmipc_response response;
    pair_open(&p, NULL);
    assert_int_equal(shmipc_slot_claim(p.guest, 0, &slot), SHMIPC_OK);
    assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    shmi_responder_refuse_all(p.host, &p.host->region);
    assert_int_equal(shmipc_slot_receive(slot, SECOND, &response), SHMIPC_E_SHUTDOWN);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_E_STALE);
    assert_true(shmi_peer_is_quiet(p.guest, 0));
    pair_close(&p);
}

static void guests_are_refused_and_told_when_their_host_leaves(void **state) {
    (void)state;
    struct pair p;
    struct server server;
    pair_open(&p, NULL);
    server_start(&server, p.guest, echo_handler, NULL);
    assert_int_equal(shmipc_shutdown(p.host, SECOND), SHMIPC_OK);
    assert_int_equal(server_join(&server), SHMIPC_E_SHUTDOWN);
    int refused = shmipc_call(p.guest, &nothing, NULL, 0);
    assert_true(refused == SHMIPC_E_SHUTDOWN || refused == SHMIPC_E_NO_PEER);
    pair_close(&p);
}

/* A worker may sleep until it is notified, if the system tells it when the host's process ends. */
static void a_host_that_closes_notifies_its_guests_workers(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, NULL);
    const struct local_eventcount *requests = &pair.guest->serves.requests;
    uint32_t before = shmi_eventcount_generation(requests);
    shmipc_close(pair.host);
    assert_int_not_equal(shmi_eventcount_generation(requests), before);
    pair_close(&pair);
}

static void leaving_clears_the_peers_traces(void **state) {
    (void)state;
    struct pair p;
    pair_open(&p, NULL);
    struct region_layout *shared = p.host->region.shared;
    for (int i = 0; i < EVENTCOUNTS; i++)
        or_seq_cst32(&shared->eventcounts[i].eventcount.sleepers, 0xffff);
    uint32_t members =
        load_relaxed32(&shared->eventcounts[EVENTCOUNT_MEMBERS].eventcount.generation);
    shmipc_close(p.guest);
    for (int i = 0; i < EVENTCOUNTS; i++)
        assert_int_equal(load_relaxed32(&shared->eventcounts[i].eventcount.sleepers), 0xfffd);
    assert_int_equal(load_relaxed32(&shared->peers[1].left), 1);
    assert_int_equal(load_relaxed32(&shared->peers[1].status), PEER_VACANT);
    assert_true(load_relaxed32(&shared->eventcounts[EVENTCOUNT_MEMBERS].eventcount.generation) !=
                members);
    pair_close(&p);
}

static void an_idle_peer_shuts_down_at_once(void **state) {
    (void)state;
    enum { ROUNDS = 11 };
    int soon = 0;
    for (int i = 0; i < ROUNDS; i++) {
        struct pair p;
        struct server server;
        pair_open(&p, NULL);
        server_start(&server, p.guest, echo_handler, NULL);
        eventually(load_seq_cst32(&p.guest->serves.requests.shared->sleepers) != 0);
        uint64_t begin = now_ns();
        assert_int_equal(shmipc_shutdown(p.guest, 20 * SECOND), SHMIPC_OK);
        soon += now_ns() - begin < TICK_NS / 2;
        assert_int_equal(server_join(&server), SHMIPC_E_SHUTDOWN);
        pair_close(&p);
    }
    assert_true(soon > ROUNDS / 2);
}

static void coming_and_going_leaks_nothing(void **state) {
    (void)state;
    struct pair p;
    pair_open(&p, NULL); /* what the first one leaves behind is kept for the next */
    pair_close(&p);
    int descriptors_before = count_descriptors();
    int mappings_before = count_mappings();
    pair_open(&p, NULL);
    int descriptors = count_descriptors();
    int mappings = count_mappings();
    assert_true(descriptors > descriptors_before);
    for (int i = 0; i < 200; i++) {
        shmipc_peer *guest;
        assert_int_equal(shmipc_guest_attach(p.name.text, NULL, 0, &guest), SHMIPC_OK);
        shmipc_free(guest);
    }
    assert_int_equal(count_descriptors(), descriptors);
    assert_int_equal(count_mappings(), mappings);
    pair_close(&p);
    for (int i = 0; i < 200; i++) {
        pair_open(&p, NULL);
        pair_close(&p);
    }
    assert_int_equal(count_descriptors(), descriptors_before);
    assert_int_equal(count_mappings(), mappings_before);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(everybody_inside_is_told_that_it_was_closed),
        watched_test(a_call_that_had_started_is_told_so),
        watched_test(closing_waits_for_a_handler_that_runs),
        watched_test(a_slot_that_comes_back_while_its_guest_closes_is_announced),
        watched_test(a_closed_peer_refuses_everything),
        watched_test(nothing_may_be_closed_and_freed),
        watched_test(shutdown_waits_for_calls_under_way),
        watched_test(a_shutdown_cuts_short_calls_that_take_too_long),
        watched_test(a_shutdown_keeps_its_deadline_while_a_slot_is_held),
        watched_test(a_draining_peer_refuses_new_calls),
        watched_test(a_host_that_leaves_answers_requests_that_it_will_not_run),
        watched_test(a_request_to_a_host_that_is_leaving_comes_back_and_costs_no_slot),
        watched_test(a_request_to_a_host_that_has_just_left_is_told_so),
        watched_test(an_answer_that_says_shutdown_releases_the_slot),
        watched_test(guests_are_refused_and_told_when_their_host_leaves),
        watched_test(a_host_that_closes_notifies_its_guests_workers),
        watched_test(leaving_clears_the_peers_traces),
        watched_test(an_idle_peer_shuts_down_at_once),
        watched_test(coming_and_going_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
