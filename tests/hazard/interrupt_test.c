/* Waits that a thread's stop token ends: every kind, also from a signal handler, at any moment. */
#define _GNU_SOURCE
#include "hazard/waits.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Far below the tick by which a thread that nobody wakes would see the token. */
#define AT_ONCE (40 * (uint64_t)MILLISECOND)

/* ---- Each wait ---- */

static int collect_and_go_on(struct stage *s) {
    int error = collect_one(s);
    must_equal(shmipc_slot_ready(s->slots[0]), 0); /* the call goes on */
    return error;
}

static int attach(struct stage *s) {
    shmipc_peer *peer;
    const shmipc_guest_config config = test_guest_config();
    return shmipc_guest_attach(s->nobodys.text, &config, SHMIPC_FOREVER, &peer);
}

static const struct wait {
    const char *what;
    void (*prepare)(struct stage *stage);
    int (*call)(struct stage *stage);
} waits[] = {
    {"attach", prepare_nothing, attach},
    {"wait_guests", prepare_nothing, wait_for_guests},
    {"next_event", hear_of_all, wait_for_event},
    {"claim", hold_all, claim_and_release},
    {"call", prepare_nothing, make_call},
    {"a guest's call", prepare_nothing, make_guests_call},
    {"ping", prepare_nothing, ping_the_guest},
    {"slot_call", hold_one, call_in_slot},
    {"slot_receive", send_one, receive_one},
    {"slot_wait_any", send_one, collect_and_go_on},
    {"serve", prepare_nothing, serve_the_host},
    {"wait", prepare_nothing, wait_for_request},
};

static void close_stage(struct stage *s) {
    for (int i = 0; i < 2; i++)
        (void)shmipc_slot_release(s->slots[i]);
    whole_pool_can_be_claimed(s->pair.host);
    whole_pool_can_be_claimed(s->pair.guest);
    pair_close(&s->pair);
}

struct victim {
    const struct wait *wait;
    struct stage *stage;
    shmipc_stop_token token;
    atomic_int id; /* of the thread */
    atomic_bool returned;
};

static void *wait_with_token(void *context) {
    struct victim *v = context;
    must(shmipc_set_thread_token(&v->token) == NULL);
    atomic_store(&v->id, gettid());
    must_equal(v->wait->call(v->stage), SHMIPC_E_CANCELLED);
    atomic_store(&v->returned, true);
    must(shmipc_set_thread_token(NULL) == &v->token);
    return NULL;
}

static int stop_in_child(void *context) {
    struct victim *v = context;
    shmipc_stop(&v->token);
    return 0;
}

/* Returns how long the thread took to return. */
static uint64_t stop_while_it_waits(const struct wait *wait) {
    struct stage stage;
    struct victim victim = {
        .wait = wait, .stage = &stage, .token = SHMIPC_STOP_TOKEN_INIT, .id = 0};
    open_stage(&stage, wait->prepare);
    pthread_t thread = thread_start(wait_with_token, &victim);
    eventually(thread_is_asleep(atomic_load(&victim.id)));
    must_equal(child_wait(child_start(stop_in_child, &victim)), 0); /* stops only a copy */
    must(!atomic_load(&victim.returned));
    uint64_t begin = now_ns();
    shmipc_stop(&victim.token);
    thread_join(thread);
    uint64_t took = now_ns() - begin;
    close_stage(&stage);
    return took;
}

static void test_every_wait_ends_at_once(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        uint64_t shortest = UINT64_MAX;
        for (unsigned n = 0; n < 5; n++) {
            uint64_t took = stop_while_it_waits(&waits[i]);
            shortest = took < shortest ? took : shortest;
        }
        print_message("             %s: %llu us\n", waits[i].what,
                      (unsigned long long)shortest / 1000);
        must(shortest < AT_ONCE);
    }
}

/* An attach that has waited for long looks for its host every 50 ms. */
static void test_an_attach_that_has_waited_for_long_ends_at_once(void **state) {
    enum { ATTACHERS = 15 };
    static const struct wait wait = {"attach", prepare_nothing, attach};
    const struct timespec long_wait = {.tv_sec = 2};
    struct victim victims[ATTACHERS];
    pthread_t threads[ATTACHERS];
    struct stage stage = {.nobodys = new_name()};
    unsigned late = 0;
    (void)state;
    for (int i = 0; i < ATTACHERS; i++) {
        victims[i] = (struct victim){.wait = &wait, .stage = &stage};
        threads[i] = thread_start(wait_with_token, &victims[i]);
    }
    nanosleep(&long_wait, NULL);
    for (int i = 0; i < ATTACHERS; i++) {
        uint64_t begin = now_ns();
        shmipc_stop(&victims[i].token);
        thread_join(threads[i]);
        late += now_ns() - begin > 12 * (uint64_t)MILLISECOND;
    }
    assert_in_range(late, 0, ATTACHERS / 3);
}

/* ---- From a signal handler ---- */

static struct {
    shmipc_stop_token token;
    atomic_uint due;   /* signals wanted, counted by the caller */
    atomic_uint taken; /* signals handled */
} storm;

/* Runs at any moment of a call, but never while the token is initialised. */
static void stop_from_handler(int signal) {
    char before[64] = "";
    (void)signal;
    const int number = errno;
    (void)strncpy(before, shmipc_last_error(), sizeof before - 1);
    errno = 4711;
    shmipc_stop(&storm.token);
    must_equal(errno, 4711);
    errno = number;
    must(strncmp(before, shmipc_last_error(), sizeof before - 1) == 0);
    atomic_fetch_add(&storm.taken, 1);
}

static void *send_signals(void *context) {
    const pthread_t *target = context;
    for (unsigned sent = 0; atomic_load(&storm.due) != UINT32_MAX;) {
        if (atomic_load(&storm.due) == sent) {
            sched_yield();
            continue;
        }
        dawdle(200000);
        must_equal(pthread_kill(*target, SIGUSR1), 0);
        sent++;
    }
    return NULL;
}

/* Takes as many microseconds as the request's type says. Sleeps, so that the caller, which a signal
   wakes, finds a processor. */
static int take_a_while(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)context;
    (void)response;
    const struct timespec nap = {.tv_nsec = (long)(request->type - SHMIPC_TYPE_APPLICATION) * 1000};
    nanosleep(&nap, NULL);
    return 0;
}

struct outcomes {
    unsigned answered, never_started, started;
};

static int call_in_pool(shmipc_peer *peer, uint32_t type) {
    const shmipc_request request = {.type = type};
    return shmipc_call(peer, &request, NULL, SHMIPC_FOREVER);
}

/* A claim, a collecting wait and a receive may each be stopped; the last two with a call under
   way. */
static int call_in_claimed_slot(shmipc_peer *peer, uint32_t type) {
    shmipc_slot slot;
    shmipc_response response;
    size_t which = 0;
    int error = shmipc_slot_claim(peer, SHMIPC_FOREVER, &slot);
    if (error)
        return error;
    must_equal(shmipc_slot_send(slot, type, 0, 0), SHMIPC_OK);
    error = shmipc_slot_wait_any(&slot, 1, SHMIPC_FOREVER, &which);
    must(error == SHMIPC_OK || error == SHMIPC_E_CANCELLED);
    error = shmipc_slot_receive(slot, SHMIPC_FOREVER, &response);
    if (error == SHMIPC_OK)
        must_release(slot);
    return error;
}

static void call_in_the_storm(shmipc_peer *peer, struct outcomes *outcomes) {
    const uint32_t type = SHMIPC_TYPE_APPLICATION + draw(200);
    unsigned before = atomic_load(&storm.taken);
    storm.token = (shmipc_stop_token)SHMIPC_STOP_TOKEN_INIT;
    atomic_fetch_add(&storm.due, 1);
    switch (draw(2) == 0 ? call_in_pool(peer, type) : call_in_claimed_slot(peer, type)) {
    case SHMIPC_OK:
        outcomes->answered++;
        break;
    case SHMIPC_E_CANCELLED:
        outcomes->never_started++;
        break;
    case SHMIPC_E_CANCELLED_STARTED:
        outcomes->started++;
        break;
    default:
        fixture_die(__FILE__, __LINE__, shmipc_last_error());
    }
    while (atomic_load(&storm.taken) == before)
        sched_yield();
}

static void calls_are_stopped_by_signals(bool host_calls) {
    const struct sigaction action = {.sa_handler = stop_from_handler, .sa_flags = SA_RESTART};
    struct sigaction old;
    struct pair pair;
    struct server server;
    struct outcomes outcomes = {0, 0, 0};
    const pthread_t self = pthread_self();
    pair_open(&pair, NULL);
    shmipc_peer *caller = host_calls ? pair.host : pair.guest;
    server_start(&server, host_calls ? pair.guest : pair.host, take_a_while, NULL);
    must_equal(sigaction(SIGUSR1, &action, &old), 0);
    (void)shmipc_set_thread_token(&storm.token);
    atomic_store(&storm.due, 0);
    atomic_store(&storm.taken, 0);
    pthread_t sender = thread_start(send_signals, (void *)&self);
    const uint64_t end = now_ns() + scaled(10) * (uint64_t)SECOND; /* for a busy machine */
    for (unsigned i = 0; i < scaled(10000) && now_ns() < end; i++)
        call_in_the_storm(caller, &outcomes);
    atomic_store(&storm.due, UINT32_MAX);
    thread_join(sender);
    (void)shmipc_set_thread_token(NULL);
    must_equal(sigaction(SIGUSR1, &old, NULL), 0);
    print_message("             %s: %u answered, %u never started, %u started\n",
                  direction_name(host_calls), outcomes.answered, outcomes.never_started,
                  outcomes.started);
    must(outcomes.answered > 0 && outcomes.never_started + outcomes.started > 0);
    whole_pool_can_be_claimed(caller);
    must_equal(server_stop(&server), SHMIPC_E_WOKEN);
    pair_close(&pair);
}

static void test_a_signal_handler_may_stop_a_call_at_any_moment(void **state) {
    (void)state;
    calls_are_stopped_by_signals(true);
    calls_are_stopped_by_signals(false);
}

HAZARD_MAIN("interrupt", hazard_test(test_every_wait_ends_at_once),
            hazard_test(test_an_attach_that_has_waited_for_long_ends_at_once),
            hazard_test(test_a_signal_handler_may_stop_a_call_at_any_moment))
