/*
 * Claimed slots in their users' hands: shmipc.h, Slots.
 */
#include "call/caller.h"

#include "base/error.h"
#include "base/thread.h"
#include "call/pool.h"
#include "call/send.h"
#include "peer/address.h"

int shmipc_slot_claim(shmipc_peer *p, int64_t timeout, shmipc_slot *slot) {
    struct deadline deadline = deadline_in(timeout);
    struct local_slot *l;
    if (slot == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the slot is NULL");
    *slot = (shmipc_slot){.peer = NULL};
    if (p == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the peer is NULL");
    int error = check_timeout(timeout);
    if (error == SHMIPC_OK)
        error = shmi_pool_claim(p, &deadline, &l);
    if (error == SHMIPC_OK) {
        l->call.held = true;
        *slot = (shmipc_slot){p, (uint32_t)(l - p->slots), load_relaxed32(&l->claim)};
    }
    return error;
}

void *shmipc_slot_buffer(shmipc_slot slot, size_t *capacity) {
    struct local_slot *l = pool_find(slot);
    if (l == NULL || l->phase == PHASE_SENT)
        return NULL;
    if (capacity != NULL)
        *capacity = slot.peer->calls.request_capacity;
    return region_request_buffer(l->shared);
}

int shmipc_slot_send_to(shmipc_slot slot, uint64_t to, uint32_t type, size_t length,
                        uint32_t flags) {
    struct local_slot *l;
    int error = pool_resolve_idle(slot, &l);
    if (error)
        return error;
    if ((flags & ~(SHMIPC_ALIGN_END | SHMIPC_WAIT_READY)) != 0)
        return shmi_fail(SHMIPC_E_INVALID, "the flags are 0x%x, allowed: 0x%x", (unsigned)flags,
                         SHMIPC_ALIGN_END | SHMIPC_WAIT_READY);
    error = send_check(slot.peer, type, length);
    if (error == SHMIPC_OK)
        error = peer_refusal(slot.peer);
    if (error == SHMIPC_OK)
        error = check_address(slot.peer, to);
    return error ? error : shmi_send_in_place(slot.peer, l, to, type, length, flags);
}

int shmipc_slot_send(shmipc_slot slot, uint32_t type, size_t length, uint32_t flags) {
    return shmipc_slot_send_to(slot, 0, type, length, flags);
}

static int resolve_sent(shmipc_slot slot, struct local_slot **l) {
    int error = pool_resolve(slot, l);
    if (error == SHMIPC_OK && (*l)->phase != PHASE_SENT)
        return shmi_fail(SHMIPC_E_STATE, "no request is under way in this slot");
    return error;
}

int shmipc_slot_ready(shmipc_slot slot) {
    struct local_slot *l;
    int error = resolve_sent(slot, &l);
    return error ? error : shmi_caller_would_end(slot.peer, l);
}

int shmipc_slot_receive(shmipc_slot slot, int64_t timeout, shmipc_response *response) {
    struct deadline deadline = deadline_in(timeout);
    struct await await = {.deadline = &deadline, .one_of_several = true};
    struct local_slot *l;
    int error = resolve_sent(slot, &l);
    if (error == SHMIPC_OK)
        error = check_timeout(timeout);
    if (error == SHMIPC_OK && response == NULL)
        error = shmi_fail(SHMIPC_E_INVALID, "the response is NULL");
    return error ? error : shmi_caller_receive(slot.peer, l, &await, response);
}

/* Never overwrites the mark of a later claim, which was set after this claim had ended. */
static bool mark_cancelled(struct local_slot *l, uint32_t ticket) {
    uint32_t mark = load_seq_cst32(&l->cancelled);
    while (pool_holds(l, ticket)) {
        if (cas_seq_cst32(&l->cancelled, &mark, ticket))
            return true;
    }
    return false;
}

int shmipc_slot_cancel(shmipc_slot slot) {
    struct local_slot *l = pool_find(slot);
    if (l == NULL)
        return SHMIPC_E_STALE;
    /* The slot may be released, and the peer closed, meanwhile. */
    if (!shmi_peer_try_enter(slot.peer))
        return SHMIPC_E_CLOSED;
    bool held = mark_cancelled(l, slot.ticket);
    if (held)
        shmi_caller_wake(slot.peer, l);
    shmi_peer_leave(slot.peer);
    return held ? SHMIPC_OK : SHMIPC_E_STALE;
}

/* Giving up a call is a failure elsewhere, but not here: the user asked for it. */
COLD static void give_up(shmipc_peer *p, struct local_slot *l) {
    const struct last_failure kept = shmi_thread_state()->last;
    shmi_caller_abandon(p, l);
    shmi_thread_state()->last = kept;
}

int shmipc_slot_release(shmipc_slot slot) {
    struct local_slot *l = pool_find(slot);
    if (l == NULL)
        return SHMIPC_E_STALE;
    if (l->phase == PHASE_SENT)
        give_up(slot.peer, l);
    else
        shmi_pool_release(slot.peer, l);
    return SHMIPC_OK;
}
