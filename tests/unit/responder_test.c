/*
 * The serving side of the public interface, with a host and a guest in this process.
 */
#include "support/fixture.h"

#include "peer/peer.h"
#include "region/slot.h"
#include "wire/types.h"

#include <stdio.h>
#include <string.h>

static const shmipc_request nothing = {.data = NULL};

static shmipc_slot send_empty(shmipc_peer *peer) {
    shmipc_slot slot;
    must_equal(shmipc_slot_claim(peer, SHMIPC_FOREVER, &slot), SHMIPC_OK);
    must_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    return slot;
}

static int receive_and_release(shmipc_slot slot) {
    shmipc_response response;
    int error = shmipc_slot_receive(slot, SHMIPC_FOREVER, &response);
    must_equal(shmipc_slot_release(slot), SHMIPC_OK);
    return error;
}

static struct slot *shared(shmipc_slot slot) {
    return region_slot(&slot.peer->region, slot.index);
}

/* ---- Polling and waiting ---- */

static void polling_serves_what_is_there(void **state) {
    (void)state;
    struct pair p;
    pair_open(&p, NULL);
    assert_int_equal(shmipc_poll(p.guest, echo_handler, NULL), 0);
    shmipc_slot a = send_empty(p.host);
    shmipc_slot b = send_empty(p.host);
    assert_int_equal(shmipc_poll(p.guest, echo_handler, NULL), 2);
    assert_int_equal(shmipc_poll(p.guest, echo_handler, NULL), 0);
    assert_int_equal(receive_and_release(a), SHMIPC_OK);
    assert_int_equal(receive_and_release(b), SHMIPC_OK);
    pair_close(&p);
}

static void no_peer_serves_its_own_calls(void **state) {
    (void)state;
    struct pair p;
    pair_open(&p, NULL);
    shmipc_slot a = send_empty(p.host);
    shmipc_slot b = send_empty(p.guest);
    assert_int_equal(shmipc_poll(p.host, echo_handler, NULL), 1);
    assert_int_equal(shmipc_poll(p.host, echo_handler, NULL), 0);
    assert_int_equal(shmipc_poll(p.guest, echo_handler, NULL), 1);
    assert_int_equal(shmipc_poll(p.guest, echo_handler, NULL), 0);
    assert_int_equal(receive_and_release(a), SHMIPC_OK);
    assert_int_equal(receive_and_release(b), SHMIPC_OK);
    pair_close(&p);
}

static void waiting_ends_with_a_request_and_serves_nothing(void **state) {
    (void)state;
    struct pair p;
    struct call_thread call;
    pair_open(&p, NULL);
    assert_int_equal(shmipc_wait(p.guest, 0), SHMIPC_E_TIMEOUT);
    assert_int_equal(shmipc_wait(p.guest, MILLISECOND), SHMIPC_E_TIMEOUT);
    call_start(&call, p.host, SHMIPC_FOREVER);
    assert_int_equal(shmipc_wait(p.guest, SHMIPC_FOREVER), SHMIPC_OK);
    assert_int_equal(shmipc_wait(p.guest, 0), SHMIPC_OK);
    assert_int_equal(shmipc_poll(p.guest, echo_handler, NULL), 1);
    assert_int_equal(call_join(&call), SHMIPC_OK);
    assert_int_equal(shmipc_wait(p.guest, 0), SHMIPC_E_TIMEOUT);
    pair_close(&p);
}

static void arguments_are_checked(void **state) {
    (void)state;
    struct pair p;
    pair_open(&p, NULL);
    assert_int_equal(shmipc_serve(NULL, echo_handler, NULL), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_serve(p.host, NULL, NULL), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_poll(NULL, echo_handler, NULL), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_poll(p.host, NULL, NULL), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_wait(NULL, 0), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_wait(p.host, -2), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_wake(NULL), SHMIPC_E_INVALID);
    pair_close(&p);
}

/* ---- Being woken ---- */

static void a_wake_without_a_sleeper_ends_the_next_wait(void **state) {
    (void)state;
    struct pair p;
    pair_open(&p, NULL);
    assert_int_equal(shmipc_wake(p.guest), SHMIPC_OK);
    assert_int_equal(shmipc_serve(p.guest, echo_handler, NULL), SHMIPC_E_WOKEN);
    assert_int_equal(shmipc_wake(p.guest), SHMIPC_OK);
    assert_int_equal(shmipc_wake(p.guest), SHMIPC_OK);
    assert_int_equal(shmipc_wait(p.guest, SHMIPC_FOREVER), SHMIPC_E_WOKEN);
    assert_int_equal(shmipc_wait(p.guest, 0), SHMIPC_E_TIMEOUT);
    pair_close(&p);
}

struct waiting {
    shmipc_peer *peer;
    bool serve;
    atomic_int result;
};

static void *wait_or_serve(void *context) {
    struct waiting *w = context;
    atomic_store(&w->result, w->serve ? shmipc_serve(w->peer, echo_handler, NULL)
                                      : shmipc_wait(w->peer, SHMIPC_FOREVER));
    return NULL;
}

static uint32_t inside(const shmipc_peer *peer) {
    return load_seq_cst32(&peer->life.users);
}

static void one_wake_ends_all_that_wait_now(void **state) {
    (void)state;
    enum { THREADS = 4 };
    struct pair p;
    struct waiting waiting[THREADS];
    pthread_t threads[THREADS];
    shmipc_stats stats;
    pair_open(&p, NULL);
    for (int i = 0; i < THREADS; i++) {
        waiting[i] = (struct waiting){.peer = p.guest, .serve = i % 2 == 0};
        threads[i] = thread_start(wait_or_serve, &waiting[i]);
    }
    eventually(inside(p.guest) == THREADS && shmipc_get_stats(p.guest, &stats) == SHMIPC_OK &&
               stats.parks >= THREADS);
    assert_int_equal(shmipc_wake(p.guest), SHMIPC_OK);
    for (int i = 0; i < THREADS; i++) {
        thread_join(threads[i]);
        assert_int_equal(atomic_load(&waiting[i].result), SHMIPC_E_WOKEN);
    }
    assert_int_equal(shmipc_wait(p.guest, 0), SHMIPC_E_TIMEOUT);
    pair_close(&p);
}

/* An idle server is answered soon: asleep for a while, it must be notified, not wait for its tick.
   */
static void an_idle_server_is_notified(void **state) {
    (void)state;
    enum { ROUNDS = 11 };
    for (int host_serves = 0; host_serves < 2; host_serves++) {
        struct pair p;
        struct server server;
        int soon = 0;
        pair_open(&p, NULL);
        shmipc_peer *responder = host_serves ? p.host : p.guest;
        shmipc_peer *caller = host_serves ? p.guest : p.host;
        server_start(&server, responder, echo_handler, NULL);
        for (int i = 0; i < ROUNDS; i++) {
            eventually(load_seq_cst32(&responder->serves.requests.shared->sleepers) != 0);
            pause_briefly();
            uint64_t begin = now_ns();
            assert_int_equal(shmipc_call(caller, &nothing, NULL, SHMIPC_FOREVER), SHMIPC_OK);
            soon += now_ns() - begin < TICK_NS / 2;
        }
        assert_true(soon > ROUNDS / 2);
        (void)server_stop(&server);
        pair_close(&p);
    }
}

static bool sleeps(shmipc_peer *peer) {
    return (load_seq_cst32(&peer->serves.requests.shared->sleepers) & peer->serves.requests.bit) !=
           0;
}

/* A poller may have died, or be in a handler. The best of a few counts: the machine may be busy.
   */
static void a_poller_that_does_not_look_delays_a_request_but_briefly(void **state) {
    (void)state;
    struct pair p;
    struct server server;
    shmipc_peer *poller;
    uint64_t least = UINT64_MAX;
    pair_open(&p, NULL);
    assert_int_equal(shmipc_guest_attach(p.name.text, NULL, 0, &poller), SHMIPC_OK);
    shmi_eventcount_join_pollers(&poller->serves.requests);
    server_start(&server, p.guest, echo_handler, NULL);
    for (int i = 0; i < 5; i++) {
        eventually(sleeps(p.guest));
        uint64_t begin = now_ns();
        assert_int_equal(shmipc_call(p.host, &nothing, NULL, SHMIPC_FOREVER), SHMIPC_OK);
        least = now_ns() - begin < least ? now_ns() - begin : least;
    }
    assert_in_range(least, 0, 20 * MILLISECOND);
    (void)server_stop(&server);
    shmipc_free(poller);
    pair_close(&p);
}

static void a_request_that_is_only_sent_is_served(void **state) {
    (void)state;
    enum { ROUNDS = 11 };
    struct pair p;
    struct server server;
    int soon = 0;
    pair_open(&p, NULL);
    server_start(&server, p.guest, echo_handler, NULL);
    for (int i = 0; i < ROUNDS; i++) {
        eventually(load_seq_cst32(&p.guest->serves.requests.shared->sleepers) != 0);
        pause_briefly();
        uint64_t begin = now_ns();
        shmipc_slot slot = send_empty(p.host);
        eventually(word_state(slot_look(shared(slot))) == SLOT_RESPONSE);
        soon += now_ns() - begin < TICK_NS / 4;
        assert_int_equal(receive_and_release(slot), SHMIPC_OK);
    }
    assert_true(soon > ROUNDS / 2);
    (void)server_stop(&server);
    pair_close(&p);
}

/* ---- Several workers ---- */

static int counting_handler(void *context, const shmipc_request *request,
                            shmipc_response *response) {
    atomic_uint *runs = context;
    uint32_t id;
    (void)response;
    memcpy(&id, request->data, sizeof id);
    atomic_fetch_add(&runs[id], 1);
    return 0;
}

static void each_request_runs_once_however_many_serve(void **state) {
    (void)state;
    enum { CALLS = 20000, SERVERS = 3 };
    static atomic_uint runs[CALLS];
    struct pair p;
    struct server servers[SERVERS];
    shmipc_stats stats;
    pair_open(&p, NULL);
    for (int i = 0; i < SERVERS; i++)
        server_start(&servers[i], p.guest, counting_handler, runs);
    for (uint32_t id = 0; id < CALLS; id++) {
        const shmipc_request request = {.data = &id, .length = sizeof id};
        assert_int_equal(shmipc_call(p.host, &request, NULL, SHMIPC_FOREVER), SHMIPC_OK);
    }
    for (int i = 0; i < SERVERS; i++)
        assert_int_equal(server_stop(&servers[i]), SHMIPC_E_WOKEN);
    for (uint32_t id = 0; id < CALLS; id++)
        assert_int_equal(atomic_load(&runs[id]), 1);
    assert_int_equal(shmipc_get_stats(p.guest, &stats), SHMIPC_OK);
    assert_int_equal(stats.served, CALLS);
    pair_close(&p);
}

static void a_busy_worker_does_not_hold_up_the_others(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        struct pair p;
        struct server servers[2];
        struct gated gated = {{0}, {0}};
        struct call_thread calls[2];
        pair_open(&p, NULL);
        shmipc_peer *caller = host_calls ? p.host : p.guest;
        for (int i = 0; i < 2; i++)
            server_start(&servers[i], host_calls ? p.guest : p.host, gated_handler, &gated);
        for (int i = 0; i < 2; i++) {
            call_start(&calls[i], caller, SHMIPC_FOREVER);
            gate_await(&gated.entered, (unsigned)i + 1);
        }
        gate_pass(&gated.leave);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(call_join(&calls[i]), SHMIPC_OK);
            (void)server_stop(&servers[i]);
        }
        pair_close(&p);
    }
}

/* A caller with two slots, of which one always has a request. */
struct flood {
    struct pair pair;
    shmipc_slot slots[2];
    int reason;
    int served;
};

static void end_server(struct flood *f) {
    if (f->reason == SHMIPC_E_WOKEN)
        must_equal(shmipc_wake(f->pair.guest), SHMIPC_OK);
    else if (f->reason == SHMIPC_E_SHUTDOWN)
        store_relaxed32(&f->pair.guest->life.phase, PEER_DRAINING);
    else
        store_relaxed32(&f->pair.guest->life.corrupt, 1);
}

static int flooded_handler(void *context, const shmipc_request *request,
                           shmipc_response *response) {
    struct flood *f = context;
    shmipc_slot next = f->slots[f->slots[0].index == request->slot];
    shmipc_response last;
    must(++f->served < 10);
    if (f->served > 1)
        must_equal(shmipc_slot_receive(next, SECOND, &last), SHMIPC_OK);
    must_equal(shmipc_slot_send(next, 0, 0, 0), SHMIPC_OK);
    if (f->served == 3)
        end_server(f);
    response->length = 0;
    return 0;
}

static void a_worker_ends_though_there_is_always_another_request(void **state) {
    (void)state;
    static const int reasons[] = {SHMIPC_E_WOKEN, SHMIPC_E_SHUTDOWN, SHMIPC_E_CORRUPT};
    for (size_t i = 0; i < sizeof reasons / sizeof *reasons; i++) {
        struct flood f = {.reason = reasons[i]};
        pair_open(&f.pair, NULL);
        f.slots[0] = send_empty(f.pair.host);
        must_equal(shmipc_slot_claim(f.pair.host, 0, &f.slots[1]), SHMIPC_OK);
        assert_int_equal(shmipc_serve(f.pair.guest, flooded_handler, &f), f.reason);
        assert_int_equal(f.served, 3);
        store_relaxed32(&f.pair.guest->life.phase, PEER_OPEN);
        pair_close(&f.pair);
    }
}

static int nested_handler(void *context, const shmipc_request *request, shmipc_response *response) {
    shmipc_peer *peer = context;
    shmipc_response inner = {.data = response->data, .capacity = response->capacity};
    int error = shmipc_call(peer, request, &inner, SHMIPC_FOREVER);
    response->length = inner.length;
    return error;
}

static void a_handler_may_call_back(void **state) {
    (void)state;
    char answer[64];
    struct pair p;
    struct server at_guest;
    struct server at_host;
    pair_open(&p, NULL);
    server_start(&at_guest, p.guest, nested_handler, p.guest);
    server_start(&at_host, p.host, echo_handler, NULL);
    const shmipc_request request = {.data = "there and back", .length = 14};
    shmipc_response response = {.data = answer, .capacity = sizeof answer};
    assert_int_equal(shmipc_call(p.host, &request, &response, SHMIPC_FOREVER), SHMIPC_OK);
    assert_int_equal(response.length, 14);
    assert_memory_equal(answer, "there and back", 14);
    (void)server_stop(&at_guest);
    (void)server_stop(&at_host);
    pair_close(&p);
}

/* ---- What a handler sees ---- */

struct seen {
    size_t length;
    uint32_t type, peer, slot;
    size_t capacity;
    size_t response_length;
    uint32_t response_type;
};

static int seeing_handler(void *context, const shmipc_request *request, shmipc_response *response) {
    *(struct seen *)context =
        (struct seen){request->length,    request->type,    request->peer, request->slot,
                      response->capacity, response->length, response->type};
    return 0;
}

static void a_handler_sees_who_calls_and_where(void **state) {
    (void)state;
    struct pair p;
    struct seen seen;
    shmipc_slot slot;
    pair_open(&p, NULL);
    assert_int_equal(shmipc_slot_claim(p.guest, 0, &slot), SHMIPC_OK);
    assert_int_equal(shmipc_slot_send(slot, 130, 77, 0), SHMIPC_OK);
    assert_int_equal(shmipc_poll(p.host, seeing_handler, &seen), 1);
    assert_int_equal(seen.length, 77);
    assert_int_equal(seen.type, 130);
    assert_int_equal(seen.peer, 1);
    assert_true(seen.slot == slot.index && seen.slot >= 2);
    assert_int_equal(seen.capacity, 512);
    assert_int_equal(seen.response_length, 0);
    assert_int_equal(seen.response_type, SHMIPC_TYPE_NORMAL);
    assert_int_equal(receive_and_release(slot), SHMIPC_OK);
    slot = send_empty(p.host);
    assert_int_equal(shmipc_poll(p.guest, seeing_handler, &seen), 1);
    assert_int_equal(seen.peer, 0);
    assert_true(seen.slot == slot.index && seen.slot < 2);
    assert_int_equal(receive_and_release(slot), SHMIPC_OK);
    pair_close(&p);
}

struct patient {
    struct gated gated;
    int abandoned_before, abandoned_after;
    bool unchanged;
};

static int patient_handler(void *context, const shmipc_request *request,
                           shmipc_response *response) {
    struct patient *patient = context;
    uint8_t before[1000];
    memcpy(before, request->data, request->length);
    patient->abandoned_before = shmipc_abandoned(request);
    (void)gated_handler(&patient->gated, request, response);
    patient->abandoned_after = shmipc_abandoned(request);
    patient->unchanged = memcmp(before, request->data, request->length) == 0;
    return 0;
}

static void a_request_stays_while_its_caller_gives_up(void **state) {
    (void)state;
    const size_t lengths[] = {112, 900};
    uint8_t data[1000];
    for (size_t i = 0; i < 2; i++) {
        for (int host_calls = 0; host_calls < 2; host_calls++) {
            struct pair p;
            struct server server;
            struct patient patient = {.abandoned_before = -1};
            shmipc_slot slots[2];
            pair_open(&p, NULL);
            shmipc_peer *caller = host_calls ? p.host : p.guest;
            server_start(&server, host_calls ? p.guest : p.host, patient_handler, &patient);
            pattern_fill(data, sizeof data, 1);
            assert_int_equal(shmipc_slot_claim(caller, 0, &slots[0]), SHMIPC_OK);
            memcpy(shmipc_slot_buffer(slots[0], NULL), data, lengths[i]);
            assert_int_equal(shmipc_slot_send(slots[0], 0, lengths[i], 0), SHMIPC_OK);
            gate_await(&patient.gated.entered, 1);
            assert_int_equal(shmipc_slot_release(slots[0]), SHMIPC_OK);
            assert_int_equal(shmipc_slot_claim(caller, 0, &slots[1]), SHMIPC_OK);
            memset(shmipc_slot_buffer(slots[1], NULL), 0xee, 1000);
            gate_pass(&patient.gated.leave);
            assert_int_equal(server_stop(&server), SHMIPC_E_WOKEN);
            assert_int_equal(patient.abandoned_before, 0);
            assert_int_equal(patient.abandoned_after, 1);
            assert_true(patient.unchanged);
            assert_int_equal(shmipc_slot_release(slots[1]), SHMIPC_OK);
            pair_close(&p);
        }
    }
}

/* ---- What a handler answers ---- */

struct reply {
    uint32_t type, flags;
    size_t length;
};

static int replying_handler(void *context, const shmipc_request *request,
                            shmipc_response *response) {
    const struct reply *reply = context;
    (void)request;
    response->type = reply->type;
    response->flags = reply->flags;
    response->length = reply->length;
    return 0;
}

static void an_answer_of_a_reserved_type_is_an_error(void **state) {
    (void)state;
    struct pair p;
    pair_open(&p, NULL);
    for (uint32_t type = 0; type <= 128; type++) {
        struct reply reply = {.type = type};
        shmipc_slot slot = send_empty(p.host);
        assert_int_equal(shmipc_poll(p.guest, replying_handler, &reply), 1);
        bool sendable = type == 0 || type == 10 || type == 11 || type == 128;
        assert_int_equal(receive_and_release(slot), sendable ? SHMIPC_OK : SHMIPC_E_TYPE);
    }
    pair_close(&p);
}

static int long_winded_handler(void *context, const shmipc_request *request,
                               shmipc_response *response) {
    char text[2000];
    (void)context;
    (void)request;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    return shmipc_fail(response, "%s", text);
}

static void a_long_message_is_shortened_to_the_capacity(void **state) {
    (void)state;
    const uint32_t capacities[] = {1, 48, 100};
    for (size_t i = 0; i < 3; i++) {
        shmipc_host_config config = test_host_config();
        char answer[200];
        struct pair p;
        struct server server;
        config.response_capacity = capacities[i];
        pair_open(&p, &config);
        server_start(&server, p.guest, long_winded_handler, NULL);
        shmipc_response response = {.data = answer, .capacity = sizeof answer};
        assert_int_equal(shmipc_call(p.host, &nothing, &response, SHMIPC_FOREVER),
                         SHMIPC_E_HANDLER);
        size_t limit = ((size_t)capacities[i] + 63) / 64 * 64; /* as it was rounded up */
        assert_in_range(response.length, limit - 1, limit);
        for (size_t n = 0; n < response.length; n++)
            assert_int_equal(answer[n], 'x');
        (void)server_stop(&server);
        pair_close(&p);
    }
}

static int lying_handler(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)request;
    response->length = *(const size_t *)context;
    memset(response->data, 'y', response->capacity);
    return 1;
}

static void a_failed_handlers_length_is_bounded(void **state) {
    (void)state;
    size_t lengths[] = {0, 48, 49, 512, 513, SIZE_MAX};
    char answer[600];
    struct pair p;
    pair_open(&p, NULL);
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        struct server server;
        server_start(&server, p.guest, lying_handler, &lengths[i]);
        shmipc_response response = {.data = answer, .capacity = sizeof answer};
        assert_int_equal(shmipc_call(p.host, &nothing, &response, SHMIPC_FOREVER),
                         SHMIPC_E_HANDLER);
        assert_int_equal(response.length, lengths[i] < 512 ? lengths[i] : 512);
        (void)server_stop(&server);
    }
    pair_close(&p);
}

/* ---- Requests that no handler sees ---- */

static void send_raw(shmipc_slot slot, uint32_t type, uint32_t length) {
    word last = slot.peer->slots[slot.index].last;
    word published;
    store_relaxed32(&shared(slot)->length, length);
    store_relaxed32(&shared(slot)->type, type);
    must(slot_publish_request(shared(slot), last, slot.peer->self, 0, &published));
    slot.peer->slots[slot.index].last = published;
}

static void a_request_of_a_reserved_type_is_answered_for_the_handler(void **state) {
    (void)state;
    struct pair p;
    struct gated gated = {{0}, {0}};
    shmipc_slot slot;
    pair_open(&p, NULL);
    assert_int_equal(shmipc_slot_claim(p.guest, 0, &slot), SHMIPC_OK);
    for (uint32_t type = 2; type < 128; type++) {
        if (type == 10 || type == 11)
            continue;
        send_raw(slot, type, 0);
        assert_int_equal(shmipc_poll(p.host, gated_handler, &gated), 1);
        word answer = slot_look(shared(slot));
        assert_int_equal(word_state(answer), SLOT_RESPONSE);
        assert_true((answer & WORD_FLAGS) == WORD_ERROR);
        assert_int_equal(load_relaxed32(&shared(slot)->type), 19);
        assert_int_equal(load_relaxed32(&shared(slot)->length), 0);
        slot.peer->slots[slot.index].last = answer;
    }
    assert_int_equal(atomic_load(&gated.entered.passed), 0);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    pair_close(&p);
}

static void an_impossible_request_is_corruption(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        for (int what = 0; what < 4; what++) {
            struct pair p;
            struct gated gated = {{0}, {0}};
            shmipc_slot slot;
            pair_open(&p, NULL);
            shmipc_peer *responder = host_calls ? p.guest : p.host;
            assert_int_equal(shmipc_slot_claim(host_calls ? p.host : p.guest, 0, &slot), SHMIPC_OK);
            send_raw(slot, 0, what == 0 ? 1025 : what == 1 ? UINT32_MAX : 0);
            word sent = slot_look(shared(slot));
            owner wrong = host_calls ? owner_make(1, 1) : 0;
            owner no_index = owner_make(0, 5);
            if (what >= 2)
                exchange_seq_cst64(&shared(slot)->word,
                                   word_with_owner(sent, what == 2 ? wrong : no_index));
            assert_int_equal(shmipc_poll(responder, gated_handler, &gated), SHMIPC_E_CORRUPT);
            assert_int_equal(shmipc_poll(responder, gated_handler, &gated), SHMIPC_E_CORRUPT);
            assert_int_equal(shmipc_serve(responder, gated_handler, &gated), SHMIPC_E_CORRUPT);
            assert_int_equal(atomic_load(&gated.entered.passed), 0);
            exchange_seq_cst64(&shared(slot)->word, sent);
            assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
            pair_close(&p);
        }
    }
}

static int tampering_handler(void *context, const shmipc_request *request,
                             shmipc_response *response) {
    struct slot *slot = *(struct slot **)context;
    (void)request;
    (void)response;
    add_seq_cst32(shmi_slot_futex(slot), 0x100);
    return 0;
}

static void a_word_that_changes_under_a_handler_is_corruption(void **state) {
    (void)state;
    struct pair p;
    pair_open(&p, NULL);
    shmipc_slot slot = send_empty(p.host);
    struct slot *raw = shared(slot);
    assert_int_equal(shmipc_poll(p.guest, tampering_handler, &raw), SHMIPC_E_CORRUPT);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    pair_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(polling_serves_what_is_there),
        watched_test(no_peer_serves_its_own_calls),
        watched_test(waiting_ends_with_a_request_and_serves_nothing),
        watched_test(arguments_are_checked),
        watched_test(a_wake_without_a_sleeper_ends_the_next_wait),
        watched_test(one_wake_ends_all_that_wait_now),
        watched_test(an_idle_server_is_notified),
        watched_test(a_poller_that_does_not_look_delays_a_request_but_briefly),
        watched_test(a_request_that_is_only_sent_is_served),
        watched_test(each_request_runs_once_however_many_serve),
        watched_test(a_busy_worker_does_not_hold_up_the_others),
        watched_test(a_worker_ends_though_there_is_always_another_request),
        watched_test(a_handler_may_call_back),
        watched_test(a_handler_sees_who_calls_and_where),
        watched_test(a_request_stays_while_its_caller_gives_up),
        watched_test(an_answer_of_a_reserved_type_is_an_error),
        watched_test(a_long_message_is_shortened_to_the_capacity),
        watched_test(a_failed_handlers_length_is_bounded),
        watched_test(a_request_of_a_reserved_type_is_answered_for_the_handler),
        watched_test(an_impossible_request_is_corruption),
        watched_test(a_word_that_changes_under_a_handler_is_corruption),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
