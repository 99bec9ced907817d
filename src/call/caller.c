#include "call/caller.h"

#include "base/error.h"
#include "call/outcome.h"
#include "peer/membership.h"
#include "region/copy.h"
#include "region/liveness.h"
#include "region/slot.h"
#include "region/wake_caller.h"
#include "wait/stop.h"

/* ---- Awaiting the answer ---- */

static bool is_pending(word seen) {
    return word_state(seen) == SLOT_REQUEST || word_state(seen) == SLOT_WORKING;
}

/* After the hold-off, when the answer is due, prefetches its lines for writing: the next request
   probably changes them. */
static void hold_off(const struct local_slot *l, const struct await *await, struct spin *spin) {
    bool held = reach_is_foreseeable(l->call.reach) && wait_hold_off(&l->hold_off);
    if (held)
        slot_fetch_to_change(l->shared, l->call.reach);
    if (held || !await->one_of_several)
        spin_tightly(spin, hold_off_retry(&l->hold_off));
}

/* Slots that a thread claims in succession mostly lie side by side, and are received in that order.
   If most answers are ready at once, and this one was, the next may be too: prefetch it while this
   one is read. The next slot may be another thread's claim; this thread cannot tell. */
static void fetch_next(const shmipc_peer *p, const struct local_slot *l) {
    const struct local_slot *next = l + 1;
    if (next == p->slots + p->calls.first + p->calls.count)
        next = p->slots + p->calls.first;
    if (hold_off_is_needless(&l->hold_off) && load_relaxed32(&next->claim) % 2 != 0)
        slot_fetch_to_change(next->shared, l->call.reach);
}

/* Learns from a wait that ended while this thread spun. */
static void learn_from(const shmipc_peer *p, struct local_slot *l, const struct spin *spin,
                       const struct await *await) {
    bool at_once = spin_was_needless(spin);
    spin_won(spin);
    if (!l->call.woke_worker && reach_is_foreseeable(l->call.reach))
        hold_off_learn(&l->hold_off, at_once);
    if (at_once && await->one_of_several)
        fetch_next(p, l);
}

static word spin_for_answer(const shmipc_peer *p, struct local_slot *l, const struct await *await) {
    struct spin spin = spin_begin(&l->spins);
    word seen;
    if (l->call.woke_worker)
        shmi_cpu_yield(); /* the woken worker may be waiting for this processor */
    else
        hold_off(l, await, &spin);
    do {
        seen = slot_look(l->shared);
        slot_fetch_ahead(l->shared);
    } while (is_pending(seen) && wait_again(&spin));
    if (!is_pending(seen))
        learn_from(p, l, &spin, await);
    return seen;
}

static const struct reason *reason_to_stop(shmipc_peer *p, const struct local_slot *l,
                                           const struct await *await) {
    if (load_seq_cst32(&p->life.phase) == PEER_CLOSED)
        return &shmi_reason_closed;
    if (load_seq_cst32(&l->cancelled) == load_relaxed32(&l->claim) || stop_is_asked(await->stop))
        return &shmi_reason_cancelled;
    return NULL;
}

/* Sleeps until the answer, a tick, a death, or the deadline. */
static void sleep_for_answer(const shmipc_peer *p, struct local_slot *l, word parked,
                             struct await *await) {
    uint64_t until = sooner(shmi_deadline_at(await->deadline), await->look_at);
    count64(&l->parks);
    bool death = shmi_word_wait(p->region.object, shmi_slot_futex(l->shared), word_low(parked),
                                until, NO_HOME);
    uint64_t now = shmi_clock_now();
    if (death || now >= await->look_at) {
        await->check_responder = true;
        await->look_at = now + TICK_NS;
    }
}

/* Reaping reclaims all that the dead guest had. If a new guest has its index by now, only this
   slot is reclaimed. */
static void reclaim_from_dead(shmipc_peer *p, uint32_t index, word seen) {
    shmi_membership_reap_dead(p);
    (void)shmi_reclaim_slot(&p->region, index, seen);
    store_relaxed32(&p->membership.remote_alive, 0); /* as after reaping a guest */
}

/* True if no live peer could answer, and the call does not wait for a guest to come. No guest comes
   to a region that has lost its name. */
static bool is_hopeless(shmipc_peer *p, const struct local_slot *l) {
    if (l->call.to != 0) /* another guest in its place has another epoch */
        return !shmi_owner_serves(&p->region, l->call.to);
    bool may_come = peer_is_host(p) && l->call.waits_ready;
    return !shmi_peer_remote_is_alive(p) &&
           !(may_come && load_relaxed32(&p->membership.host_lost) == HOST_PRESENT);
}

/* Looks for the responder of a pending call. Returns the reason to end the call, or NULL; sets
   *withdrawn if it has taken the request back. If somebody takes the request just now, the
   withdrawal fails: then the call goes on. */
static const struct reason *look_after_responder(shmipc_peer *p, struct local_slot *l, word seen,
                                                 bool *withdrawn) {
    if (peer_is_host(p) && word_state(seen) == SLOT_WORKING) {
        if (shmi_owner_is_dead(&p->region, seen))
            reclaim_from_dead(p, (uint32_t)(l - p->slots), seen);
        shmi_peer_tell_trouble(p);
        return NULL;
    }
    const bool hopeless = is_hopeless(p, l);
    if (hopeless && !peer_is_host(p)) /* a host answers nothing between two steps of leaving */
        return load_relaxed32(&p->membership.host_lost) == HOST_PRESENT ? &shmi_reason_shutting_down
                                                                        : &shmi_reason_host_lost;
    *withdrawn = (hopeless || peer_host_is_leaving(p)) && shmi_slot_withdraw(l->shared, &seen);
    return NULL;
}

/* True once per tick and slot, for a thread that does not sleep until a tick comes. */
static bool take_look(struct local_slot *l) {
    uint64_t now = shmi_clock_now();
    if (now - l->call.checked_at < TICK_NS)
        return false;
    l->call.checked_at = now;
    return true;
}

/* One round of a pending call. OK: look again. Otherwise the call has ended. If PARKED
   could not be set the word has changed, but the reasons to stop still hold. A lost responder is
   reported rather than a time-out, which says less. */
static int await_round(shmipc_peer *p, struct local_slot *l, word seen, struct await *await) {
    shmi_send_notify_parked(p, l, seen);
    bool parked = shmi_slot_park(l->shared, &seen);
    if (!parked && ++await->missed > WORD_CHANGES)
        return shmi_outcome_corrupt(p, l, seen);
    const struct reason *reason = reason_to_stop(p, l, await);
    bool over = shmi_deadline_passed(await->deadline);
    if (over && take_look(l)) /* the time-outs may all be shorter than a tick */
        await->check_responder = true;
    if (parked && reason == NULL && await->check_responder) {
        bool withdrawn = false;
        reason = look_after_responder(p, l, seen, &withdrawn);
        await->check_responder = false;
        if (withdrawn)
            return shmi_outcome_withdrawn(p, l, slot_look(l->shared));
        seen = slot_look(l->shared);
    }
    if (reason == NULL && over)
        reason = &shmi_reason_timed_out;
    if (reason != NULL)
        return shmi_outcome_give_up(p, l, reason, await->deadline->timeout, &await->answered);
    l->call.slept |= word_state(seen) == SLOT_WORKING;
    if (parked && (seen & WORD_PARKED) != 0)
        sleep_for_answer(p, l, seen, await);
    return SHMIPC_OK;
}

static int await_rounds(shmipc_peer *p, struct local_slot *l, struct await *await) {
    await->check_responder = load_relaxed32(&p->membership.remote_alive) == 0 ||
                             load_relaxed32(&p->membership.host_lost) != 0;
    await->look_at = shmi_clock_now() + TICK_NS;
    if (await->one_of_several && shmi_send_notify_for_all(p))
        l->call.notified = true;
    word seen = slot_look(l->shared);
    while (is_pending(seen) && slot_is_valid_successor(l->last, seen)) {
        int error = await_round(p, l, seen, await);
        if (error)
            return error;
        seen = slot_look(l->shared);
    }
    return SHMIPC_OK;
}

struct stoppable_call {
    shmipc_peer *peer;
    struct local_slot *local;
};

/* May run in a signal handler, and in a forked child, which cannot enter; also when the call has
   just ended, and its slot is another thread's. */
static void wake_stopped(void *context) {
    const struct stoppable_call *call = context;
    if (!shmi_peer_try_enter(call->peer)) /* a closing peer wakes all callers anyway */
        return;
    shmi_caller_wake(call->peer, call->local);
    shmi_peer_leave(call->peer);
}

COLD static int await_asleep(shmipc_peer *p, struct local_slot *l, struct await *await) {
    struct stoppable_call call = {p, l};
    struct stop_waiter waiter = {.wake = wake_stopped, .context = &call};
    await->stop = shmi_stop_of_thread();
    shmi_stop_join(await->stop, &waiter);
    int error = await_rounds(p, l, await);
    shmi_stop_leave(await->stop, &waiter);
    return error;
}

/* ---- The answer ---- */

static int check_answer_type(shmipc_peer *p, const struct local_slot *l, uint32_t type) {
    if (type_is_sendable(type) || (type == TYPE_HEARTBEAT_REPLY && l->call.type == TYPE_HEARTBEAT))
        return SHMIPC_OK;
    return shmi_peer_mark_corrupt(p, "a response of the reserved type %u", (unsigned)type);
}

/* The shared length and type are read once, here; the length is checked before it is used. */
static int view_answer(shmipc_peer *p, struct local_slot *l, word seen, shmipc_response *view) {
    uint32_t length = load_relaxed32(&l->shared->length);
    uint32_t capacity = p->calls.response_capacity;
    uint8_t *buffer = region_response_buffer(&p->region, l->shared);
    const bool at_end = (seen & WORD_ALIGN_END) != 0;
    if (length > capacity)
        return shmi_peer_mark_corrupt(p, "a response of %u bytes, the capacity is %u",
                                      (unsigned)length, (unsigned)capacity);
    view->length = length;
    view->type = load_relaxed32(&l->shared->type);
    view->flags = 0;
    if (length <= INLINE_SIZE)
        view->data = l->shared->payload + inline_offset(length, at_end);
    else
        view->data = at_end ? buffer + capacity - length : buffer;
    view->capacity = length;
    if (seen & WORD_ERROR)
        return shmi_outcome_of_error(p, view);
    return check_answer_type(p, l, view->type);
}

/* No correct peer changes the word of a request that was taken back. If a hostile one did, the word
   counts, since a handler may run by it. */
static bool is_withdrawn(const struct local_slot *l, word seen) {
    return l->call.withdrawn && word_state(seen) == SLOT_FREE;
}

COLD static int end_unanswered(shmipc_peer *p, struct local_slot *l, word seen) {
    return is_withdrawn(l, seen) ? shmi_outcome_withdrawn(p, l, seen)
                                 : shmi_outcome_corrupt(p, l, seen);
}

static int take_answer(shmipc_peer *p, struct local_slot *l, word seen, shmipc_response *view) {
    if (!slot_is_valid_successor(l->last, seen) || word_state(seen) != SLOT_RESPONSE)
        return end_unanswered(p, l, seen);
    leave_crowd(p, l);
    l->last = seen;
    l->phase = PHASE_ANSWERED;
    if (load_relaxed32(&l->cancelled) != 0)
        store_relaxed32(&l->cancelled, 0); /* the cancellation came too late */
    if (seen & WORD_RECLAIMED)
        return shmi_outcome_died(p, l);
    int error = view_answer(p, l, seen, view);
    if (!is_answer(error)) {
        count64(&l->failed);
        shmi_pool_release(p, l);
    } else if (load_relaxed32(&p->membership.remote_alive) == 0) {
        store_relaxed32(&p->membership.remote_alive, 1);
    }
    return error;
}

/* If no worker polls, handlers may be long, and the workers may need this processor. Such a wait
   counts among the long ones until it is over. */
static bool may_spin(shmipc_peer *p, struct local_slot *l) {
    if (l->call.polled)
        return true;
    l->call.is_in_crowd = true;
    shmi_crowd_enter(&p->calling.long_waits);
    return crowd_leaves_room(&p->calling.long_waits, p->processors);
}

/* A caller that notified at publishing, and sleeps at once, need not notify again. */
static word await_awake(shmipc_peer *p, struct local_slot *l, const struct await *await) {
    if (may_spin(p, l))
        return spin_for_answer(p, l, await);
    l->call.notified = l->call.woke_worker;
    return slot_look(l->shared);
}

/* Cutting off replaces a slot's parts by copies one by one: an answer that comes meanwhile may be
   torn. Called after an acquire of the word: an answer seen before the peer closed is whole. */
static bool is_lost(shmipc_peer *p, const struct local_slot *l) {
    return load_relaxed32(&p->life.phase) == PEER_CLOSED && shmi_outcome_started_in_region(p, l);
}

int shmi_caller_receive(shmipc_peer *p, struct local_slot *l, struct await *await,
                        shmipc_response *view) {
    word seen = await_awake(p, l, await);
    if (is_pending(seen)) {
        int error = await_asleep(p, l, await);
        if (error)
            return error;
        seen = slot_look(l->shared);
    }
    return is_lost(p, l) ? shmi_outcome_cut_off(p, l) : take_answer(p, l, seen, view);
}

/* ---- Without waiting ---- */

/* What a look has said must hold when the call is received. A guest's host does not come back: the
   next look finds so too. But a host may get another guest, which would take the request. */
static bool ends_hopeless(shmipc_peer *p, struct local_slot *l, word seen) {
    if (!is_hopeless(p, l))
        return false;
    l->call.checked_at = 0;
    if (peer_is_host(p))
        l->call.withdrawn = shmi_slot_withdraw(l->shared, &seen);
    return !peer_is_host(p) || l->call.withdrawn;
}

/* A caller that only looks, and never sleeps, also learns of a death here. */
static bool responder_is_lost(shmipc_peer *p, struct local_slot *l, word seen) {
    if (!take_look(l))
        return load_relaxed32(&p->membership.host_lost) == HOST_IS_DEAD;
    if (!peer_is_host(p) || word_state(seen) != SLOT_WORKING)
        return ends_hopeless(p, l, seen);
    if (shmi_owner_is_dead(&p->region, seen))
        reclaim_from_dead(p, (uint32_t)(l - p->slots), seen);
    shmi_peer_tell_trouble(p);
    return !is_pending(slot_look(l->shared));
}

bool shmi_caller_has_ended(shmipc_peer *p, struct local_slot *l, word seen) {
    return !is_pending(seen) || !slot_is_valid_successor(l->last, seen) ||
           load_seq_cst32(&p->life.phase) == PEER_CLOSED ||
           load_seq_cst32(&l->cancelled) == load_relaxed32(&l->claim);
}

bool shmi_caller_would_end(shmipc_peer *p, struct local_slot *l) {
    word seen = slot_look(l->shared);
    if (shmi_caller_has_ended(p, l, seen))
        return true;
    shmi_send_notify_parked(p, l, seen);
    return responder_is_lost(p, l, seen);
}

void shmi_caller_abandon(shmipc_peer *p, struct local_slot *l) {
    const word seen = slot_look(l->shared);
    bool answered = l->phase != PHASE_SENT;
    if (is_withdrawn(l, seen))
        (void)shmi_outcome_withdrawn(p, l, seen);
    else if (!answered)
        (void)shmi_outcome_give_up(p, l, &shmi_reason_cancelled, 0, &answered);
    if (answered)
        shmi_pool_release(p, l);
}

void shmi_caller_wake(shmipc_peer *p, struct local_slot *l) {
    if (shmi_slot_unpark(l->shared, p->self))
        shmi_wake_caller(&p->region, (uint32_t)(l - p->slots), p->index);
}

void shmi_caller_wake_all(shmipc_peer *p) {
    for (uint32_t i = p->calls.first; i < p->calls.first + p->calls.count; i++) {
        if (load_seq_cst32(&p->slots[i].claim) % 2 != 0)
            shmi_caller_wake(p, &p->slots[i]);
    }
}
