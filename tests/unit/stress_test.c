/*
 * Everything at once: calls in both directions, more callers than slots, several servers, answers
 * that come too late, cancelled and abandoned calls. Host and guest share one mapping, so that the
 * thread sanitizer sees whether the protocol orders every access to the messages.
 */
#include "support/fixture.h"
#include "support/shared_mapping.h"

#include <string.h>

enum { CALLERS = 4, SERVERS = 2, ROUNDS = 3000, LONGEST = 500 };

/* A request is its seed and a pattern of it; its answer the pattern of the seed plus one. */
static size_t answer_length(uint64_t seed) {
    return sizeof seed + (size_t)(seed % 37) * 13;
}

static int checking_handler(void *context, const shmipc_request *request,
                            shmipc_response *response) {
    atomic_ullong *served = context;
    const uint8_t *data = request->data;
    uint64_t seed;
    must(request->length >= sizeof seed);
    memcpy(&seed, data, sizeof seed);
    must(pattern_holds(data + sizeof seed, request->length - sizeof seed, seed));
    if (seed % 64 == 0)
        pause_briefly();
    response->length = answer_length(seed);
    response->flags = seed % 2 == 0 ? 0 : SHMIPC_ALIGN_END;
    uint8_t *to = response->data;
    if (response->flags)
        to += response->capacity - response->length;
    pattern_fill(to, response->length, seed + 1);
    must(pattern_holds(data + sizeof seed, request->length - sizeof seed, seed));
    atomic_fetch_add(served, 1);
    return 0;
}

struct caller {
    pthread_t thread;
    shmipc_peer *peer;
    uint64_t random;
    uint64_t answered;
    uint64_t abandoned; /* after they were sent; their answers may have come */
    /* The slot under way, for the canceller. */
    pthread_mutex_t mutex;
    shmipc_slot slot;
};

static uint64_t next_random(struct caller *c) {
    c->random ^= c->random << 13;
    c->random ^= c->random >> 7;
    c->random ^= c->random << 17;
    return c->random;
}

static size_t write_request(uint8_t *to, size_t length, uint64_t seed) {
    memcpy(to, &seed, sizeof seed);
    pattern_fill(to + sizeof seed, length - sizeof seed, seed);
    return length;
}

static size_t request_length(uint64_t seed) {
    return sizeof seed + (size_t)(seed % 29) * 17;
}

static void check_answer(struct caller *c, const shmipc_response *response, uint64_t seed) {
    must_equal(response->length, answer_length(seed));
    must(pattern_holds(response->data, response->length, seed + 1));
    c->answered++;
}

static void must_be_timeout(int error) {
    must(error == SHMIPC_E_TIMEOUT || error == SHMIPC_E_TIMEOUT_STARTED);
}

static void copying_call(struct caller *c, int64_t timeout) {
    uint8_t data[LONGEST];
    uint8_t answer[LONGEST];
    uint64_t seed = next_random(c);
    const shmipc_request request = {.data = data,
                                    .length = write_request(data, request_length(seed), seed)};
    shmipc_response response = {.data = answer, .capacity = sizeof answer};
    int error = shmipc_call(c->peer, &request, &response, timeout);
    if (error == SHMIPC_OK)
        check_answer(c, &response, seed);
    else
        must_be_timeout(error);
}

static void show_slot(struct caller *c, shmipc_slot slot) {
    pthread_mutex_lock(&c->mutex);
    c->slot = slot;
    pthread_mutex_unlock(&c->mutex);
}

static void must_be_cut_short(int error) {
    if (error != SHMIPC_E_CANCELLED && error != SHMIPC_E_CANCELLED_STARTED)
        must_be_timeout(error);
}

/* Without a copy; the canceller may end it at any moment. True if the slot is still claimed. */
static bool call_in_slot(struct caller *c, shmipc_slot slot, int64_t timeout) {
    uint64_t seed = next_random(c);
    shmipc_response response;
    size_t length = write_request(shmipc_slot_buffer(slot, NULL), request_length(seed), seed);
    must_equal(shmipc_slot_send(slot, SHMIPC_TYPE_NORMAL, length, 0), 0);
    int error = shmipc_slot_receive(slot, timeout, &response);
    if (error != SHMIPC_OK) {
        must_be_cut_short(error);
        return false;
    }
    check_answer(c, &response, seed);
    return true;
}

static void zero_copy_calls(struct caller *c, int64_t timeout) {
    shmipc_slot slot;
    must_equal(shmipc_slot_claim(c->peer, SHMIPC_FOREVER, &slot), 0);
    show_slot(c, slot);
    for (int i = 0; i < 3; i++) {
        if (!call_in_slot(c, slot, timeout))
            return;
    }
    must_equal(shmipc_slot_release(slot), 0);
}

static void abandoned_call(struct caller *c) {
    uint64_t seed = next_random(c);
    shmipc_slot slot;
    must_equal(shmipc_slot_claim(c->peer, SHMIPC_FOREVER, &slot), 0);
    size_t length = write_request(shmipc_slot_buffer(slot, NULL), request_length(seed), seed);
    must_equal(shmipc_slot_send(slot, SHMIPC_TYPE_NORMAL, length, 0), 0);
    must_equal(shmipc_slot_release(slot), 0);
    c->abandoned++;
}

static void *call_again_and_again(void *context) {
    struct caller *c = context;
    for (int i = 0; i < ROUNDS; i++) {
        int64_t soon = (int64_t)(next_random(c) % 100000);
        switch (next_random(c) % 8) {
        case 0:
            copying_call(c, soon);
            break;
        case 1:
            zero_copy_calls(c, soon);
            break;
        case 2:
            zero_copy_calls(c, SHMIPC_FOREVER);
            break;
        case 3:
            abandoned_call(c);
            break;
        default:
            copying_call(c, SHMIPC_FOREVER);
        }
    }
    return NULL;
}

struct canceller {
    struct caller *callers;
    atomic_bool stop;
};

static void *cancel_again_and_again(void *context) {
    struct canceller *c = context;
    for (int i = 0; !atomic_load(&c->stop); i = (i + 1) % (2 * CALLERS)) {
        struct caller *caller = &c->callers[i];
        pthread_mutex_lock(&caller->mutex);
        int error = shmipc_slot_cancel(caller->slot);
        pthread_mutex_unlock(&caller->mutex);
        must(error == SHMIPC_OK || error == SHMIPC_E_STALE);
        pause_briefly();
    }
    return NULL;
}

static void assert_whole_pool_is_free(shmipc_peer *peer, int count) {
    shmipc_slot slots[8];
    for (int i = 0; i < count; i++)
        assert_int_equal(shmipc_slot_claim(peer, 20 * SECOND, &slots[i]), SHMIPC_OK);
    for (int i = 0; i < count; i++)
        assert_int_equal(shmipc_slot_release(slots[i]), SHMIPC_OK);
}

static void assert_books_balance(shmipc_peer *peer, const struct caller *callers) {
    shmipc_stats stats;
    uint64_t answered = 0;
    uint64_t abandoned = 0;
    for (int i = 0; i < CALLERS; i++) {
        answered += callers[i].answered;
        abandoned += callers[i].abandoned;
    }
    assert_int_equal(shmipc_get_stats(peer, &stats), SHMIPC_OK);
    assert_in_range(stats.calls - stats.failed, answered, answered + abandoned);
    assert_true(answered > 0 && stats.failed > 0);
}

static void run(int64_t spin_ns) {
    static struct caller callers[2 * CALLERS];
    static struct server servers[2 * SERVERS];
    static atomic_ullong served;
    shmipc_host_config config = test_host_config();
    shmipc_guest_config guest_config = test_guest_config();
    struct region_name name = new_name();
    shmipc_peer *host;
    shmipc_peer *guest;
    config.spin_ns = guest_config.spin_ns = spin_ns;
    assert_int_equal(shmipc_host_create(name.text, &config, &host), SHMIPC_OK);
    assert_int_equal(shmipc_guest_attach(name.text, &guest_config, 0, &guest), SHMIPC_OK);
    assert_int_equal(shared_mappings(), 1);
    assert_int_equal(shared_mapping_users(), 2);

    for (int i = 0; i < 2 * SERVERS; i++)
        server_start(&servers[i], i < SERVERS ? guest : host, checking_handler, &served);
    for (int i = 0; i < 2 * CALLERS; i++) {
        callers[i] = (struct caller){.peer = i < CALLERS ? host : guest,
                                     .random = (uint64_t)(i + 1) * UINT64_C(0x9e3779b97f4a7c15)};
        must_equal(pthread_mutex_init(&callers[i].mutex, NULL), 0);
        callers[i].thread = thread_start(call_again_and_again, &callers[i]);
    }
    struct canceller canceller = {.callers = callers};
    pthread_t cancelling = thread_start(cancel_again_and_again, &canceller);
    for (int i = 0; i < 2 * CALLERS; i++)
        thread_join(callers[i].thread);
    atomic_store(&canceller.stop, true);
    thread_join(cancelling);

    assert_whole_pool_is_free(host, 2);
    assert_whole_pool_is_free(guest, 2);
    for (int i = 0; i < 2 * SERVERS; i++)
        assert_int_equal(server_stop(&servers[i]), SHMIPC_E_WOKEN);
    assert_books_balance(host, callers);
    assert_books_balance(guest, callers + CALLERS);
    shmipc_free(guest);
    shmipc_free(host);
    assert_int_equal(shared_mappings(), 0);
}

static void all_goes_well_with_waits_that_sleep(void **state) {
    (void)state;
    run(0);
}

static void all_goes_well_with_waits_that_spin(void **state) {
    (void)state;
    run(SHMIPC_SPIN_AUTO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(all_goes_well_with_waits_that_sleep),
        watched_test(all_goes_well_with_waits_that_spin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
