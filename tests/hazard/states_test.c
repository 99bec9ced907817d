/*
 * One side is killed in each state that a slot can have. The other side is told within two ticks,
 * told the right thing, and every slot is usable afterwards.
 */
#define _GNU_SOURCE
#include "hazard/peers.h"

#include <time.h>
#include <unistd.h>

/* Survivors look for deaths every 100 ms, idle ones every 180. A loaded machine may be late once,
   not three times. */
#define SOON (200 * (uint64_t)MILLISECOND)
#define LATE (5 * (uint64_t)SECOND)

enum { TRIES = 3 };

struct stage {
    struct region_name name;
    struct gate child_is_there; /* in the state that it is to be killed in */
    struct gate entered;        /* a handler, of either side */
    struct gate go_on;
    atomic_uint runs;
};

static int call_empty(shmipc_peer *peer, int64_t timeout) {
    const shmipc_request request = {.length = 0};
    return shmipc_call(peer, &request, NULL, timeout);
}

/* A handler that goes on until its process is killed, or until it is told. */
static int stay(void *context, const shmipc_request *request, shmipc_response *response) {
    struct stage *stage = context;
    (void)request;
    (void)response;
    atomic_fetch_add(&stage->runs, 1);
    gate_pass(&stage->entered);
    gate_await(&stage->go_on, 1);
    return 0;
}

static int answer(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)context;
    (void)request;
    (void)response;
    return 0;
}

_Noreturn static void stay_until_killed(struct stage *stage) {
    gate_pass(&stage->child_is_there);
    for (;;)
        pause();
}

/* ---- What the child does, as a peer of either role ---- */

static void be_idle(struct stage *stage, shmipc_peer *peer) {
    (void)peer;
    stay_until_killed(stage);
}

static void be_serving(struct stage *stage, shmipc_peer *peer) {
    gate_pass(&stage->child_is_there);
    (void)shmipc_serve(peer, stay, stage);
}

static void hold_every_slot(struct stage *stage, shmipc_peer *peer) {
    shmipc_slot slot;
    for (uint32_t i = calling_slots(peer); i > 0; i--)
        must_equal(shmipc_slot_claim(peer, SECOND, &slot), 0);
    stay_until_killed(stage);
}

static void send_every_slot(struct stage *stage, shmipc_peer *peer) {
    shmipc_slot slot;
    for (uint32_t i = calling_slots(peer); i > 0; i--) {
        must_equal(shmipc_slot_claim(peer, SECOND, &slot), 0);
        must_equal(shmipc_slot_send(slot, 0, 0, 0), 0);
    }
    stay_until_killed(stage);
}

static void send_one_slot(struct stage *stage, shmipc_peer *peer) {
    shmipc_slot slot;
    must_equal(shmipc_slot_claim(peer, SECOND, &slot), 0);
    must_equal(shmipc_slot_send(slot, 0, 0, 0), 0);
    stay_until_killed(stage);
}

static void keep_every_answer(struct stage *stage, shmipc_peer *peer) {
    shmipc_slot slots[8];
    shmipc_response view;
    uint32_t count = calling_slots(peer);
    for (uint32_t i = 0; i < count; i++) {
        must_equal(shmipc_slot_claim(peer, SECOND, &slots[i]), 0);
        must_equal(shmipc_slot_send(slots[i], 0, 0, 0), 0);
    }
    for (uint32_t i = 0; i < count; i++)
        must_equal(shmipc_slot_receive(slots[i], 20 * SECOND, &view), 0);
    stay_until_killed(stage);
}

static void abandon_every_call(struct stage *stage, shmipc_peer *peer) {
    shmipc_slot slots[8];
    uint32_t count = calling_slots(peer);
    for (uint32_t i = 0; i < count; i++) {
        must_equal(shmipc_slot_claim(peer, SECOND, &slots[i]), 0);
        must_equal(shmipc_slot_send(slots[i], 0, 0, 0), 0);
    }
    gate_await(&stage->entered, count);
    for (uint32_t i = 0; i < count; i++)
        must_equal(shmipc_slot_release(slots[i]), 0);
    stay_until_killed(stage);
}

static void wait_for_a_slot(struct stage *stage, shmipc_peer *peer) {
    shmipc_slot slot;
    for (uint32_t i = calling_slots(peer); i > 0; i--)
        must_equal(shmipc_slot_claim(peer, SECOND, &slot), 0);
    gate_pass(&stage->child_is_there);
    (void)shmipc_slot_claim(peer, SHMIPC_FOREVER, &slot);
}

/* ---- The play: the child is killed in its state; the survivor finds everything usable ---- */

struct play {
    struct stage *stage;
    bool child_is_guest;
    void (*act)(struct stage *stage, shmipc_peer *peer);
    shmipc_peer *peer; /* the survivor's */
    uint64_t killed_at;
};

static int act(void *context) {
    struct play *play = context;
    const shmipc_guest_config guest = test_guest_config();
    const shmipc_host_config host = test_host_config();
    shmipc_peer *peer;
    if (play->child_is_guest)
        must_equal(shmipc_guest_attach(play->stage->name.text, &guest, 20 * SECOND, &peer), 0);
    else
        must_equal(shmipc_host_create(play->stage->name.text, &host, &peer), 0);
    play->act(play->stage, peer);
    return 0;
}

static pid_t begin(struct play *play) {
    const shmipc_guest_config guest = test_guest_config();
    const shmipc_host_config host = test_host_config();
    play->stage = shared_memory(sizeof *play->stage);
    play->stage->name = new_name();
    pid_t child = child_start(act, play);
    if (play->child_is_guest) {
        must_equal(shmipc_host_create(play->stage->name.text, &host, &play->peer), 0);
        must_equal(shmipc_wait_guests(play->peer, 1, 20 * SECOND), 0);
    } else {
        must_equal(shmipc_guest_attach(play->stage->name.text, &guest, 20 * SECOND, &play->peer),
                   0);
    }
    return child;
}

static void strike(struct play *play, pid_t child) {
    gate_await(&play->stage->child_is_there, 1);
    child_kill(child);
    play->killed_at = now_ns();
}

/* The next host of the name replaces the region that a killed host left behind. */
static void end(struct play *play) {
    shmipc_peer *next;
    shmipc_free(play->peer);
    must_equal(shmipc_host_create(play->stage->name.text, NULL, &next), 0);
    shmipc_free(next);
    must_equal(count_regions(), 0);
    shared_memory_free(play->stage, sizeof *play->stage);
}

/* A new guest, and with it all slots of both directions. */
static void host_and_new_guest_work(struct play *play) {
    const shmipc_guest_config config = test_guest_config();
    shmipc_peer *guest;
    struct server servers[2];
    must_equal(shmipc_guest_attach(play->stage->name.text, &config, SECOND, &guest), 0);
    server_start(&servers[0], guest, answer, NULL);
    server_start(&servers[1], play->peer, answer, NULL);
    whole_pool_can_be_claimed(play->peer);
    whole_pool_can_be_claimed(guest);
    must_equal(call_empty(play->peer, 20 * SECOND), 0);
    must_equal(call_empty(guest, 20 * SECOND), 0);
    (void)server_stop(&servers[0]);
    (void)server_stop(&servers[1]);
    shmipc_free(guest);
}

/* ---- A guest is killed ---- */

static void guest_is_killed_while(void (*what)(struct stage *stage, shmipc_peer *peer),
                                  bool host_serves) {
    struct play play = {.child_is_guest = true, .act = what};
    struct server servers[2];
    pid_t child = begin(&play);
    if (host_serves) {
        server_start(&servers[0], play.peer, what == keep_every_answer ? answer : stay, play.stage);
        server_start(&servers[1], play.peer, what == keep_every_answer ? answer : stay, play.stage);
    }
    strike(&play, child);
    gate_pass(&play.stage->go_on);
    if (host_serves) {
        (void)server_stop(&servers[0]);
        (void)server_stop(&servers[1]);
    }
    host_and_new_guest_work(&play);
    end(&play);
}

static void test_a_guest_killed_in_any_state_of_its_calls_leaves_every_slot(void **state) {
    (void)state;
    guest_is_killed_while(be_idle, false);
    guest_is_killed_while(hold_every_slot, false);
    guest_is_killed_while(wait_for_a_slot, false);
    guest_is_killed_while(send_every_slot, false);
    guest_is_killed_while(send_every_slot, true);
    guest_is_killed_while(keep_every_answer, true);
    guest_is_killed_while(abandon_every_call, true);
}

/* The survivor's calls, each in a thread; when and how they ended. */
struct call {
    struct play *play;
    int64_t timeout;
    pthread_t thread;
    int error;
    uint64_t ended_at;
};

static void *call_in_a_thread(void *context) {
    struct call *call = context;
    call->error = call_empty(call->play->peer, call->timeout);
    call->ended_at = now_ns();
    return NULL;
}

static void start_call(struct call *call, struct play *play) {
    *call = (struct call){.play = play, .timeout = 60 * SECOND};
    call->thread = thread_start(call_in_a_thread, call);
}

/* How long after the kill it ended. */
static uint64_t end_of_call(struct call *call, int expected) {
    thread_join(call->thread);
    must_equal(call->error, expected);
    return call->ended_at > call->play->killed_at ? call->ended_at - call->play->killed_at : 0;
}

static uint64_t longer(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

/* One slot is WORKING in a handler, one REQUEST behind it, and a third call waits for a slot. */
static uint64_t responder_is_killed(bool child_is_guest) {
    struct play play = {.child_is_guest = child_is_guest, .act = be_serving};
    struct call working;
    struct call waiting;
    pid_t child = begin(&play);
    start_call(&working, &play);
    gate_await(&play.stage->entered, 1);
    start_call(&waiting, &play);
    strike(&play, child);
    uint64_t took =
        longer(end_of_call(&working, SHMIPC_E_PEER_DIED), end_of_call(&waiting, SHMIPC_E_NO_PEER));
    must_equal(atomic_load(&play.stage->runs), 1);
    gate_pass(&play.stage->go_on);
    if (child_is_guest)
        host_and_new_guest_work(&play);
    end(&play);
    return took;
}

static uint64_t abandoned_handler_is_killed(bool child_is_guest) {
    struct play play = {.child_is_guest = child_is_guest, .act = be_serving};
    shmipc_slot slots[2];
    pid_t child = begin(&play);
    must_equal(shmipc_slot_claim(play.peer, SECOND, &slots[0]), 0);
    must_equal(shmipc_slot_send(slots[0], 0, 0, 0), 0);
    gate_await(&play.stage->entered, 1);
    must_equal(shmipc_slot_release(slots[0]), 0);
    strike(&play, child);
    if (child_is_guest) {
        must_equal(shmipc_slot_claim(play.peer, LATE, &slots[0]), 0);
        must_equal(shmipc_slot_claim(play.peer, LATE, &slots[1]), 0);
        must_equal(shmipc_slot_release(slots[0]), 0);
        must_equal(shmipc_slot_release(slots[1]), 0);
    }
    uint64_t took = now_ns() - play.killed_at;
    gate_pass(&play.stage->go_on);
    if (child_is_guest)
        host_and_new_guest_work(&play);
    end(&play);
    return took;
}

static void is_soon(uint64_t (*time)(bool child_is_guest), bool child_is_guest) {
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < TRIES; i++) {
        uint64_t took = time(child_is_guest);
        must(took < LATE);
        best = took < best ? took : best;
    }
    must(best < SOON);
}

static void test_a_killed_responder_ends_the_calls_it_had(void **state) {
    (void)state;
    is_soon(responder_is_killed, true);
    is_soon(responder_is_killed, false);
}

static void test_a_responder_killed_in_an_abandoned_handler_leaves_its_slot(void **state) {
    (void)state;
    is_soon(abandoned_handler_is_killed, true);
    is_soon(abandoned_handler_is_killed, false);
}

/* ---- A host is killed: everything that a guest does ends ---- */

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

/* ---- A guest's death is news ---- */

static uint64_t time_of_death_notice(bool child_is_guest) {
    struct play play = {.child_is_guest = child_is_guest, .act = be_idle};
    shmipc_event event;
    pid_t child = begin(&play);
    if (child_is_guest) {
        must_equal(shmipc_next_event(play.peer, 20 * SECOND, &event), 0);
        must_equal(event.kind, SHMIPC_EVENT_ATTACHED);
    }
    strike(&play, child);
    must_equal(shmipc_next_event(play.peer, LATE, &event), 0);
    must_equal(event.kind, SHMIPC_EVENT_DIED);
    must_equal(event.pid, child);
    uint64_t took = now_ns() - play.killed_at;
    end(&play);
    return took;
}

static void test_a_death_is_an_event_within_two_ticks(void **state) {
    (void)state;
    is_soon(time_of_death_notice, true);
    is_soon(time_of_death_notice, false);
}

HAZARD_MAIN("states", hazard_test(test_a_guest_killed_in_any_state_of_its_calls_leaves_every_slot),
            hazard_test(test_a_killed_responder_ends_the_calls_it_had),
            hazard_test(test_a_responder_killed_in_an_abandoned_handler_leaves_its_slot),
            hazard_test(test_a_guest_learns_of_its_hosts_death_whatever_it_does),
            hazard_test(test_a_standby_learns_of_its_hosts_death),
            hazard_test(test_a_death_is_an_event_within_two_ticks))
