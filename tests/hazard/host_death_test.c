/* A guest learns of the death of its host, whatever it does meanwhile. */
#define _GNU_SOURCE
#include "hazard/peers.h"
#include "hazard/play.h"

#include <time.h>

static void send_one_slot(struct stage *stage, shmipc_peer *peer) {
    shmipc_slot slot;
    must_equal(shmipc_slot_claim(peer, SECOND, &slot), 0);
    must_equal(shmipc_slot_send(slot, 0, 0, 0), 0);
    stay_until_killed(stage);
}

struct activity {
    shmipc_peer *guest;
    shmipc_slot slot; /* claimed, of which one is sent */
    int error;
    uint64_t ended_at;
};

static void *serve(void *context) {
    struct activity *activity = context;
    activity->error = shmipc_serve(activity->guest, answer, NULL);
    activity->ended_at = now_ns();
    return NULL;
}

static void *wait(void *context) {
    struct activity *activity = context;
    activity->error = shmipc_wait(activity->guest, SHMIPC_FOREVER);
    activity->ended_at = now_ns();
    return NULL;
}

static void *poll_in_a_loop(void *context) {
    struct activity *activity = context;
    do {
        activity->error = shmipc_poll(activity->guest, answer, NULL);
    } while (activity->error >= 0);
    activity->ended_at = now_ns();
    return NULL;
}

static void *claim(void *context) {
    struct activity *activity = context;
    shmipc_slot slot;
    activity->error = shmipc_slot_claim(activity->guest, SHMIPC_FOREVER, &slot);
    activity->ended_at = now_ns();
    return NULL;
}

static void *ready_in_a_loop(void *context) {
    struct activity *activity = context;
    shmipc_response view;
    while (shmipc_slot_ready(activity->slot) == 0)
        pause_briefly();
    activity->error = shmipc_slot_receive(activity->slot, LATE, &view);
    activity->ended_at = now_ns();
    return NULL;
}

static void *receive(void *context) {
    struct activity *activity = context;
    shmipc_response view;
    activity->error = shmipc_slot_receive(activity->slot, SHMIPC_FOREVER, &view);
    activity->ended_at = now_ns();
    return NULL;
}

static void *next_event(void *context) {
    struct activity *activity = context;
    shmipc_event event;
    must_equal(shmipc_next_event(activity->guest, SHMIPC_FOREVER, &event), 0);
    must_equal(event.kind, SHMIPC_EVENT_DIED);
    must_equal(event.peer, 0);
    activity->ended_at = now_ns();
    return NULL;
}

static uint64_t time_after_host_is_killed(void *(*body)(void *), int expected, long nap_ms) {
    const struct timespec nap = {.tv_sec = nap_ms / 1000, .tv_nsec = nap_ms % 1000 * 1000000};
    struct play play = {.child_is_guest = false, .act = be_idle};
    pid_t child = begin(&play);
    struct activity activity = {.guest = play.peer};
    shmipc_slot other;
    must_equal(shmipc_slot_claim(play.peer, SECOND, &activity.slot), 0);
    must_equal(shmipc_slot_claim(play.peer, SECOND, &other), 0);
    must_equal(shmipc_slot_send(activity.slot, 0, 0, 0), 0);
    pthread_t thread = thread_start(body, &activity);
    nanosleep(&nap, NULL);
    strike(&play, child);
    thread_join(thread);
    must_equal(activity.error, expected);
    (void)shmipc_slot_release(activity.slot);
    must_equal(shmipc_slot_release(other), 0);
    must_equal(call_empty(play.peer, LATE), SHMIPC_E_NO_PEER);
    end(&play);
    return activity.ended_at > play.killed_at ? activity.ended_at - play.killed_at : 0;
}

static void ends_soon_after_nap(const char *what, void *(*body)(void *), int expected,
                                long nap_ms) {
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < TRIES && best >= SOON; i++) {
        uint64_t took = time_after_host_is_killed(body, expected, nap_ms);
        must(took < LATE);
        best = took < best ? took : best;
    }
    print_message("             %s: %llu ms\n", what, (unsigned long long)best / 1000000);
    must(best < SOON);
}

static void ends_soon_after_host(const char *what, void *(*body)(void *), int expected) {
    ends_soon_after_nap(what, body, expected, 20);
}

static void test_a_guest_learns_of_its_hosts_death_whatever_it_does(void **state) {
    (void)state;
    ends_soon_after_host("serve", serve, SHMIPC_E_PEER_DIED);
    ends_soon_after_nap("serve, idle", serve, SHMIPC_E_PEER_DIED, 1300);
    ends_soon_after_host("wait", wait, SHMIPC_E_PEER_DIED);
    ends_soon_after_host("poll", poll_in_a_loop, SHMIPC_E_PEER_DIED);
    ends_soon_after_host("slot_claim", claim, SHMIPC_E_NO_PEER);
    ends_soon_after_host("slot_ready", ready_in_a_loop, SHMIPC_E_NO_PEER);
    ends_soon_after_host("slot_receive", receive, SHMIPC_E_NO_PEER);
    ends_soon_after_host("next_event", next_event, 0);
}

/* A worker that stands by while another one's handler does not return learns of it too. */
static uint64_t standby_after_host_is_killed(void) {
    struct play play = {.child_is_guest = false, .act = send_one_slot};
    struct server busy;
    pid_t child = begin(&play);
    struct activity activity = {.guest = play.peer};
    server_start(&busy, play.peer, stay, play.stage);
    gate_await(&play.stage->entered, 1);
    pthread_t thread = thread_start(serve, &activity);
    gate_await(&play.stage->child_is_there, 1);
    const struct timespec nap = {.tv_nsec = 50000000};
    nanosleep(&nap, NULL);
    strike(&play, child);
    thread_join(thread);
    must_equal(activity.error, SHMIPC_E_PEER_DIED);
    gate_pass(&play.stage->go_on);
    must_equal(server_join(&busy), SHMIPC_E_PEER_DIED);
    end(&play);
    return activity.ended_at > play.killed_at ? activity.ended_at - play.killed_at : 0;
}

static void test_a_standby_learns_of_its_hosts_death(void **state) {
    uint64_t best = UINT64_MAX;
    (void)state;
    for (int i = 0; i < TRIES; i++) {
        uint64_t took = standby_after_host_is_killed();
        best = took < best ? took : best;
    }
    print_message("             %llu ms\n", (unsigned long long)best / 1000000);
    /* The poller is in a handler; a standby looks around once a second, to sleep in between. */
    must(best < 2 * (uint64_t)SECOND);
}

HAZARD_MAIN("host_death", hazard_test(test_a_guest_learns_of_its_hosts_death_whatever_it_does),
            hazard_test(test_a_standby_learns_of_its_hosts_death))
