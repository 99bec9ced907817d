/* What ends a server: shmipc_wake, a shutdown, corruption. */
#include "support/empty_calls.h"
#include "support/fixture.h"

#include "peer/peer.h"

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

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_wake_without_a_sleeper_ends_the_next_wait),
        watched_test(one_wake_ends_all_that_wait_now),
        watched_test(a_worker_ends_though_there_is_always_another_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
