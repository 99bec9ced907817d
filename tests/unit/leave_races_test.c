/*
 * What the other side does while a peer leaves, or looks; and what ends at once with a peer.
 */
#include "support/fixture.h"

#include "peer/peer.h"
#include "region/slot.h"
#include "wait/stop.h"

/* ---- What happens just before a step; named for the linker ---- */

static struct {
    shmipc_peer *server; /* takes the request that is to be withdrawn; NULL: nobody does */
    bool parks;          /* the caller parks before its request is taken */
    struct slot *flips;  /* an answer that is taken back when its caller has woken; NULL: none */
} meanwhile;

bool real_withdraw(struct slot *slot, word *seen) __asm__("__real_shmi_slot_withdraw");
bool test_withdraw(struct slot *slot, word *seen) __asm__("__wrap_shmi_slot_withdraw");
bool real_take(struct slot *slot, word seen, owner bound,
               word *taken) __asm__("__real_shmi_slot_take");
bool test_take(struct slot *slot, word seen, owner bound,
               word *taken) __asm__("__wrap_shmi_slot_take");
void real_stop_leave(shmipc_stop_token *token,
                     struct stop_waiter *waiter) __asm__("__real_shmi_stop_leave");
void test_stop_leave(shmipc_stop_token *token,
                     struct stop_waiter *waiter) __asm__("__wrap_shmi_stop_leave");

bool test_withdraw(struct slot *slot, word *seen) {
    if (meanwhile.server != NULL)
        must_equal(shmipc_poll(meanwhile.server, echo_handler, NULL), 1);
    meanwhile.server = NULL;
    return real_withdraw(slot, seen);
}

bool test_take(struct slot *slot, word seen, owner bound, word *taken) {
    word now = slot_look(slot);
    if (meanwhile.parks)
        must(shmi_slot_park(slot, &now));
    meanwhile.parks = false;
    return real_take(slot, seen, bound, taken);
}

void test_stop_leave(shmipc_stop_token *token, struct stop_waiter *waiter) {
    real_stop_leave(token, waiter);
    if (meanwhile.flips == NULL)
        return;
    word seen = slot_look(meanwhile.flips);
    must_equal(word_state(seen), SLOT_RESPONSE);
    store_release64(&meanwhile.flips->word, (seen & ~WORD_STATE) | (uint64_t)SLOT_WORKING);
    meanwhile.flips = NULL;
}

/* ---- A request and its host that leaves ---- */

static void a_request_that_a_leaving_host_takes_after_all_is_answered(void **state) {
    (void)state;
    struct pair p;
    shmipc_slot slot;
    shmipc_response response;
    pair_open(&p, NULL);
    assert_int_equal(shmipc_slot_claim(p.guest, 0, &slot), SHMIPC_OK);
    assert_int_equal(shmipc_slot_send(slot, 200, 0, 0), SHMIPC_OK);
    store_release32(&peer_own_record(p.host)->status, PEER_LEAVING);
    meanwhile.server = p.host;
    assert_int_equal(shmipc_slot_receive(slot, SHMIPC_FOREVER, &response), SHMIPC_OK);
    assert_int_equal(response.type, 200);
    assert_null(meanwhile.server);
    store_release32(&peer_own_record(p.host)->status, PEER_ATTACHED);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    pair_close(&p);
}

static void a_caller_that_just_parks_is_refused_all_the_same(void **state) {
    (void)state;
    struct pair p;
    shmipc_slot slot;
    pair_open(&p, NULL);
    assert_int_equal(shmipc_slot_claim(p.guest, 0, &slot), SHMIPC_OK);
    assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    meanwhile.parks = true;
    assert_int_equal(shmipc_close(p.host), SHMIPC_OK);
    assert_false(meanwhile.parks);
    const struct slot *shared = region_slot(&p.guest->region, slot.index);
    assert_int_equal(word_state(slot_look(shared)), SLOT_RESPONSE);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    pair_close(&p);
}

/* ---- What breaks the protocol ---- */

static void *receive(void *context) {
    const shmipc_slot *slot = context;
    shmipc_response response;
    must_equal(shmipc_slot_receive(*slot, SHMIPC_FOREVER, &response), SHMIPC_E_CORRUPT);
    return NULL;
}

static void an_answer_that_is_taken_back_is_none(void **state) {
    (void)state;
    struct pair p;
    shmipc_slot slot;
    pair_open(&p, NULL);
    assert_int_equal(shmipc_slot_claim(p.host, 0, &slot), SHMIPC_OK);
    struct slot *shared = region_slot(&p.host->region, slot.index);
    meanwhile.flips = shared;
    assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
    pthread_t thread = thread_start(receive, &slot);
    eventually((slot_look(shared) & WORD_PARKED) != 0);
    assert_int_equal(shmipc_poll(p.guest, echo_handler, NULL), 1);
    thread_join(thread);
    assert_null(meanwhile.flips);
    pair_close(&p);
}

/* But for one, parked workers look for themselves only every 5 s. */
static void a_corrupt_region_wakes_every_worker(void **state) {
    enum { WORKERS = 3 };
    (void)state;
    struct pair p;
    struct server servers[WORKERS];
    shmipc_stats stats = {.parks = 0};
    pair_open(&p, NULL);
    for (int i = 0; i < WORKERS; i++)
        server_start(&servers[i], p.guest, echo_handler, NULL);
    do {
        pause_briefly();
        assert_int_equal(shmipc_get_stats(p.guest, &stats), SHMIPC_OK);
    } while (stats.parks < WORKERS);
    uint64_t begin = now_ns();
    (void)shmi_peer_mark_corrupt(p.guest, "a trial");
    for (int i = 0; i < WORKERS; i++)
        assert_int_equal(server_join(&servers[i]), SHMIPC_E_CORRUPT);
    assert_true(now_ns() - begin < 2 * SECOND);
    pair_close(&p);
}

/* ---- Coming and going ---- */

static void *shut_down(void *context) {
    shmipc_peer *peer = context;
    must_equal(shmipc_shutdown(peer, SHMIPC_FOREVER), SHMIPC_E_TIMEOUT);
    return NULL;
}

static void a_close_ends_a_shutdown_that_waits(void **state) {
    (void)state;
    for (int host = 0; host < 2; host++) {
        struct pair p;
        shmipc_slot slot;
        pair_open(&p, NULL);
        shmipc_peer *leaver = host ? p.host : p.guest;
        assert_int_equal(shmipc_slot_claim(leaver, 0, &slot), SHMIPC_OK);
        pthread_t thread = thread_start(shut_down, leaver);
        eventually(load_seq_cst32(&leaver->life.phase) == PEER_DRAINING);
        assert_int_equal(shmipc_close(leaver), SHMIPC_OK);
        thread_join(thread);
        assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
        pair_close(&p);
    }
}

static void a_guest_does_not_show_the_counters_of_the_one_before(void **state) {
    (void)state;
    struct pair p;
    const shmipc_guest_config config = test_guest_config();
    pair_open(&p, NULL);
    struct peer_record *record = &p.host->region.shared->peers[1];
    assert_int_equal(shmipc_call(p.guest, &(shmipc_request){.data = NULL}, NULL, 0),
                     SHMIPC_E_TIMEOUT);
    shmipc_free(p.guest);
    assert_int_equal(load_relaxed64(&record->calls), 1);
    assert_int_equal(load_relaxed64(&record->failed), 1);
    store_relaxed64(&record->served, 1);
    store_relaxed64(&record->discarded, 1);
    assert_int_equal(shmipc_guest_attach(p.name.text, &config, 0, &p.guest), SHMIPC_OK);
    assert_int_equal(load_relaxed64(&record->calls), 0);
    assert_int_equal(load_relaxed64(&record->failed), 0);
    assert_int_equal(load_relaxed64(&record->served), 0);
    assert_int_equal(load_relaxed64(&record->discarded), 0);
    pair_close(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_request_that_a_leaving_host_takes_after_all_is_answered),
        watched_test(a_caller_that_just_parks_is_refused_all_the_same),
        watched_test(an_answer_that_is_taken_back_is_none),
        watched_test(a_corrupt_region_wakes_every_worker),
        watched_test(a_close_ends_a_shutdown_that_waits),
        watched_test(a_guest_does_not_show_the_counters_of_the_one_before),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
