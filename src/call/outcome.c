#include "call/outcome.h"

#include "base/error.h"
#include "region/slot.h"
#include "wire/types.h"

#include <string.h>

const struct reason shmi_reason_timed_out = {SHMIPC_E_TIMEOUT, SHMIPC_E_TIMEOUT_STARTED,
                                             "timed out"};
const struct reason shmi_reason_cancelled = {SHMIPC_E_CANCELLED, SHMIPC_E_CANCELLED_STARTED,
                                             "cancelled"};
const struct reason shmi_reason_closed = {SHMIPC_E_CLOSED, SHMIPC_E_CLOSED_STARTED,
                                          "peer closed here"};
const struct reason shmi_reason_shutting_down = {SHMIPC_E_SHUTDOWN, SHMIPC_E_PEER_DIED,
                                                 "the host is shutting down"};
const struct reason shmi_reason_host_lost = {SHMIPC_E_NO_PEER, SHMIPC_E_PEER_DIED, "the peer died"};

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

int shmi_outcome_corrupt(shmipc_peer *p, struct local_slot *l, word seen) {
    int error = shmi_peer_mark_corrupt(p, "slot word 0x%016llx after a request 0x%016llx",
                                       (unsigned long long)seen, (unsigned long long)l->last);
    l->quarantined = true;
    count_failure(p, l);
    shmi_pool_unclaim(p, l);
    return error;
}

bool shmi_outcome_started_in_region(shmipc_peer *p, const struct local_slot *l) {
    shmi_peer_await_settlement(p);
    word settled = load_relaxed64(&l->settled);
    return word_same_sequence(l->last, settled) && word_state(settled) != SLOT_FREE;
}

int shmi_outcome_cut_off(shmipc_peer *p, struct local_slot *l) {
    end_started(p, l);
    return shmi_fail(SHMIPC_E_CLOSED_STARTED, "peer closed here after a handler had started");
}

int shmi_outcome_give_up(shmipc_peer *p, struct local_slot *l, const struct reason *reason,
                         int64_t timeout, bool *answered) {
    word seen;
    switch (shmi_slot_give_up(l->shared, l->last, &seen)) {
    case CANCEL_ANSWERED:
        l->last = seen;
        *answered = true;
        return SHMIPC_OK;
    case CANCEL_NEVER_STARTED:
        if (shmi_outcome_started_in_region(p, l))
            return shmi_outcome_cut_off(p, l);
        end_unstarted(p, l, seen);
        return shmi_fail(reason->never_started, "%s (time-out %lld ns); never started",
                         reason->text, (long long)timeout);
    case CANCEL_STARTED:
        end_started(p, l);
        return shmi_fail(reason->started, "%s (time-out %lld ns) after a handler had started",
                         reason->text, (long long)timeout);
    default:
        return shmi_outcome_corrupt(p, l, seen);
    }
}

int shmi_outcome_withdrawn(shmipc_peer *p, struct local_slot *l, word now) {
    if (shmi_outcome_started_in_region(p, l))
        return shmi_outcome_cut_off(p, l);
    end_unstarted(p, l, now);
    if (!peer_is_host(p))
        return shmi_fail(SHMIPC_E_SHUTDOWN, "the host is shutting down; never started");
    int error = shmi_peer_name_refusal(p);
    if (error == SHMIPC_OK && l->call.to != 0)
        return shmi_fail(SHMIPC_E_NO_PEER,
                         "guest %u, to which the call was sent, is gone; never started",
                         (unsigned)owner_index(l->call.to));
    return error ? error : shmi_fail(SHMIPC_E_NO_PEER, "no live guest serves; never started");
}

int shmi_outcome_died(shmipc_peer *p, struct local_slot *l) {
    count64(&l->failed);
    shmi_pool_release(p, l);
    return shmi_fail(SHMIPC_E_PEER_DIED,
                     "the other side died, or left, after its handler had started");
}

/* ---- Answers that are errors ---- */

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

int shmi_outcome_of_error(shmipc_peer *p, const shmipc_response *response) {
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
