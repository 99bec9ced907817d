#include "call/turns.h"

#include "base/thread.h"

bool shmi_turns_leave_room(const shmipc_peer *p) {
    uint64_t now = shmi_clock_now();
    /* A waiter just notified counts as having one. */
    uint32_t under_way = shmi_turn_is_handed_on(&p->calling.turns, now);
    for (uint32_t i = p->calls.first; i < p->calls.first + p->calls.count; i++) {
        bool is_claimed = load_relaxed32(&p->slots[i].claim) % 2 != 0;
        under_way += shmi_turn_is_under_way(&p->slots[i].turn, is_claimed, now);
    }
    return turns_leave_room(&p->calling.turns, under_way, p->processors);
}

/* Clears the affinity, so that the thread's next claim skips try_usual and steps aside. */
static void end_turn(const shmipc_peer *p) {
    struct thread_state *thread = shmi_thread_state();
    thread->steps_aside = p;
    thread->affinity = UINT32_MAX;
}

bool shmi_turns_keep(shmipc_peer *p, struct local_slot *l) {
    /* A thread that had no turn, or that held the slot, may not call again soon: its release
       notifies. */
    const bool comes_back = l->turn.began != 0 && !l->call.held;
    const bool slept = l->call.slept;
    l->call.slept = false;
    if (turn_goes_on(&l->turn, slept || l->call.held))
        return true;
    uint64_t now = shmi_clock_now();
    uint32_t waiters = load_relaxed32(&p->calls.vacancies.waiters);
    enum turn_step step = shmi_turn_next(&l->turn, &p->calling.turns, slept, waiters, now);
    if (step != TURN_ENDS)
        return step == TURN_LASTS && comes_back;
    end_turn(p);
    if (!shmi_turns_leave_room(p))
        return true;
    store_relaxed64(&p->calling.turns.handed_on, now);
    return false;
}

bool shmi_turns_step_aside(const shmipc_peer *p) {
    struct thread_state *thread = shmi_thread_state();
    bool aside = thread->steps_aside == p;
    thread->steps_aside = NULL;
    return aside;
}
