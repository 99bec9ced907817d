/* Event loops hear of deaths, and of what ends a peer. */
#define _GNU_SOURCE
#include "hazard/loops.h"

#include "peer/peer.h"

#include <signal.h>
#include <sys/time.h>

/* ---- Deaths ---- */

struct deathbed {
    struct scene scene;
    struct gated *gated;
    struct loop loop;
};

static void lie_down(struct deathbed *d, bool host_loops, uint32_t events) {
    d->gated = shared_memory(sizeof *d->gated);
    d->scene = (struct scene){.host_calls = host_loops,
                              .handler = gated_handler,
                              .context = d->gated,
                              .config = loop_config()};
    scene_open(&d->scene);
    loop_open(&d->loop, d->scene.caller, events, false);
}

static void bury(struct deathbed *d) {
    loop_close(&d->loop);
    scene_close(&d->scene);
    if (!d->scene.host_calls)
        must_equal(shmipc_remove_dead_region(d->scene.name.text), SHMIPC_OK);
    shared_memory_free(d->gated, sizeof *d->gated);
}

static uint64_t kill_responder(struct deathbed *d) {
    child_kill(scene_responder(&d->scene, 0));
    scene_forget(&d->scene, 0);
    return now_ns();
}

static void test_a_loop_hears_of_its_responders_death(void **state) {
    (void)state;
    for (int host_loops = 0; host_loops < 2; host_loops++) {
        struct deathbed d;
        shmipc_response response;
        lie_down(&d, host_loops, 0);
        loop_claim(&d.loop, 1);
        loop_send(d.loop.slots[0]);
        gate_await(&d.gated->entered, 1);
        must_equal(loop_arm(&d.loop), 0);
        uint64_t begin = kill_responder(&d);
        must_equal(loop_receive(&d.loop, d.loop.slots[0], &response), SHMIPC_E_PEER_DIED);
        uint64_t took = now_ns() - begin;
        print_message("             after %llu ms\n", (unsigned long long)took / 1000000);
        must(took < SOON);
        bury(&d);
    }
}

static void test_a_loop_that_serves_hears_of_its_hosts_death(void **state) {
    struct deathbed d;
    (void)state;
    lie_down(&d, false, SHMIPC_ARM_REQUESTS);
    must_equal(loop_arm(&d.loop), 0);
    uint64_t begin = kill_responder(&d);
    loop_await(&d.loop);
    must_equal(shmipc_poll(d.loop.peer, echo_handler, NULL), SHMIPC_E_PEER_DIED);
    must(now_ns() - begin < SOON);
    bury(&d);
}

static void test_a_loop_gets_the_event_of_a_death(void **state) {
    (void)state;
    for (int host_loops = 0; host_loops < 2; host_loops++) {
        struct deathbed d;
        shmipc_event event;
        lie_down(&d, host_loops, SHMIPC_ARM_EVENTS);
        must_equal(loop_arm(&d.loop), 0);
        uint64_t begin = kill_responder(&d);
        loop_await(&d.loop);
        must_equal(shmipc_next_event(d.loop.peer, 0, &event), SHMIPC_OK);
        must_equal(event.kind, SHMIPC_EVENT_DIED);
        must(now_ns() - begin < SOON);
        bury(&d);
    }
}

/* It is readable as long as one of them is there, also if it takes one at a time, or none. */
static void test_a_loop_is_told_of_deaths_until_it_has_taken_all(void **state) {
    enum { GUESTS = 3 };
    struct scene scene = {
        .host_calls = true, .processes = GUESTS, .handler = echo_handler, .config = loop_config()};
    struct loop loop;
    (void)state;
    scene_open(&scene);
    loop_open(&loop, scene.caller, SHMIPC_ARM_EVENTS, false);
    must_equal(loop_arm(&loop), 0);
    for (unsigned i = 0; i < GUESTS; i++) {
        child_kill(scene_responder(&scene, i));
        scene_forget(&scene, i);
    }
    loop_await(&loop);
    for (int i = 0; i < GUESTS; i++) {
        shmipc_event event;
        must_equal(loop_arm(&loop), 1);
        must(loop_is_ready(&loop, 0));
        must_equal(shmipc_next_event(loop.peer, 0, &event), SHMIPC_OK);
        must_equal(event.kind, SHMIPC_EVENT_DIED);
    }
    must_equal(loop_arm(&loop), 0);
    loop_close(&loop);
    scene_close(&scene);
}

/* The only guest dies with the request before it: nobody can take that one. */
static void test_a_loop_hears_that_nobody_is_left(void **state) {
    struct deathbed d;
    shmipc_response response;
    (void)state;
    lie_down(&d, true, 0);
    loop_claim(&d.loop, 2);
    loop_send(d.loop.slots[0]);
    gate_await(&d.gated->entered, 1);
    loop_send(d.loop.slots[1]);
    must_equal(loop_arm(&d.loop), 0);
    uint64_t begin = kill_responder(&d);
    must_equal(loop_receive(&d.loop, d.loop.slots[0], &response), SHMIPC_E_PEER_DIED);
    loop_await(&d.loop);
    must_equal(loop_arm(&d.loop), 1);
    must_equal(shmipc_slot_ready(d.loop.slots[1]), 1);
    must_equal(shmipc_slot_receive(d.loop.slots[1], 0, &response), SHMIPC_E_NO_PEER);
    must(now_ns() - begin < SOON);
    bury(&d);
}

/* ---- Ends of loops ---- */

static void *close_it(void *context) {
    must_equal(shmipc_close(context), SHMIPC_OK);
    return NULL;
}

static void *shut_it_down(void *context) {
    (void)shmipc_shutdown(context, 100 * MILLISECOND);
    return NULL;
}

/* Whatever the loop waits for. */
static void end_while_it_watches(void *(*end)(void *), uint32_t events, size_t slots) {
    struct stand s;
    stand_open(&s);
    s.loop.count = slots;
    s.loop.events = events;
    if (slots > 0)
        loop_send(s.loop.slots[0]);
    loop_without_ticks(&s.loop);
    pthread_t thread = thread_start(end, s.pair.host);
    int error;
    while ((error = loop_arm(&s.loop)) >= 0)
        must(loop_is_ready(&s.loop, 10 * SECOND));
    must_equal(error, SHMIPC_E_CLOSED);
    thread_join(thread);
    s.loop.count = 1;
    stand_close(&s);
}

static void test_a_loop_hears_that_another_thread_closes_its_peer(void **state) {
    (void)state;
    for (unsigned i = 0; i < scaled(20); i++) {
        end_while_it_watches(close_it, 0, 1);
        end_while_it_watches(close_it, SHMIPC_ARM_REQUESTS, 0);
        end_while_it_watches(close_it, SHMIPC_ARM_EVENTS, 0);
    }
    end_while_it_watches(shut_it_down, SHMIPC_ARM_REQUESTS, 0);
    end_while_it_watches(shut_it_down, ALL_EVENTS, 1);
}

/* A host that closes at once answers what nobody has taken. */
static void test_a_loop_hears_that_its_host_closes(void **state) {
    const shmipc_host_config config = loop_config();
    struct pair pair;
    struct loop loop;
    (void)state;
    pair_open(&pair, &config);
    loop_open(&loop, pair.guest, 0, false);
    loop_claim(&loop, 1);
    loop_without_ticks(&loop);
    loop_send(loop.slots[0]);
    must_equal(loop_arm(&loop), 0);
    must_equal(shmipc_close(pair.host), SHMIPC_OK);
    must(loop_is_ready(&loop, 10 * SECOND));
    shmipc_response response;
    must_equal(loop_receive(&loop, loop.slots[0], &response), SHMIPC_E_SHUTDOWN);
    loop_close(&loop);
    pair_close(&pair);
}

/* ---- Stops by a signal handler in a thread that signals ---- */

static shmipc_stop_token token = SHMIPC_STOP_TOKEN_INIT;
static atomic_uint stops;

static void stop_here(int number) {
    (void)number;
    shmipc_stop(&token);
    atomic_fetch_add(&stops, 1);
}

struct stopped {
    shmipc_peer *peer;
    atomic_bool over;
};

/* A token that is stopped again and again. */
static void *wait_until_stopped(void *context) {
    struct stopped *stopped = context;
    while (!atomic_load(&stopped->over)) {
        (void)shmipc_serve_until(stopped->peer, echo_handler, NULL, &token);
        token = (shmipc_stop_token)SHMIPC_STOP_TOKEN_INIT;
    }
    return NULL;
}

static void block_alarms(int how) {
    sigset_t alarms;
    (void)sigemptyset(&alarms);
    (void)sigaddset(&alarms, SIGVTALRM);
    must_equal(pthread_sigmask(how, &alarms, NULL), 0);
}

/* This thread answers the other process's loop, and is interrupted in it. */
static int signal_and_be_interrupted(void *context) {
    (void)context;
    const struct sigaction action = {.sa_handler = stop_here, .sa_flags = SA_RESTART};
    const struct itimerval often = {.it_interval.tv_usec = 100, .it_value.tv_usec = 100};
    const struct itimerval never = {.it_value.tv_usec = 0};
    struct stand s;
    stand_open(&s);
    struct stopped stopped = {.peer = s.pair.host};
    must_equal(sigaction(SIGVTALRM, &action, NULL), 0);
    block_alarms(SIG_BLOCK);
    pthread_t thread = thread_start(wait_until_stopped, &stopped);
    block_alarms(SIG_UNBLOCK);
    must_equal(setitimer(ITIMER_VIRTUAL, &often, NULL), 0);
    for (unsigned i = 0; i < scaled(20000) || atomic_load(&stops) < 10; i++) {
        or_seq_cst32(s.pair.host->calling.answers.armed, UINT32_C(1) << 16);
        (void)shmi_eventcount_notify(&s.pair.host->calling.answers, WAKE_ALL);
        must_equal(shmi_pollable_clear(s.pair.host->loop.pollable, UINT64_MAX), SHMIPC_OK);
    }
    must_equal(setitimer(ITIMER_VIRTUAL, &never, NULL), 0);
    atomic_store(&stopped.over, true);
    while (shmipc_stopped(&token) == 0)
        shmipc_stop(&token);
    thread_join(thread);
    stand_close(&s);
    return 0;
}

static void test_a_signal_handler_may_stop_while_its_thread_signals(void **state) {
    (void)state;
    must_equal(child_wait(child_start(signal_and_be_interrupted, NULL)), 0);
}

HAZARD_MAIN("loop_ends", hazard_test(test_a_loop_hears_of_its_responders_death),
            hazard_test(test_a_loop_that_serves_hears_of_its_hosts_death),
            hazard_test(test_a_loop_gets_the_event_of_a_death),
            hazard_test(test_a_loop_is_told_of_deaths_until_it_has_taken_all),
            hazard_test(test_a_loop_hears_that_nobody_is_left),
            hazard_test(test_a_loop_hears_that_another_thread_closes_its_peer),
            hazard_test(test_a_loop_hears_that_its_host_closes),
            hazard_test(test_a_signal_handler_may_stop_while_its_thread_signals))
