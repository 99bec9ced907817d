/* Stopping servers that begin, serve, sleep or end just then. */
#define _GNU_SOURCE
#include "hazard/peers.h"

#include "peer/peer.h"

#include <signal.h>

/* Below the tick with which a sleeping worker would find by itself that it was stopped. */
#define LATE (80 * (uint64_t)MILLISECOND)

enum { SERVERS = 3 };

/* Threads that serve with a token until it is stopped, then with the next round's. */
struct rounds {
    shmipc_peer *peer;
    unsigned count;
    shmipc_stop_token tokens[2]; /* of even and of odd rounds */
    struct gate begun, ended;
};

static void *serve_each_round(void *context) {
    struct rounds *rounds = context;
    for (unsigned i = 0; i < rounds->count; i++) {
        gate_await(&rounds->begun, i + 1);
        dawdle(i % 2 ? 3000 : 30000);
        must_equal(shmipc_serve_until(rounds->peer, echo_handler, NULL, &rounds->tokens[i % 2]),
                   SHMIPC_E_CANCELLED);
        gate_pass(&rounds->ended);
    }
    return NULL;
}

static void await_all(struct gate *gate, unsigned count) {
    while (atomic_load(&gate->passed) < count) {
    }
}

/* Every server ends, whether it was stopped before it began or while it fell asleep. */
static void test_no_stop_is_missed_by_a_server_that_begins(void **state) {
    (void)state;
    struct pair pair;
    pthread_t threads[SERVERS];
    unsigned late = 0;
    pair_open(&pair, NULL);
    struct rounds rounds = {.peer = pair.guest, .count = scaled(10000)};
    for (int i = 0; i < SERVERS; i++)
        threads[i] = thread_start(serve_each_round, &rounds);
    for (unsigned i = 0; i < rounds.count; i++) {
        rounds.tokens[i % 2] = (shmipc_stop_token)SHMIPC_STOP_TOKEN_INIT;
        gate_pass(&rounds.begun);
        dawdle(i % 3 ? 30000 : 300);
        uint64_t begin = now_ns();
        shmipc_stop(&rounds.tokens[i % 2]);
        await_all(&rounds.ended, (i + 1) * SERVERS);
        late += now_ns() - begin > LATE;
    }
    for (int i = 0; i < SERVERS; i++)
        thread_join(threads[i]);
    print_message("             %u of %u stops were late\n", late, rounds.count);
    assert_true(late <= rounds.count / 1000); /* a busy machine is slow at times */
    pair_close(&pair);
}

/* ---- By a signal handler ---- */

static shmipc_stop_token *_Atomic of_signal;

static void stop_by_signal(int number) {
    (void)number;
    shmipc_stop(atomic_load(&of_signal));
}

struct signalled {
    shmipc_peer *peer;
    unsigned count;
    shmipc_stop_token tokens[2];
    struct gate begun, ended;
};

static void *serve_under_signals(void *context) {
    struct signalled *s = context;
    for (unsigned i = 0; i < s->count; i++) {
        gate_await(&s->begun, i + 1);
        must_equal(shmipc_serve_until(s->peer, echo_handler, NULL, &s->tokens[i % 2]),
                   SHMIPC_E_CANCELLED);
        gate_pass(&s->ended);
    }
    return NULL;
}

/* The signal may interrupt a thread that is just joining the waiters, or leaving them. */
static void test_a_signal_handler_may_stop_its_own_thread(void **state) {
    (void)state;
    struct pair pair;
    struct sigaction old, action = {.sa_handler = stop_by_signal};
    pair_open(&pair, NULL);
    struct signalled s = {.peer = pair.guest, .count = scaled(5000)};
    must_equal(sigaction(SIGUSR1, &action, &old), 0);
    unsigned late = 0;
    pthread_t thread = thread_start(serve_under_signals, &s);
    for (unsigned i = 0; i < s.count; i++) {
        s.tokens[i % 2] = (shmipc_stop_token)SHMIPC_STOP_TOKEN_INIT;
        atomic_store(&of_signal, &s.tokens[i % 2]);
        gate_pass(&s.begun);
        dawdle(5000);
        uint64_t begin = now_ns();
        must_equal(pthread_kill(thread, SIGUSR1), 0);
        await_all(&s.ended, i + 1);
        late += now_ns() - begin > LATE;
    }
    thread_join(thread);
    must_equal(sigaction(SIGUSR1, &old, NULL), 0);
    print_message("             %u of %u stops were late\n", late, s.count);
    assert_true(late <= s.count / 1000);
    pair_close(&pair);
}

/* ---- In a forked child ---- */

static shmipc_stop_token of_parent;

static void *serve_until_the_parent_stops(void *context) {
    must_equal(shmipc_serve_until(context, echo_handler, NULL, &of_parent), SHMIPC_E_CANCELLED);
    return NULL;
}

static int stop_in_child(void *context) {
    (void)context;
    shmipc_stop(&of_parent); /* the region that its server sleeps on is not there */
    return 0;
}

static void test_a_stop_in_a_forked_child_touches_no_region(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, NULL);
    pthread_t thread = thread_start(serve_until_the_parent_stops, pair.guest);
    eventually(atomic_load(&pair.guest->serving.rests_since) != 0);
    must_equal(child_wait(child_start(stop_in_child, NULL)), 0);
    shmipc_stop(&of_parent);
    thread_join(thread);
    pair_close(&pair);
}

HAZARD_MAIN("stop", hazard_test(test_no_stop_is_missed_by_a_server_that_begins),
            hazard_test(test_a_signal_handler_may_stop_its_own_thread),
            hazard_test(test_a_stop_in_a_forked_child_touches_no_region))
