/*
 * A caller or a responder is killed in each state that a slot can have. The other side is told
 * within two ticks, told the right thing, and every slot is usable afterwards.
 */
#define _GNU_SOURCE
#include "hazard/peers.h"
#include "hazard/play.h"

/* ---- What the child does, as a peer of either role ---- */

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

/* Attaches a new guest, and uses all slots of both directions. */
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
            hazard_test(test_a_death_is_an_event_within_two_ticks))
