/*
 * The calling side of a slot: send a request, await its answer, or give it up.
 */
#include "call/caller.h"

#include "base/error.h"
#include "peer/membership.h"
#include "region/copy.h"
#include "region/liveness.h"
#include "region/slot.h"
#include "region/wake_caller.h"

/* ---- Sending ---- */

int shmi_caller_refuse(const shmipc_peer *p, uint32_t type, size_t length) {
    if (!type_is_sendable(type))
        return shmi_fail(SHMIPC_E_TYPE, "type %u is reserved; free are %u and above",
                         (unsigned)type, SHMIPC_TYPE_APPLICATION);
    return shmi_fail(SHMIPC_E_TOO_LARGE, "the request has %zu bytes, the capacity is %u", length,
                     (unsigned)p->calls.request_capacity);
}

/* Until a dead guest is reaped, its bit among the sleepers costs every call a system call. */
static void note_vain_notify(shmipc_peer *p) {
    enum { VAIN_NOTIFIES_BEFORE_LOOK = 64 };
    uint32_t notifies = add_relaxed32(&p->vain_notifies);
    if (peer_is_host(p) && notifies % VAIN_NOTIFIES_BEFORE_LOOK == VAIN_NOTIFIES_BEFORE_LOOK - 1)
        shmi_membership_reap_dead(p);
}

static void notify_workers(shmipc_peer *p, uint32_t wake_count) {
    if (shmi_eventcount_notify(&p->calls.requests, wake_count) == 0)
        note_vain_notify(p);
}

/* Wakes the guest that last served this slot, if it sleeps: its caches are warm, and guests that
   have slept long sleep on. `last` is the word before the request; in a guest slot its owner is the
   caller, which serves no such requests: then any sleeper is woken. */
COLD static void notify_home(shmipc_peer *p, struct local_slot *l, word last) {
    count64(&l->wakes);
    const uint32_t slot = (uint32_t)(l - p->slots) - p->calls.first;
    if (shmi_eventcount_notify_home(&p->calls.requests, owner_index(word_owner(last)), slot) == 0)
        note_vain_notify(p);
}

/* A thread whose calls are always answered while it spins would keep its processor until the
   scheduler preempts it: too long if many threads wait for a processor. */
COLD static void yield_processor(const shmipc_peer *p) {
    if (shmi_pool_is_crowded(p))
        shmi_cpu_yield();
}

static int publish(shmipc_peer *p, struct local_slot *l, uint32_t type, size_t length,
                   uint64_t flags) {
    word last = l->last;
    word published;
    store_relaxed32(&l->shared->length, (uint32_t)length);
    store_relaxed32(&l->shared->type, type);
    if (!slot_publish_request(l->shared, last, p->self, flags, &published))
        return shmi_peer_mark_corrupt(
            p, "somebody else changed slot %u of this caller; nothing was sent",
            (unsigned)(l - p->slots));
    l->last = published;
    l->phase = PHASE_SENT;
    l->type = type;
    l->reach = reach_of(length);
    l->notified = false;
    l->polled = eventcount_has_pollers(&p->calls.requests);
    l->woke_worker = !l->polled && eventcount_has_sleepers(&p->calls.requests);
    count64(&l->calls);
    if (l->woke_worker)
        notify_home(p, l, last);
    if (load_relaxed64(&l->calls) % CALLS_PER_TURN == 0)
        yield_processor(p);
    return SHMIPC_OK;
}

static int send_inline(shmipc_peer *p, struct local_slot *l, uint32_t type, const void *data,
                       size_t length, bool at_end) {
    copy_in(l->shared->payload, inline_offset(length, at_end), data, length);
    return publish(p, l, type, length, at_end ? WORD_ALIGN_END : 0);
}

static bool waits_ready(const shmipc_peer *p, uint32_t flags) {
    return p->wait_ready || (flags & SHMIPC_WAIT_READY) != 0;
}

int shmi_caller_send_copy(shmipc_peer *p, struct local_slot *l, const shmipc_request *request) {
    size_t length = request->length;
    l->waits_ready = waits_ready(p, request->flags);
    if (length <= INLINE_SIZE)
        return send_inline(p, l, request->type, request->data, length, belongs_at_end(length));
    memcpy(region_request_buffer(l->shared), request->data, length);
    return publish(p, l, request->type, length, 0);
}

int shmi_caller_send_in_place(shmipc_peer *p, struct local_slot *l, uint32_t type, size_t length,
                              uint32_t flags) {
    bool at_end = (flags & SHMIPC_ALIGN_END) != 0;
    l->waits_ready = waits_ready(p, flags);
    if (length > INLINE_SIZE)
        return publish(p, l, type, length, at_end ? WORD_ALIGN_END : 0);
    const uint8_t *buffer = region_request_buffer(l->shared);
    if (at_end)
        buffer += p->calls.request_capacity - length;
    return send_inline(p, l, type, buffer, length, at_end || belongs_at_end(length));
}

/* ---- The end of a call without an answer ---- */

/* The error is `started` if a responder had taken the request. */
struct reason {
    int never_started;
    int started;
    const char *text;
};

static const struct reason timed_out = {SHMIPC_E_TIMEOUT, SHMIPC_E_TIMEOUT_STARTED, "timed out"};
static const struct reason cancelled = {SHMIPC_E_CANCELLED, SHMIPC_E_CANCELLED_STARTED,
                                        "cancelled"};
static const struct reason closed = {SHMIPC_E_CLOSED, SHMIPC_E_CLOSED_STARTED, "peer closed here"};
static const struct reason shutting_down = {SHMIPC_E_SHUTDOWN, SHMIPC_E_PEER_DIED,
                                            "the host is shutting down"};
static const struct reason host_lost = {SHMIPC_E_NO_PEER, SHMIPC_E_PEER_DIED, "the peer died"};

static void leave_crowd(shmipc_peer *p, struct local_slot *l) {
    if (l->is_in_crowd)
        shmi_crowd_leave(&p->long_waits);
    l->is_in_crowd = false;
}

/* Called before the claim is given back. */
static void count_failure(shmipc_peer *p, struct local_slot *l) {
    count64(&l->failed);
    leave_crowd(p, l);
}

static void end_unstarted(shmipc_peer *p, struct local_slot *l, word now) {
    l->last = now;
    count_failure(p, l);
    shmi_pool_unclaim_free(p, l);
}

static void end_started(shmipc_peer *p, struct local_slot *l) {
    l->quarantined = true;
    count_failure(p, l);
    shmi_pool_unclaim(p, l);
}

COLD static int end_corrupt(shmipc_peer *p, struct local_slot *l, word seen) {
    int error = shmi_peer_mark_corrupt(p, "slot word 0x%016llx after a request 0x%016llx",
                                       (unsigned long long)seen, (unsigned long long)l->last);
    l->quarantined = true;
    count_failure(p, l);
    shmi_pool_unclaim(p, l);
    return error;
}

/* For a call that ended unstarted, or answered, by the word that this peer sees. True if that word
   may be a copy, and a handler had started by the region's own word. */
COLD static bool started_in_region(shmipc_peer *p, const struct local_slot *l) {
    shmi_peer_await_settlement(p);
    word settled = load_relaxed64(&l->settled);
    return word_same_sequence(l->last, settled) && word_state(settled) != SLOT_FREE;
}

COLD static int end_cut_off(shmipc_peer *p, struct local_slot *l) {
    end_started(p, l);
    return shmi_fail(SHMIPC_E_CLOSED_STARTED, "peer closed here after a handler had started");
}

static int end_without_answer(shmipc_peer *p, struct local_slot *l, const struct reason *reason,
                              int64_t timeout, bool *answered) {
    word seen;
    switch (shmi_slot_give_up(l->shared, l->last, &seen)) {
    case CANCEL_ANSWERED:
        l->last = seen;
        *answered = true;
        return SHMIPC_OK;
    case CANCEL_NEVER_STARTED:
        if (started_in_region(p, l))
            return end_cut_off(p, l);
        end_unstarted(p, l, seen);
        return shmi_fail(reason->never_started, "%s (time-out %lld ns); never started",
                         reason->text, (long long)timeout);
    case CANCEL_STARTED:
        end_started(p, l);
        return shmi_fail(reason->started, "%s (time-out %lld ns) after a handler had started",
                         reason->text, (long long)timeout);
    default:
        return end_corrupt(p, l, seen);
    }
}

/* ---- Awaiting the answer ---- */

static bool is_pending(word seen) {
    return word_state(seen) == SLOT_REQUEST || word_state(seen) == SLOT_WORKING;
}

/* Prefetches after the hold-off, when the answer is due, and to write, since the next request
   probably changes the same lines. */
static void hold_off(const struct local_slot *l, const struct await *await, struct spin *spin) {
    bool held = reach_is_foreseeable(l->reach) && wait_hold_off(&l->hold_off);
    if (held)
        slot_fetch_to_change(l->shared, l->reach);
    if (held || !await->one_of_several)
        spin_tightly(spin, hold_off_retry(&l->hold_off));
}

/* Slots that a thread claims in succession mostly lie side by side, and are received in that order.
   If most answers are ready at once, and this one was, the next may be too: prefetch it while this
   one is read. Its claim may belong to another thread; this one cannot tell. */
static void fetch_next(const shmipc_peer *p, const struct local_slot *l) {
    const struct local_slot *next = l + 1;
    if (next == p->slots + p->calls.first + p->calls.count)
        next = p->slots + p->calls.first;
    if (hold_off_is_needless(&l->hold_off) && load_relaxed32(&next->claim) % 2 != 0)
        slot_fetch_to_change(next->shared, l->reach);
}

/* Learns from a wait that ended while this thread spun. */
static void learn_from(const shmipc_peer *p, struct local_slot *l, const struct spin *spin,
                       const struct await *await) {
    bool at_once = spin_was_needless(spin);
    spin_won(spin);
    if (!l->woke_worker && reach_is_foreseeable(l->reach))
        hold_off_learn(&l->hold_off, at_once);
    if (at_once && await->one_of_several)
        fetch_next(p, l);
}

static word spin_for_answer(const shmipc_peer *p, struct local_slot *l, const struct await *await) {
    struct spin spin = spin_begin(&l->spins);
    word seen;
    if (l->woke_worker)
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

static const struct reason *reason_to_stop(shmipc_peer *p, const struct local_slot *l) {
    if (load_seq_cst32(&p->phase) == PEER_CLOSED)
        return &closed;
    return load_seq_cst32(&l->cancelled) == load_relaxed32(&l->claim) ? &cancelled : NULL;
}

/*
 * A worker may be parked while the poller is in a handler. If no worker has taken the request when
 * the caller stops spinning, the caller notifies one, once. A notification at publishing does not
 * count, since the worker that received it may have found another request first.
 */
static void notify_parked_worker(shmipc_peer *p, struct local_slot *l, word seen) {
    if (l->notified || word_state(seen) != SLOT_REQUEST ||
        !eventcount_has_sleepers(&p->calls.requests))
        return;
    l->notified = true;
    count64(&l->wakes);
    notify_workers(p, WAKE_ONE);
}

bool shmi_caller_notify_for_all(shmipc_peer *p) {
    uint32_t untaken = 0;
    if (!eventcount_has_sleepers(&p->calls.requests))
        return false;
    for (uint32_t i = p->calls.first; i < p->calls.first + p->calls.count; i++) {
        if (word_state(slot_look(region_slot(&p->region, i))) == SLOT_REQUEST)
            untaken++;
    }
    if (untaken > 0) {
        add_relaxed64(&p->wakes);
        notify_workers(p, untaken);
    }
    return untaken > 0;
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

/* Reaping reclaims everything the guest had. If the guest's successor holds the lock, only this
   slot is reclaimed. */
static void reclaim_from_dead(shmipc_peer *p, uint32_t index, word seen) {
    shmi_membership_reap_dead(p);
    (void)shmi_reclaim_slot(&p->region, index, seen);
    store_relaxed32(&p->remote_alive, 0); /* as after reaping a guest */
}

/* True if no live peer could answer, and the call does not wait for a guest to come. No guest comes
   to a region that has lost its name. */
static bool is_hopeless(shmipc_peer *p, const struct local_slot *l) {
    bool may_come = peer_is_host(p) && l->waits_ready;
    return !shmi_peer_remote_is_alive(p) &&
           !(may_come && load_relaxed32(&p->host_lost) == HOST_PRESENT);
}

/* Looks for the responder of a pending call. Returns the reason to end the call, or NULL. */
static const struct reason *look_after_responder(shmipc_peer *p, struct local_slot *l, word seen) {
    if (peer_is_host(p) && word_state(seen) == SLOT_WORKING) {
        if (shmi_owner_is_dead(&p->region, seen))
            reclaim_from_dead(p, (uint32_t)(l - p->slots), seen);
        shmi_peer_tell_trouble(p);
        return NULL;
    }
    if (!is_hopeless(p, l))
        return peer_host_is_leaving(p) && word_state(seen) == SLOT_REQUEST ? &shutting_down : NULL;
    if (!peer_is_host(p)) /* a host answers nothing between two steps of leaving */
        return load_relaxed32(&p->host_lost) == HOST_PRESENT ? &shutting_down : &host_lost;
    /* If a guest attaches and takes the request just now, the withdrawal fails. */
    return shmi_slot_withdraw(l->shared, &seen) ? &host_lost : NULL;
}

static int end_withdrawn(shmipc_peer *p, struct local_slot *l, word now) {
    if (started_in_region(p, l))
        return end_cut_off(p, l);
    end_unstarted(p, l, now);
    int error = shmi_peer_name_refusal(p);
    return error ? error : shmi_fail(SHMIPC_E_NO_PEER, "no live guest serves; never started");
}

/* True once per tick and slot, for a thread that does not sleep until a tick comes. */
static bool look_is_due(struct local_slot *l) {
    uint64_t now = shmi_clock_now();
    if (now - l->looked_after < TICK_NS)
        return false;
    l->looked_after = now;
    return true;
}

/* One round of a pending call. OK: look again. Otherwise the call has ended. If the word could not
   be parked it has changed, but the reasons to stop still hold. A lost responder is reported in
   preference to a time-out, as it says more. */
static int await_round(shmipc_peer *p, struct local_slot *l, word seen, struct await *await) {
    notify_parked_worker(p, l, seen);
    bool parked = shmi_slot_park(l->shared, &seen);
    if (!parked && ++await->missed > WORD_CHANGES)
        return end_corrupt(p, l, seen);
    const struct reason *reason = reason_to_stop(p, l);
    bool over = shmi_deadline_passed(await->deadline);
    if (over && look_is_due(l)) /* the time-outs may all be shorter than a tick */
        await->check_responder = true;
    if (parked && reason == NULL && await->check_responder) {
        reason = look_after_responder(p, l, seen);
        await->check_responder = false;
        if (reason == &host_lost && peer_is_host(p))
            return end_withdrawn(p, l, slot_look(l->shared));
        seen = slot_look(l->shared);
    }
    if (reason == NULL && over)
        reason = &timed_out;
    if (reason != NULL)
        return end_without_answer(p, l, reason, await->deadline->timeout, &await->answered);
    l->slept |= word_state(seen) == SLOT_WORKING;
    if (parked && (seen & WORD_PARKED) != 0)
        sleep_for_answer(p, l, seen, await);
    return SHMIPC_OK;
}

COLD static int await_asleep(shmipc_peer *p, struct local_slot *l, struct await *await) {
    await->check_responder =
        load_relaxed32(&p->remote_alive) == 0 || load_relaxed32(&p->host_lost) != 0;
    await->look_at = shmi_clock_now() + TICK_NS;
    if (await->one_of_several && shmi_caller_notify_for_all(p))
        l->notified = true;
    word seen = slot_look(l->shared);
    while (is_pending(seen) && slot_is_valid_successor(l->last, seen)) {
        int error = await_round(p, l, seen, await);
        if (error)
            return error;
        seen = slot_look(l->shared);
    }
    return SHMIPC_OK;
}

/* ---- The answer ---- */

static int check_answer_type(shmipc_peer *p, const struct local_slot *l, uint32_t type) {
    if (type_is_sendable(type) || (type == TYPE_HEARTBEAT_REPLY && l->type == TYPE_HEARTBEAT))
        return SHMIPC_OK;
    return shmi_peer_mark_corrupt(p, "a response of the reserved type %u", (unsigned)type);
}

static int excess_error(const shmipc_response *response) {
    struct excess excess = {0, 0};
    if (response->length == sizeof excess)
        memcpy(&excess, response->data, sizeof excess);
    return shmi_fail(SHMIPC_E_TOO_LARGE,
                     "the handler's answer has %llu bytes, the capacity is %llu",
                     (unsigned long long)excess.size, (unsigned long long)excess.capacity);
}

/* The message lies in memory that the other side can change, so the text is checked in a copy. */
static int handler_error(const shmipc_response *response) {
    char copy[400];
    size_t length = response->length < sizeof copy ? response->length : sizeof copy;
    memcpy(copy, response->data, length);
    return shmi_fail(SHMIPC_E_HANDLER, "the handler failed: %.*s", (int)length, copy);
}

COLD static int peers_error(shmipc_peer *p, const shmipc_response *response) {
    switch (response->type) {
    case -SHMIPC_E_TOO_LARGE:
        return excess_error(response);
    case -SHMIPC_E_TYPE:
        return shmi_fail(SHMIPC_E_TYPE, "the other side refused the message type as reserved");
    case -SHMIPC_E_SHUTDOWN:
        return shmi_fail(SHMIPC_E_SHUTDOWN, "the other side is shutting down; never started");
    case -SHMIPC_E_HANDLER:
        return handler_error(response);
    default:
        return shmi_peer_mark_corrupt(p, "an error response of type %u", (unsigned)response->type);
    }
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
        return peers_error(p, view);
    return check_answer_type(p, l, view->type);
}

COLD static int end_died(shmipc_peer *p, struct local_slot *l) {
    count64(&l->failed);
    shmi_pool_release(p, l);
    return shmi_fail(SHMIPC_E_PEER_DIED,
                     "the other side died, or left, after its handler had started");
}

static int take_answer(shmipc_peer *p, struct local_slot *l, word seen, shmipc_response *view) {
    if (!slot_is_valid_successor(l->last, seen))
        return end_corrupt(p, l, seen);
    leave_crowd(p, l);
    l->last = seen;
    l->phase = PHASE_ANSWERED;
    if (load_relaxed32(&l->cancelled) != 0)
        store_relaxed32(&l->cancelled, 0); /* the cancellation came too late */
    if (seen & WORD_RECLAIMED)
        return end_died(p, l);
    int error = view_answer(p, l, seen, view);
    if (!is_answer(error)) {
        count64(&l->failed);
        shmi_pool_release(p, l);
    } else if (load_relaxed32(&p->remote_alive) == 0) {
        store_relaxed32(&p->remote_alive, 1);
    }
    return error;
}

/* If no worker polls, handlers may be long, and the workers may need this processor. Such a wait
   counts among the long ones until it is over. */
static bool may_spin(shmipc_peer *p, struct local_slot *l) {
    if (l->polled)
        return true;
    l->is_in_crowd = true;
    shmi_crowd_enter(&p->long_waits);
    return crowd_leaves_room(&p->long_waits, p->processors);
}

/* A caller that notified at publishing, and sleeps at once, need not notify again. */
static word await_awake(shmipc_peer *p, struct local_slot *l, const struct await *await) {
    if (may_spin(p, l))
        return spin_for_answer(p, l, await);
    l->notified = l->woke_worker;
    return slot_look(l->shared);
}

/* The parts of a slot are replaced by copies one by one: an answer that came meanwhile may be torn.
   Follows an acquire of the word: an answer that was seen before the peer closed is whole. */
static bool is_lost(shmipc_peer *p, const struct local_slot *l) {
    return load_relaxed32(&p->phase) == PEER_CLOSED && started_in_region(p, l);
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
    return is_lost(p, l) ? end_cut_off(p, l) : take_answer(p, l, seen, view);
}

/* ---- Without waiting ---- */

/* A caller that only looks, and never sleeps, also learns of a death here. */
static bool responder_is_lost(shmipc_peer *p, struct local_slot *l, word seen) {
    if (!look_is_due(l))
        return load_relaxed32(&p->host_lost) == HOST_IS_DEAD;
    if (!peer_is_host(p) || word_state(seen) != SLOT_WORKING)
        return is_hopeless(p, l);
    if (shmi_owner_is_dead(&p->region, seen))
        reclaim_from_dead(p, (uint32_t)(l - p->slots), seen);
    shmi_peer_tell_trouble(p);
    return !is_pending(slot_look(l->shared));
}

bool shmi_caller_has_ended(shmipc_peer *p, struct local_slot *l, word seen) {
    return !is_pending(seen) || !slot_is_valid_successor(l->last, seen) ||
           load_seq_cst32(&p->phase) == PEER_CLOSED ||
           load_seq_cst32(&l->cancelled) == load_relaxed32(&l->claim);
}

bool shmi_caller_would_end(shmipc_peer *p, struct local_slot *l) {
    word seen = slot_look(l->shared);
    if (shmi_caller_has_ended(p, l, seen))
        return true;
    notify_parked_worker(p, l, seen);
    return responder_is_lost(p, l, seen);
}

void shmi_caller_abandon(shmipc_peer *p, struct local_slot *l) {
    bool answered = l->phase != PHASE_SENT;
    if (!answered)
        (void)end_without_answer(p, l, &cancelled, 0, &answered);
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
