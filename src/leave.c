/*
 * How a peer leaves: in order (shmipc_shutdown) or at once (shmipc_close).
 */
#include "caller.h"
#include "error.h"
#include "liveness.h"
#include "membership.h"
#include "responder.h"

static void wake_everybody_here(shmipc_peer *p) {
    (void)shmi_doorbell_ring(&p->calls.vacancies, WAKE_ALL);
    (void)shmi_doorbell_ring(&p->serves.requests, WAKE_ALL);
    shmi_membership_announce(p);
    shmi_caller_wake_all(p);
}

/* Until nobody is inside, or the deadline. Whoever gave back a claim just before may not have seen
   that this peer closes, nor this thread the claim: it looks again soon. */
static bool await_quiet(shmipc_peer *p, struct deadline *deadline, uint32_t inside) {
    uint64_t seen = shmi_clock_now() + STORES_SEEN_NS;
    for (;;) {
        bool settled = shmi_clock_now() >= seen;
        uint32_t departures = load_seq_cst32(&p->departures);
        if (shmi_peer_is_quiet(p, inside))
            return true;
        if (shmi_deadline_passed(deadline))
            return false;
        uint64_t until = shmi_deadline_or_tick(deadline);
        (void)shmi_word_wait(NULL, &p->departures, departures,
                             settled ? until : sooner(until, seen));
    }
}

static void vacate(shmipc_peer *p) {
    struct peer_line *line = peer_own_line(p);
    shmi_membership_publish_counters(p);
    shmi_silence_bells(&p->region, p->index);
    shmi_vacate_line(line, load_relaxed32(&line->epoch));
    /* Slots given back while this peer closed were not announced one by one. */
    (void)shmi_doorbell_ring(&p->calls.vacancies, WAKE_ALL);
    /* Workers of guests, who sleep long, see that nobody is left to call them. */
    if (peer_is_host(p))
        (void)shmi_doorbell_ring(&p->calls.requests, WAKE_ALL);
    shmi_membership_announce(p);
}

/* The line is vacant before the name is gone: a region without a name whose host did not leave in
   order has lost it. */
static void leave_region(shmipc_peer *p) {
    vacate(p);
    if (peer_is_host(p)) {
        shmi_object_unpublish(p->region.object);
        shmi_responder_refuse_all(p);
    }
    shmi_region_close(&p->region);
    shmi_peer_log(p, SHMIPC_LOG_INFO, "left the region");
}

/* Of several threads that close, one does; the others return when it is done. */
static void await_gone(shmipc_peer *p) {
    while (load_acquire32(&p->gone) == 0)
        (void)shmi_word_wait(NULL, &p->gone, 0, CLOCK_NEVER);
}

static void close_peer(shmipc_peer *p) {
    struct deadline forever = deadline_in(SHMIPC_FOREVER);
    if (p == NULL)
        return;
    /* seq_cst: the partner of whoever claims or enters, then reads the phase. */
    if (exchange_seq_cst32(&p->phase, PEER_CLOSED) == PEER_CLOSED) {
        await_gone(p);
        return;
    }
    wake_everybody_here(p);
    (void)await_quiet(p, &forever, 0);
    leave_region(p);
    store_release32(&p->gone, 1); /* pairs with await_gone */
    (void)shmi_word_wake(NULL, &p->gone, WAKE_ALL);
}

void shmipc_close(shmipc_peer *p) {
    const struct last_failure kept = shmi_thread_state()->last;
    close_peer(p);
    shmi_thread_state()->last = kept;
}

/* From now on new calls are refused, here at once and on the other side as it sees the status. */
static int begin_draining(shmipc_peer *p) {
    uint32_t open = PEER_OPEN;
    if (!cas_seq_cst32(&p->phase, &open, PEER_DRAINING))
        return shmi_fail(SHMIPC_E_CLOSED, "the peer is closed or shutting down");
    store_release32(&peer_own_line(p)->status, PEER_LEAVING);
    shmi_membership_announce(p);
    (void)shmi_doorbell_ring(&p->calls.requests, WAKE_ALL);
    (void)shmi_doorbell_ring(&p->calls.vacancies, WAKE_ALL);
    (void)shmi_doorbell_ring(&p->serves.requests, WAKE_ALL);
    if (peer_is_host(p))
        shmi_responder_refuse_all(p);
    return SHMIPC_OK;
}

int shmipc_shutdown(shmipc_peer *p, int64_t timeout) {
    struct deadline deadline = deadline_in(timeout);
    int error = check_timeout(timeout);
    if (error == SHMIPC_OK)
        error = shmi_peer_enter(p);
    if (error)
        return error;
    error = begin_draining(p);
    bool drained = error != SHMIPC_OK || await_quiet(p, &deadline, 1);
    shmi_peer_leave(p);
    if (error)
        return error;
    shmipc_close(p);
    return drained ? SHMIPC_OK
                   : shmi_fail(SHMIPC_E_TIMEOUT, "calls were still under way after %lld ns",
                               (long long)timeout);
}

void shmipc_free(shmipc_peer *p) {
    if (p == NULL)
        return;
    shmipc_close(p);
    if (load_relaxed32(&p->forked))
        shmi_region_close(&p->region);
    shmi_memory_free(p->slots);
    shmi_memory_free(p);
}
