/*
 * The calling side of a slot: send a request, await its answer, or give it up.
 */
#include "caller.h"

#include "copy.h"
#include "error.h"
#include "liveness.h"
#include "membership.h"
#include "slot.h"
#include "types.h"

static int check_length(size_t length, uint32_t capacity) {
    if (length <= capacity)
        return SHMIPC_OK;
    return shmi_fail(SHMIPC_E_TOO_LARGE, "the request has %zu bytes, the capacity is %u", length,
                     (unsigned)capacity);
}

static int check_type(uint32_t type) {
    if (type_is_sendable(type))
        return SHMIPC_OK;
    return shmi_fail(SHMIPC_E_TYPE, "type %u is reserved; free are %u and above", (unsigned)type,
                     SHMIPC_TYPE_APPLICATION);
}

static int check_message(const shmipc_peer *p, uint32_t type, size_t length) {
    int error = check_type(type);
    return error ? error : check_length(length, p->calls.request_capacity);
}

static struct local_slot *resolve(shmipc_slot slot) {
    if (slot.peer == NULL || slot.index >= region_slots(&slot.peer->region))
        return NULL;
    struct local_slot *l = &slot.peer->slots[slot.index];
    return pool_holds(l, slot.ticket) ? l : NULL;
}

static int stale(void) {
    return shmi_fail(SHMIPC_E_STALE, "the slot was released, or its call ended without an answer");
}

/* ---- Sending ---- */

/* A dead guest's bit among the sleepers would cost every call a system call until it is buried. */
static void note_vain_ring(shmipc_peer *p) {
    enum { VAIN_RINGS_BEFORE_LOOK = 64 };
    uint32_t rings = atomic_fetch_add_explicit(&p->vain_rings, 1, memory_order_relaxed);
    if (peer_is_host(p) && rings % VAIN_RINGS_BEFORE_LOOK == VAIN_RINGS_BEFORE_LOOK - 1)
        shmi_membership_bury_dead(p);
}

static void ring_workers(shmipc_peer *p, struct local_slot *l, uint32_t wake_count) {
    count64(&l->wakes);
    if (shmi_doorbell_ring(&p->calls.requests, wake_count) == 0)
        note_vain_ring(p);
}

static int publish(shmipc_peer *p, struct local_slot *l, uint32_t type, size_t length,
                   uint64_t flags) {
    word last = l->last;
    store_relaxed32(&l->shared->length, (uint32_t)length);
    store_relaxed32(&l->shared->type, type);
    if (!shmi_slot_publish_request(l->shared, last, p->self, flags, &l->last))
        return shmi_peer_poison(p, "a slot of this caller was changed by somebody else");
    l->phase = PHASE_SENT;
    l->type = type;
    l->rang = false;
    count64(&l->calls);
    if (doorbell_has_sleepers(&p->calls.requests))
        ring_workers(p, l, WAKE_ONE);
    return SHMIPC_OK;
}

static int send_copy(shmipc_peer *p, struct local_slot *l, const shmipc_request *request) {
    if (request->length <= INLINE_SIZE)
        copy_small(l->shared->payload, request->data, request->length);
    else
        memcpy(region_request_buffer(l->shared), request->data, request->length);
    return publish(p, l, request->type, request->length, 0);
}

static int send_in_place(shmipc_peer *p, struct local_slot *l, uint32_t type, size_t length,
                         uint32_t flags) {
    bool at_end = (flags & SHMIPC_ALIGN_END) != 0;
    if (length > INLINE_SIZE)
        return publish(p, l, type, length, at_end ? WORD_ALIGN_END : 0);
    const uint8_t *buffer = region_request_buffer(l->shared);
    copy_small(l->shared->payload, at_end ? buffer + p->calls.request_capacity - length : buffer,
               length);
    return publish(p, l, type, length, 0);
}

/* ---- The end of a call without an answer ---- */

/* Which of the two it is depends on whether a responder had taken the request. */
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
static const struct reason deserted = {SHMIPC_E_NO_PEER, SHMIPC_E_PEER_DIED, "the peer died"};

static void end_unstarted(shmipc_peer *p, struct local_slot *l, word now) {
    l->last = now;
    count64(&l->failed);
    shmi_pool_unclaim_free(p, l);
}

static void end_started(shmipc_peer *p, struct local_slot *l) {
    l->withheld = true;
    count64(&l->failed);
    shmi_pool_unclaim(p, l);
}

static int end_corrupt(shmipc_peer *p, struct local_slot *l, word seen) {
    int error = shmi_peer_poison(p, "slot word 0x%016llx after a request 0x%016llx",
                                 (unsigned long long)seen, (unsigned long long)l->last);
    l->withheld = true;
    count64(&l->failed);
    shmi_pool_unclaim(p, l);
    return error;
}

static int end_without_answer(shmipc_peer *p, struct local_slot *l, const struct reason *reason,
                              int64_t timeout, bool *answered) {
    word seen;
    switch (shmi_slot_give_up(l->shared, l->last, &seen)) {
    case RETREAT_ANSWERED:
        l->last = seen;
        *answered = true;
        return SHMIPC_OK;
    case RETREAT_NEVER_STARTED:
        end_unstarted(p, l, seen);
        return shmi_fail(reason->never_started, "%s (time-out %lld ns); never started",
                         reason->text, (long long)timeout);
    case RETREAT_STARTED:
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

static word spin_for_answer(struct local_slot *l) {
    struct spin spin = spin_begin(&l->spins);
    word seen;
    do {
        seen = shmi_slot_look(l->shared);
    } while (is_pending(seen) && spin_again(&spin));
    if (!is_pending(seen))
        spin_won(&spin);
    return seen;
}

static const struct reason *reason_to_stop(shmipc_peer *p, const struct local_slot *l,
                                           struct deadline *deadline) {
    if (load_seq_cst32(&p->phase) == PEER_CLOSED)
        return &closed;
    if (load_seq_cst32(&l->cancelled) == load_relaxed32(&l->claim))
        return &cancelled;
    return shmi_deadline_passed(deadline) ? &timed_out : NULL;
}

/*
 * A worker may be there that does not poll: one that stands by while the poller is in a handler. It
 * is rung once for a request that nobody has taken when its caller stops spinning; a ring at
 * publishing does not count, since the worker that heard it may have found another request first.
 */
static void ring_standby(shmipc_peer *p, struct local_slot *l, word seen) {
    if (l->rang || word_state(seen) != SLOT_REQUEST)
        return;
    l->rang = true;
    ring_workers(p, l, WAKE_ONE);
}

/* The same for all that a thread with several calls in flight may have, before it sleeps on one. */
static void ring_for_all_in_flight(shmipc_peer *p, struct local_slot *l) {
    uint32_t untaken = 0;
    for (uint32_t i = p->calls.first; i < p->calls.first + p->calls.count; i++) {
        if (word_state(shmi_slot_look(region_slot(&p->region, i))) == SLOT_REQUEST)
            untaken++;
    }
    if (untaken > 0)
        ring_workers(p, l, untaken);
}

/* Sleeps until the answer, a tick, or the deadline. False if the word changed before. */
static bool sleep_for_answer(struct local_slot *l, word parked, uint64_t until) {
    count64(&l->parks);
    shmi_word_wait(shmi_slot_futex(l->shared), word_low(parked), until);
    return shmi_clock_now() < until;
}

/* Burying reclaims everything the guest had; its successor may hold the lock, then just this. */
static void reclaim_from_dead(shmipc_peer *p, uint32_t index, word seen) {
    shmi_membership_bury_dead(p);
    (void)shmi_reclaim_slot(&p->region, index, seen);
    store_relaxed32(&p->company, 0); /* the next call asks sooner whether others are left */
}

/* What has become of the responder of a call that is still pending. */
static const struct reason *look_after_responder(shmipc_peer *p, struct local_slot *l, word seen) {
    if (peer_is_host(p) && word_state(seen) == SLOT_WORKING) {
        if (shmi_owner_is_dead(&p->region, seen))
            reclaim_from_dead(p, (uint32_t)(l - p->slots), seen);
        return NULL;
    }
    if (shmi_peer_has_company(p))
        return shmi_peer_host_is_leaving(p) && word_state(seen) == SLOT_REQUEST ? &shutting_down
                                                                                : NULL;
    if (!peer_is_host(p))
        return &deserted;
    /* A guest may attach and take the request just now; then it is not withdrawn. */
    return shmi_slot_withdraw(l->shared, &seen) ? &deserted : NULL;
}

struct await {
    struct deadline *deadline;
    bool one_of_several; /* the thread may have other calls in flight */
    bool check_responder;
    bool answered;
};

static int end_withdrawn(shmipc_peer *p, struct local_slot *l, word now) {
    end_unstarted(p, l, now);
    return shmi_fail(SHMIPC_E_NO_PEER, "no live guest is attached; never started");
}

/* One round of a pending call. OK: look again. Otherwise the call has ended. */
static int await_round(shmipc_peer *p, struct local_slot *l, word seen, struct await *await) {
    ring_standby(p, l, seen);
    if (!shmi_slot_park(l->shared, &seen))
        return SHMIPC_OK;
    const struct reason *reason = reason_to_stop(p, l, await->deadline);
    if (reason == NULL && await->check_responder) {
        reason = look_after_responder(p, l, seen);
        await->check_responder = false;
        if (reason == &deserted && peer_is_host(p))
            return end_withdrawn(p, l, shmi_slot_look(l->shared));
        seen = shmi_slot_look(l->shared);
    }
    if (reason != NULL)
        return end_without_answer(p, l, reason, await->deadline->timeout, &await->answered);
    if (seen & WORD_PARKED)
        await->check_responder = !sleep_for_answer(l, seen, shmi_deadline_or_tick(await->deadline));
    return SHMIPC_OK;
}

static int await_asleep(shmipc_peer *p, struct local_slot *l, struct await *await) {
    await->check_responder = load_relaxed32(&p->company) == 0;
    if (await->one_of_several)
        ring_for_all_in_flight(p, l);
    word seen = shmi_slot_look(l->shared);
    while (is_pending(seen) && shmi_slot_on_course(l->last, seen)) {
        int error = await_round(p, l, seen, await);
        if (error)
            return error;
        seen = shmi_slot_look(l->shared);
    }
    return SHMIPC_OK;
}

/* ---- The answer ---- */

static int check_answer_type(shmipc_peer *p, const struct local_slot *l, uint32_t type) {
    if (type_is_sendable(type) || (type == TYPE_HEARTBEAT_REPLY && l->type == TYPE_HEARTBEAT))
        return SHMIPC_OK;
    return shmi_peer_poison(p, "a response of the reserved type %u", (unsigned)type);
}

static int excess_error(const shmipc_response *response) {
    struct excess excess = {0, 0};
    if (response->length == sizeof excess)
        memcpy(&excess, response->data, sizeof excess);
    return shmi_fail(SHMIPC_E_TOO_LARGE,
                     "the handler's answer has %llu bytes, the capacity is %llu",
                     (unsigned long long)excess.size, (unsigned long long)excess.capacity);
}

static int peers_error(shmipc_peer *p, const shmipc_response *response) {
    switch (response->type) {
    case -SHMIPC_E_TOO_LARGE:
        return excess_error(response);
    case -SHMIPC_E_TYPE:
        return shmi_fail(SHMIPC_E_TYPE, "the other side refused the message type as reserved");
    case -SHMIPC_E_SHUTDOWN:
        return shmi_fail(SHMIPC_E_SHUTDOWN, "the other side is shutting down; never started");
    case -SHMIPC_E_HANDLER:
        return shmi_fail(SHMIPC_E_HANDLER, "the handler failed: %.*s",
                         (int)(response->length < 400 ? response->length : 400),
                         (const char *)response->data);
    default:
        return shmi_peer_poison(p, "an error response of type %u", (unsigned)response->type);
    }
}

/* The shared length and type are read once, here; the length is checked before it is used. */
static int view_answer(shmipc_peer *p, struct local_slot *l, word seen, shmipc_response *view) {
    uint32_t length = load_relaxed32(&l->shared->length);
    uint32_t capacity = p->calls.response_capacity;
    uint8_t *buffer = region_response_buffer(&p->region, l->shared);
    if (length > ((seen & WORD_ERROR) != 0 && capacity < INLINE_SIZE ? INLINE_SIZE : capacity))
        return shmi_peer_poison(p, "a response of %u bytes, the capacity is %u", (unsigned)length,
                                (unsigned)capacity);
    view->length = length;
    view->type = load_relaxed32(&l->shared->type);
    view->flags = 0;
    if (length <= INLINE_SIZE)
        view->data = l->shared->payload;
    else
        view->data = seen & WORD_ALIGN_END ? buffer + capacity - length : buffer;
    view->capacity = length;
    if (seen & WORD_ERROR)
        return peers_error(p, view);
    return check_answer_type(p, l, view->type);
}

static int end_died(shmipc_peer *p, struct local_slot *l) {
    count64(&l->failed);
    shmi_pool_release(p, l);
    return shmi_fail(SHMIPC_E_PEER_DIED, "the guest died after its handler had started");
}

static int take_answer(shmipc_peer *p, struct local_slot *l, word seen, shmipc_response *view) {
    if (!shmi_slot_on_course(l->last, seen))
        return end_corrupt(p, l, seen);
    l->last = seen;
    l->phase = PHASE_ANSWERED;
    if (load_relaxed32(&l->cancelled) != 0)
        store_relaxed32(&l->cancelled, 0); /* it came too late */
    if (seen & WORD_RECLAIMED)
        return end_died(p, l);
    int error = view_answer(p, l, seen, view);
    if (error == SHMIPC_E_CORRUPT)
        shmi_pool_release(p, l);
    else if (load_relaxed32(&p->company) == 0)
        store_relaxed32(&p->company, 1);
    return error;
}

/* Ends in an answer, which leaves the slot claimed, or without one, which releases it. */
static int receive(shmipc_peer *p, struct local_slot *l, struct await *await,
                   shmipc_response *view) {
    word seen = spin_for_answer(l);
    if (is_pending(seen)) {
        int error = await_asleep(p, l, await);
        if (error)
            return error;
        seen = shmi_slot_look(l->shared);
    }
    return take_answer(p, l, seen, view);
}

/* True if the slot is still claimed after `receive` returned `error`. */
static bool is_answer(int error) {
    return error == SHMIPC_OK || error == SHMIPC_E_HANDLER || error == SHMIPC_E_TOO_LARGE ||
           error == SHMIPC_E_TYPE || error == SHMIPC_E_SHUTDOWN;
}

/* ---- The public calls ---- */

static void copy_out(const shmipc_response *view, shmipc_response *response) {
    response->length = view->length < response->capacity ? view->length : response->capacity;
    if (view->length <= INLINE_SIZE)
        copy_small(response->data, view->data, response->length);
    else
        memcpy(response->data, view->data, response->length);
}

static int answer_exceeds(const shmipc_response *view, size_t capacity) {
    return shmi_fail(SHMIPC_E_TOO_LARGE, "the answer has %zu bytes, the response buffer %zu",
                     view->length, capacity);
}

/* `error` is what the answer says. A handler's message is copied as far as it fits; an answer
   that does not fit is not copied, but its size is told. */
static int copy_answer(const shmipc_response *view, shmipc_response *response, int error) {
    if (response == NULL)
        return error == SHMIPC_OK && view->length > 0 ? answer_exceeds(view, 0) : error;
    response->flags = 0;
    response->type = view->type;
    response->length = 0;
    if (error == SHMIPC_OK && view->length > response->capacity) {
        response->length = view->length;
        return answer_exceeds(view, response->capacity);
    }
    if (error == SHMIPC_OK || error == SHMIPC_E_HANDLER)
        copy_out(view, response);
    return error;
}

static int call_in_slot(shmipc_peer *p, struct local_slot *l, const shmipc_request *request,
                        shmipc_response *response, struct deadline *deadline) {
    shmipc_response view = {.data = NULL};
    struct await await = {.deadline = deadline};
    int error = send_copy(p, l, request);
    if (error) {
        shmi_pool_release(p, l);
        return error;
    }
    error = receive(p, l, &await, &view);
    if (!is_answer(error))
        return error;
    error = copy_answer(&view, response, error);
    shmi_pool_release(p, l);
    return error;
}

static int check_call(const shmipc_peer *p, const shmipc_request *request,
                      const shmipc_response *response, int64_t timeout) {
    if (p == NULL || request == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the %s is NULL", p == NULL ? "peer" : "request");
    if (request->data == NULL && request->length > 0)
        return shmi_fail(SHMIPC_E_INVALID, "the request's data is NULL, its length %zu",
                         request->length);
    if (response != NULL && response->data == NULL && response->capacity > 0)
        return shmi_fail(SHMIPC_E_INVALID, "the response's data is NULL, its capacity %zu",
                         response->capacity);
    return shmi_check_timeout(timeout);
}

int shmipc_call(shmipc_peer *p, const shmipc_request *request, shmipc_response *response,
                int64_t timeout) {
    struct deadline deadline = deadline_in(timeout);
    struct local_slot *l;
    int error = check_call(p, request, response, timeout);
    if (error == SHMIPC_OK)
        error = check_message(p, request->type, request->length);
    if (error == SHMIPC_OK)
        error = shmi_pool_claim(p, &deadline, &l);
    return error ? error : call_in_slot(p, l, request, response, &deadline);
}

int shmipc_ping(shmipc_peer *p, int64_t timeout, int64_t *rtt) {
    const shmipc_request heartbeat = {.type = TYPE_HEARTBEAT};
    struct deadline deadline = deadline_in(timeout);
    struct local_slot *l;
    int error = check_call(p, &heartbeat, NULL, timeout);
    if (error == SHMIPC_OK)
        error = shmi_pool_claim(p, &deadline, &l);
    if (error)
        return error;
    uint64_t begin = shmi_clock_now();
    error = call_in_slot(p, l, &heartbeat, NULL, &deadline);
    if (error == SHMIPC_OK && rtt != NULL)
        *rtt = (int64_t)(shmi_clock_now() - begin);
    return error;
}

int shmipc_slot_claim(shmipc_peer *p, int64_t timeout, shmipc_slot *slot) {
    struct deadline deadline = deadline_in(timeout);
    struct local_slot *l;
    if (slot == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the slot is NULL");
    *slot = (shmipc_slot){.peer = NULL};
    if (p == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the peer is NULL");
    int error = shmi_check_timeout(timeout);
    if (error == SHMIPC_OK)
        error = shmi_pool_claim(p, &deadline, &l);
    if (error == SHMIPC_OK)
        *slot = (shmipc_slot){p, (uint32_t)(l - p->slots), load_relaxed32(&l->claim)};
    return error;
}

void *shmipc_slot_buffer(shmipc_slot slot, size_t *capacity) {
    struct local_slot *l = resolve(slot);
    if (l == NULL || l->phase == PHASE_SENT)
        return NULL;
    if (capacity != NULL)
        *capacity = slot.peer->calls.request_capacity;
    return region_request_buffer(l->shared);
}

int shmipc_slot_send(shmipc_slot slot, uint32_t type, size_t length, uint32_t flags) {
    struct local_slot *l = resolve(slot);
    if (l == NULL)
        return stale();
    if (l->phase == PHASE_SENT)
        return shmi_fail(SHMIPC_E_STATE, "a request is under way in this slot");
    if ((flags & ~SHMIPC_ALIGN_END) != 0)
        return shmi_fail(SHMIPC_E_INVALID, "the flags are 0x%x, allowed: 0x%x", (unsigned)flags,
                         SHMIPC_ALIGN_END);
    int error = check_message(slot.peer, type, length);
    if (error == SHMIPC_OK)
        error = shmi_peer_refusal(slot.peer);
    return error ? error : send_in_place(slot.peer, l, type, length, flags);
}

static int resolve_sent(shmipc_slot slot, struct local_slot **l) {
    *l = resolve(slot);
    if (*l == NULL)
        return stale();
    if ((*l)->phase != PHASE_SENT)
        return shmi_fail(SHMIPC_E_STATE, "no request is under way in this slot");
    return SHMIPC_OK;
}

/* Whoever only looks, and never sleeps, learns of a death too. */
static bool responder_is_lost(shmipc_peer *p, struct local_slot *l, word seen) {
    uint64_t now = shmi_clock_now();
    if (now - l->looked_after < TICK_NS)
        return load_relaxed32(&p->deserted) != 0;
    l->looked_after = now;
    if (!peer_is_host(p) || word_state(seen) != SLOT_WORKING)
        return !shmi_peer_has_company(p);
    if (shmi_owner_is_dead(&p->region, seen))
        reclaim_from_dead(p, (uint32_t)(l - p->slots), seen);
    return !is_pending(shmi_slot_look(l->shared));
}

static bool would_end_at_once(shmipc_peer *p, struct local_slot *l) {
    word seen = shmi_slot_look(l->shared);
    if (!is_pending(seen) || load_seq_cst32(&p->phase) == PEER_CLOSED ||
        load_seq_cst32(&l->cancelled) == load_relaxed32(&l->claim))
        return true;
    ring_standby(p, l, seen);
    return responder_is_lost(p, l, seen);
}

int shmipc_slot_ready(shmipc_slot slot) {
    struct local_slot *l;
    int error = resolve_sent(slot, &l);
    return error ? error : would_end_at_once(slot.peer, l);
}

int shmipc_slot_receive(shmipc_slot slot, int64_t timeout, shmipc_response *response) {
    struct deadline deadline = deadline_in(timeout);
    struct await await = {.deadline = &deadline, .one_of_several = true};
    struct local_slot *l;
    int error = resolve_sent(slot, &l);
    if (error == SHMIPC_OK)
        error = shmi_check_timeout(timeout);
    if (error == SHMIPC_OK && response == NULL)
        error = shmi_fail(SHMIPC_E_INVALID, "the response is NULL");
    return error ? error : receive(slot.peer, l, &await, response);
}

/* Somebody in this process is to look up from its sleep: after it stored a flag, seq_cst. */
static void wake_caller(struct local_slot *l) {
    if (shmi_slot_unpark(l->shared))
        (void)shmi_word_wake(shmi_slot_futex(l->shared), WAKE_ALL);
}

/* A mark of a later claim is not overwritten: it was set after this claim had ended. */
static bool mark_cancelled(struct local_slot *l, uint32_t ticket) {
    uint32_t mark = load_seq_cst32(&l->cancelled);
    while (pool_holds(l, ticket)) {
        if (cas_seq_cst32(&l->cancelled, &mark, ticket))
            return true;
    }
    return false;
}

int shmipc_slot_cancel(shmipc_slot slot) {
    if (resolve(slot) == NULL)
        return stale();
    struct local_slot *l = &slot.peer->slots[slot.index];
    int error =
        shmi_peer_enter(slot.peer); /* the slot may be released, and the peer closed, meanwhile */
    if (error)
        return error;
    bool held = mark_cancelled(l, slot.ticket);
    if (held)
        wake_caller(l);
    shmi_peer_leave(slot.peer);
    return held ? SHMIPC_OK : stale();
}

int shmipc_slot_release(shmipc_slot slot) {
    struct local_slot *l = resolve(slot);
    if (l == NULL)
        return stale();
    bool answered = l->phase != PHASE_SENT;
    if (!answered)
        (void)end_without_answer(slot.peer, l, &cancelled, 0, &answered);
    if (answered)
        shmi_pool_release(slot.peer, l);
    return SHMIPC_OK;
}

void shmi_caller_wake_all(shmipc_peer *p) {
    for (uint32_t i = p->calls.first; i < p->calls.first + p->calls.count; i++) {
        if (load_seq_cst32(&p->slots[i].claim) % 2 != 0)
            wake_caller(&p->slots[i]);
    }
}
