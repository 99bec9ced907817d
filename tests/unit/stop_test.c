/*
 * Ending servers, attaches and a thread's waits by a token: all that have it, and nothing else.
 */
#include "support/fixture.h"

#include "wait/eventcount.h"
#include "wait/stop.h"

#include <errno.h>

enum { POOL = 2 };

/* Threads that serve one peer until their token is stopped. */
struct pool {
    shmipc_peer *peer;
    shmipc_handler handler;
    void *context;
    shmipc_stop_token token;
    pthread_t threads[POOL];
};

static void *serve_until_stopped(void *context) {
    struct pool *pool = context;
    must_equal(shmipc_serve_until(pool->peer, pool->handler, pool->context, &pool->token),
               SHMIPC_E_CANCELLED);
    return NULL;
}

static void pool_start(struct pool *pool, shmipc_peer *peer, shmipc_handler handler,
                       void *context) {
    *pool = (struct pool){
        .peer = peer, .handler = handler, .context = context, .token = SHMIPC_STOP_TOKEN_INIT};
    for (int i = 0; i < POOL; i++)
        pool->threads[i] = thread_start(serve_until_stopped, pool);
}

static void pool_stop(struct pool *pool) {
    shmipc_stop(&pool->token);
    for (int i = 0; i < POOL; i++)
        thread_join(pool->threads[i]);
}

/* Returns when two handlers run at once. */
static int meet(void *context, const shmipc_request *request, shmipc_response *response) {
    atomic_uint *inside = context;
    (void)request;
    (void)response;
    unsigned whole = atomic_fetch_add(inside, 1) / 2 * 2;
    eventually(atomic_load(inside) >= whole + 2);
    return 0;
}

static void two_handlers_run_at_once(shmipc_peer *caller) {
    struct call_thread calls[2];
    for (int i = 0; i < 2; i++)
        call_start(&calls[i], caller, 30 * SECOND);
    for (int i = 0; i < 2; i++)
        must_equal(call_join(&calls[i]), SHMIPC_OK);
}

static void a_pool_outlives_another_of_its_peer(void **state) {
    (void)state;
    for (int survivor = 0; survivor < 2; survivor++) {
        struct pair pair;
        struct pool pools[2];
        atomic_uint inside = 0;
        pair_open(&pair, NULL);
        for (int i = 0; i < 2; i++)
            pool_start(&pools[i], pair.guest, meet, &inside);
        for (int i = 0; i < 20; i++)
            two_handlers_run_at_once(pair.host);
        pool_stop(&pools[1 - survivor]);
        for (int i = 0; i < 20; i++)
            two_handlers_run_at_once(pair.host);
        pool_stop(&pools[survivor]);
        pair_close(&pair);
    }
}

static void a_stop_before_serving_holds(void **state) {
    (void)state;
    struct pair pair;
    shmipc_slot slot;
    shmipc_stop_token token = SHMIPC_STOP_TOKEN_INIT;
    pair_open(&pair, NULL);
    assert_int_equal(shmipc_slot_claim(pair.host, 0, &slot), SHMIPC_OK);
    assert_int_equal(shmipc_slot_send(slot, SHMIPC_TYPE_NORMAL, 0, 0), SHMIPC_OK);
    assert_int_equal(shmipc_stopped(&token), 0);
    for (int i = 0; i < 2; i++) {
        shmipc_stop(&token);
        assert_int_equal(shmipc_stopped(&token), 1);
        assert_int_equal(shmipc_serve_until(pair.guest, echo_handler, NULL, &token),
                         SHMIPC_E_CANCELLED);
    }
    assert_int_equal(shmipc_slot_ready(slot), 0);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    pair_close(&pair);
}

static int stop_here(void *context, const shmipc_request *request, shmipc_response *response) {
    shmipc_stop(context);
    return echo_handler(NULL, request, response);
}

/* The request is answered before the server ends. */
static void a_handler_may_stop_its_own_server(void **state) {
    (void)state;
    struct pair pair;
    struct call_thread call;
    shmipc_stop_token token = SHMIPC_STOP_TOKEN_INIT;
    pair_open(&pair, NULL);
    call_start(&call, pair.host, 30 * SECOND);
    assert_int_equal(shmipc_serve_until(pair.guest, stop_here, &token, &token), SHMIPC_E_CANCELLED);
    assert_int_equal(call_join(&call), SHMIPC_OK);
    pair_close(&pair);
}

/* A wake that nobody has taken is not for a server that was stopped. */
static void a_stop_takes_no_wake(void **state) {
    (void)state;
    struct pair pair;
    shmipc_stop_token token = SHMIPC_STOP_TOKEN_INIT;
    pair_open(&pair, NULL);
    assert_int_equal(shmipc_wake(pair.guest), SHMIPC_OK);
    shmipc_stop(&token);
    assert_int_equal(shmipc_serve_until(pair.guest, echo_handler, NULL, &token),
                     SHMIPC_E_CANCELLED);
    assert_int_equal(shmipc_serve_until(pair.guest, echo_handler, NULL, NULL), SHMIPC_E_WOKEN);
    pair_close(&pair);
}

/* ---- Waking ---- */

static struct {
    shmipc_stop_token *token;
    unsigned wakes;
} nested;

static void count_wake(void *context) {
    ++*(unsigned *)context;
}

/* As a signal handler that interrupts a trigger. */
static void stop_again(void *context) {
    count_wake(context);
    if (nested.wakes == 1)
        shmipc_stop(nested.token);
}

static void a_trigger_within_a_trigger_wakes_too(void **state) {
    (void)state;
    shmipc_stop_token token = SHMIPC_STOP_TOKEN_INIT;
    struct stop_waiter waiter = {.wake = stop_again, .context = &nested.wakes};
    nested.token = &token;
    nested.wakes = 0;
    shmi_stop_join(&token, &waiter);
    shmipc_stop(&token);
    assert_int_equal(nested.wakes, 2);
    shmi_stop_leave(&token, &waiter);
}

/* A trigger that came while another thread had the list leaves the waking to that thread. */
static void the_thread_with_the_list_wakes_for_a_trigger_that_found_it_locked(void **state) {
    (void)state;
    shmipc_stop_token token = SHMIPC_STOP_TOKEN_INIT;
    unsigned wakes[2] = {0};
    struct stop_waiter waiters[2] = {{.wake = count_wake, .context = &wakes[0]},
                                     {.wake = count_wake, .context = &wakes[1]}};
    shmi_stop_join(&token, &waiters[0]);
    store_relaxed32(&stop_of(&token)->lock, 1);
    shmipc_stop(&token);
    assert_int_equal(wakes[0], 0);
    store_relaxed32(&stop_of(&token)->lock, 0);
    shmi_stop_join(&token, &waiters[1]);
    assert_int_equal(wakes[0], 1);
    assert_int_equal(wakes[1], 1);
    shmi_stop_leave(&token, &waiters[0]);
    shmi_stop_leave(&token, &waiters[1]);
}

static void only_a_waiter_is_woken(void **state) {
    (void)state;
    shmipc_stop_token token = SHMIPC_STOP_TOKEN_INIT;
    unsigned wakes[3] = {0};
    struct stop_waiter waiters[3];
    for (int i = 0; i < 3; i++) {
        waiters[i] = (struct stop_waiter){.wake = count_wake, .context = &wakes[i]};
        shmi_stop_join(&token, &waiters[i]);
    }
    shmi_stop_leave(&token, &waiters[1]);
    shmi_stop_leave(&token, &waiters[2]);
    shmipc_stop(&token);
    shmi_stop_leave(&token, &waiters[0]);
    shmipc_stop(&token);
    assert_int_equal(wakes[0], 1);
    assert_int_equal(wakes[1] + wakes[2], 0);
}

static void change_errno(void *context) {
    count_wake(context);
    errno = 4711;
}

/* A signal handler that stops interrupts code that reads errno next. */
static void a_stop_keeps_errno(void **state) {
    (void)state;
    shmipc_stop_token token = SHMIPC_STOP_TOKEN_INIT;
    unsigned wakes = 0;
    struct stop_waiter waiter = {.wake = change_errno, .context = &wakes};
    shmi_stop_join(&token, &waiter);
    errno = 1;
    shmipc_stop(&token);
    assert_int_equal(errno, 1);
    assert_int_equal(wakes, 1);
    shmi_stop_leave(&token, &waiter);
}

/* ---- A thread's token ---- */

/* Waits, of any kind, that would go on for ever. */
static void no_wait_of_the_thread_begins(const struct pair *pair) {
    const shmipc_request empty = {.length = 0};
    shmipc_event event;
    shmipc_peer *peer;
    shmipc_slot slot;
    struct region_name nobodys = new_name();
    while (shmipc_next_event(pair->host, 0, &event) == SHMIPC_OK) {
    }
    assert_int_equal(shmipc_call(pair->host, &empty, NULL, SHMIPC_FOREVER), SHMIPC_E_CANCELLED);
    assert_int_equal(shmipc_call(pair->guest, &empty, NULL, SHMIPC_FOREVER), SHMIPC_E_CANCELLED);
    assert_int_equal(shmipc_wait(pair->guest, SHMIPC_FOREVER), SHMIPC_E_CANCELLED);
    assert_int_equal(shmipc_serve(pair->guest, echo_handler, NULL), SHMIPC_E_CANCELLED);
    assert_int_equal(shmipc_wait_guests(pair->host, 2, SHMIPC_FOREVER), SHMIPC_E_CANCELLED);
    assert_int_equal(shmipc_next_event(pair->host, SHMIPC_FOREVER, &event), SHMIPC_E_CANCELLED);
    assert_int_equal(shmipc_guest_attach(nobodys.text, NULL, SHMIPC_FOREVER, &peer),
                     SHMIPC_E_CANCELLED);
    shmipc_slot held[2] = {must_claim(pair->host, 0), must_claim(pair->host, 0)};
    assert_int_equal(shmipc_slot_claim(pair->host, SHMIPC_FOREVER, &slot), SHMIPC_E_CANCELLED);
    for (int i = 0; i < 2; i++)
        must_release(held[i]);
}

static void a_stopped_token_of_the_thread_ends_waits_that_begin(void **state) {
    (void)state;
    struct pair pair;
    shmipc_stop_token token = SHMIPC_STOP_TOKEN_INIT;
    pair_open(&pair, NULL);
    assert_null(shmipc_set_thread_token(&token));
    shmipc_stop(&token);
    no_wait_of_the_thread_begins(&pair);
    assert_ptr_equal(shmipc_set_thread_token(NULL), &token);
    assert_int_equal(shmipc_wait(pair.guest, 0), SHMIPC_E_TIMEOUT);
    pair_close(&pair);
}

/* Linked in place of the library's own: a stop in the last moment before a sleeper is announced. */
/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
uint32_t __wrap_shmi_eventcount_prepare(struct local_eventcount *eventcount);
uint32_t __real_shmi_eventcount_prepare(struct local_eventcount *eventcount);
bool __wrap_shmi_eventcount_commit(struct local_eventcount *eventcount, uint32_t generation,
                                   uint64_t deadline);
bool __real_shmi_eventcount_commit(struct local_eventcount *eventcount, uint32_t generation,
                                   uint64_t deadline);
bool __wrap_shmi_eventcount_commit_at_home(struct local_eventcount *eventcount, uint32_t generation,
                                           uint64_t deadline, uint32_t home);
bool __real_shmi_eventcount_commit_at_home(struct local_eventcount *eventcount, uint32_t generation,
                                           uint64_t deadline, uint32_t home);

static struct {
    shmipc_stop_token *token; /* NULL: no stop */
    atomic_uint sleeps;
} last_moment;

uint32_t __wrap_shmi_eventcount_prepare(struct local_eventcount *eventcount) {
    shmipc_stop(last_moment.token);
    return __real_shmi_eventcount_prepare(eventcount);
}

bool __wrap_shmi_eventcount_commit(struct local_eventcount *eventcount, uint32_t generation,
                                   uint64_t deadline) {
    atomic_fetch_add(&last_moment.sleeps, 1);
    return __real_shmi_eventcount_commit(eventcount, generation, deadline);
}

bool __wrap_shmi_eventcount_commit_at_home(struct local_eventcount *eventcount, uint32_t generation,
                                           uint64_t deadline, uint32_t home) {
    atomic_fetch_add(&last_moment.sleeps, 1);
    return __real_shmi_eventcount_commit_at_home(eventcount, generation, deadline, home);
}
/* NOLINTEND(bugprone-reserved-identifier) */

static void a_stop_just_before_a_sleep_ends_the_wait(void **state) {
    (void)state;
    struct pair pair;
    size_t which = 0;
    pair_open(&pair, NULL);
    shmipc_slot slots[2] = {must_claim(pair.host, 0), must_claim(pair.host, 0)};
    assert_int_equal(shmipc_slot_send(slots[0], SHMIPC_TYPE_NORMAL, 0, 0), SHMIPC_OK);
    for (int i = 0; i < 3; i++) {
        shmipc_slot slot;
        shmipc_stop_token token = SHMIPC_STOP_TOKEN_INIT;
        (void)shmipc_set_thread_token(&token);
        last_moment.token = &token;
        atomic_store(&last_moment.sleeps, 0);
        int error = i == 0   ? shmipc_slot_wait_any(slots, 2, SHMIPC_FOREVER, &which)
                    : i == 1 ? shmipc_slot_claim(pair.host, SHMIPC_FOREVER, &slot)
                             : shmipc_wait(pair.host, SHMIPC_FOREVER);
        last_moment.token = NULL;
        assert_int_equal(error, SHMIPC_E_CANCELLED);
        assert_int_equal(atomic_load(&last_moment.sleeps), 0);
    }
    (void)shmipc_set_thread_token(NULL);
    for (int i = 0; i < 2; i++)
        must_release(slots[i]);
    pair_close(&pair);
}

/* What is passed to a function takes the place of the thread's. */
static void a_token_of_its_own_is_the_one_that_counts(void **state) {
    (void)state;
    struct pair pair;
    struct call_thread call;
    shmipc_stop_token own = SHMIPC_STOP_TOKEN_INIT;
    shmipc_stop_token threads = SHMIPC_STOP_TOKEN_INIT;
    pair_open(&pair, NULL);
    shmipc_stop(&threads);
    (void)shmipc_set_thread_token(&threads);
    call_start(&call, pair.host, 30 * SECOND);
    assert_int_equal(shmipc_serve_until(pair.guest, stop_here, &own, &own), SHMIPC_E_CANCELLED);
    (void)shmipc_set_thread_token(NULL);
    assert_int_equal(call_join(&call), SHMIPC_OK);
    pair_close(&pair);
}

static void nothing_may_be_stopped(void **state) {
    (void)state;
    shmipc_stop(NULL);
    assert_int_equal(shmipc_stopped(NULL), 0);
}

struct attacher {
    struct region_name name;
    shmipc_guest_config config;
    struct gate begun;
    int result;
};

static void *attach_for_ever(void *context) {
    struct attacher *a = context;
    shmipc_peer *peer;
    gate_pass(&a->begun);
    a->result = shmipc_guest_attach(a->name.text, &a->config, SHMIPC_FOREVER, &peer);
    must(peer == NULL);
    return NULL;
}

static void an_attach_that_waits_for_ever_can_be_stopped(void **state) {
    (void)state;
    shmipc_stop_token token = SHMIPC_STOP_TOKEN_INIT;
    struct attacher a = {.name = new_name(), .config = test_guest_config()};
    a.config.stop = &token;
    pthread_t thread = thread_start(attach_for_ever, &a);
    gate_await(&a.begun, 1);
    shmipc_stop(&token);
    thread_join(thread);
    assert_int_equal(a.result, SHMIPC_E_CANCELLED);
}

static void an_attach_that_was_stopped_before_attaches_to_nothing(void **state) {
    (void)state;
    struct pair pair;
    shmipc_peer *peer;
    shmipc_stop_token token = SHMIPC_STOP_TOKEN_INIT;
    shmipc_guest_config config = test_guest_config();
    config.stop = &token;
    pair_open(&pair, NULL);
    shmipc_stop(&token);
    assert_int_equal(shmipc_guest_attach(pair.name.text, &config, SECOND, &peer),
                     SHMIPC_E_CANCELLED);
    assert_null(peer);
    pair_close(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_pool_outlives_another_of_its_peer),
        watched_test(a_stop_before_serving_holds),
        watched_test(a_handler_may_stop_its_own_server),
        watched_test(a_stop_takes_no_wake),
        watched_test(a_trigger_within_a_trigger_wakes_too),
        watched_test(the_thread_with_the_list_wakes_for_a_trigger_that_found_it_locked),
        watched_test(only_a_waiter_is_woken),
        watched_test(nothing_may_be_stopped),
        watched_test(a_stop_keeps_errno),
        watched_test(a_stopped_token_of_the_thread_ends_waits_that_begin),
        watched_test(a_stop_just_before_a_sleep_ends_the_wait),
        watched_test(a_token_of_its_own_is_the_one_that_counts),
        watched_test(an_attach_that_waits_for_ever_can_be_stopped),
        watched_test(an_attach_that_was_stopped_before_attaches_to_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
