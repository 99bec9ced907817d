/*
 * How a peer leaves: gracefully (shmipc_shutdown) or at once (shmipc_close).
 */
#include "call/caller.h"

#include "api/detach.h"
#include "base/error.h"
#include "base/thread.h"
#include "peer/membership.h"
#include "region/liveness.h"
#include "serve/responder.h"

/* Time for threads whose calls and waits were just ended to leave, before they are cut off. */
#define GRACE_NS INT64_C(5000000)

/* ---- Waiting for those inside ---- */

static void wake_everybody_here(shmipc_peer *p) {
    (void)shmi_eventcount_notify(&p->calls.vacancies, WAKE_ALL);
    (void)shmi_eventcount_notify(&p->serves.requests, WAKE_ALL);
    shmi_membership_announce(p);
    shmi_caller_wake_all(p);
}

/* Held slots delay no close, so a shutdown does not wait for them either once a close waits for
   it. */
static bool delays_a_close(const shmipc_peer *p, uint32_t inside) {
    return inside > 0 && load_seq_cst32(&p->life.phase) == PEER_CLOSED &&
           load_seq_cst32(&p->life.users) == inside;
}

/* Waits until no thread is inside, or until the deadline. A release just before may have missed
   that this peer closes, and this thread the release: so the thread looks once more after
   STORES_SEEN_NS. */
static bool await_quiet(shmipc_peer *p, struct deadline *deadline, uint32_t inside) {
    uint64_t seen = shmi_clock_now() + STORES_SEEN_NS;
    for (;;) {
        bool settled = shmi_clock_now() >= seen;
        uint32_t exit_sequence = load_seq_cst32(&p->life.exit_sequence);
        if (shmi_peer_is_quiet(p, inside))
            return true;
        if (shmi_deadline_passed(deadline) || delays_a_close(p, inside))
            return false;
        uint64_t until = shmi_deadline_or_tick(deadline);
        (void)shmi_word_wait(NULL, &p->life.exit_sequence, exit_sequence,
                             settled ? until : sooner(until, seen), NO_HOME);
    }
}

/* Reads private memory only: the peer may have departed already, and left these threads behind.
   Threads that ended with the process never leave. */
static void await_threads(shmipc_peer *p) {
    for (;;) {
        uint32_t exit_sequence = load_seq_cst32(&p->life.exit_sequence);
        if (load_seq_cst32(&p->life.users) == 0 || shmi_process_ends())
            return;
        (void)shmi_word_wait(NULL, &p->life.exit_sequence, exit_sequence,
                             shmi_clock_now() + TICK_NS, NO_HOME);
    }
}

/* ---- Leaving the region, `r` as this peer sees it ---- */

static void vacate(const shmipc_peer *p, const struct region *r) {
    struct peer_record *record = &r->shared->peers[p->index];
    bool host = peer_is_host(p);
    struct local_eventcount vacancies =
        region_eventcount(r, host ? EVENTCOUNT_HOST_FREE : EVENTCOUNT_GUEST_FREE, p->index);
    struct local_eventcount requests = region_eventcount(r, EVENTCOUNT_HOST_REQUEST, p->index);
    struct local_eventcount members = region_eventcount(r, EVENTCOUNT_MEMBERS, p->index);
    shmi_membership_publish_counters(p, record);
    shmi_silence_eventcounts(r, p->index);
    shmi_vacate_record(record, load_relaxed32(&record->epoch));
    /* Releases while this peer closed did not notify. */
    (void)shmi_eventcount_notify(&vacancies, WAKE_ALL);
    /* Wake the guests' workers, which sleep long, to see that the host is gone. */
    if (host)
        (void)shmi_eventcount_notify(&requests, WAKE_ALL);
    (void)shmi_eventcount_notify(&members, WAKE_ALL);
}

/* A process that has given up rights since it created the region leaves its file behind. */
static void unpublish(shmipc_peer *p, struct object *object) {
    if (shmi_object_unpublish(object) == SHMIPC_OK)
        return;
    p->life.unlink_error = shmipc_last_os_error();
    shmi_peer_log(p, SHMIPC_LOG_WARN, "the region's name stays behind: %s", shmipc_last_error());
}

/* Vacates the record before it removes the name: a region without a name whose host did not leave
   gracefully has lost the name. */
static void leave_region(shmipc_peer *p, const struct region *r) {
    vacate(p, r);
    if (peer_is_host(p)) {
        unpublish(p, r->object);
        shmi_responder_refuse_all(p, r);
    }
    shmi_object_unready(r->object);
    shmi_peer_log(p, SHMIPC_LOG_INFO, "left the region");
}

static void leave_and_disown(shmipc_peer *p, const struct region *r) {
    shmi_disown(p, r);
    leave_region(p, r);
}

/* If the threads that stay cannot be cut off, the region stays mapped and the lock held until the
   peer is freed. A host still leaves the region for its guests; a guest keeps its index, but serves
   no more and hears nothing. */
static void stay_mapped(shmipc_peer *p) {
    p->life.stays_mapped = true;
    if (peer_is_host(p)) {
        leave_region(p, &p->region);
        return;
    }
    store_release32(&peer_own_record(p)->status, PEER_LEAVING);
    shmi_silence_eventcounts(&p->region, p->index);
    shmi_membership_announce(p);
}

static void depart(shmipc_peer *p) {
    struct deadline grace = deadline_in(GRACE_NS);
    struct region real;
    if (await_quiet(p, &grace, 0)) {
        leave_region(p, &p->region);
        shmi_region_close(&p->region);
    } else if (shmi_detach(p, &real)) {
        leave_and_disown(p, &real);
        shmi_object_let_go(p->region.object, real.shared);
    } else {
        stay_mapped(p);
    }
}

/* Of several threads that close, one departs; the others return when it is done. */
static void depart_once(shmipc_peer *p) {
    uint32_t ahead = DEPARTURE_AHEAD;
    if (cas_seq_cst32(&p->life.gone, &ahead, DEPARTING)) {
        depart(p);
        exchange_seq_cst32(&p->life.gone, DEPARTED); /* release: pairs with the loads below */
        (void)shmi_word_wake(NULL, &p->life.gone, WAKE_ALL);
    }
    while (load_acquire32(&p->life.gone) == DEPARTING)
        (void)shmi_word_wait(NULL, &p->life.gone, DEPARTING, CLOCK_NEVER, NO_HOME);
}

/* The first thread that closes counts as inside, so that another one does not depart before it is
   done. seq_cst: pairs with a thread that claims, enters, or takes a request, then reads the
   phase. */
static void end_everything(shmipc_peer *p) {
    add_seq_cst32(&p->life.users, 1);
    if (exchange_seq_cst32(&p->life.phase, PEER_CLOSED) != PEER_CLOSED)
        wake_everybody_here(p);
    shmi_peer_leave(p);
}

/* Errors on the way out are no failure of the caller: restores the last sentence. */
static void end_and_depart(shmipc_peer *p, bool wait_for_threads) {
    const struct last_failure kept = shmi_thread_state()->last;
    end_everything(p);
    if (wait_for_threads)
        await_threads(p);
    depart_once(p);
    shmi_thread_state()->last = kept;
}

/* ---- The public calls ---- */

/* The handler's own thread would wait for itself. */
static bool called_by_handler(const shmipc_peer *p, const char *what) {
    if (p == NULL || !shmi_peer_is_served_here(p))
        return false;
    shmi_peer_log(p, SHMIPC_LOG_ERROR, "%s was called by a handler of the same peer", what);
    return true;
}

int shmipc_close(shmipc_peer *p) {
    if (called_by_handler(p, "shmipc_close"))
        return SHMIPC_E_STATE; /* keeps the last sentence, as what gives something back does */
    if (p == NULL || load_relaxed32(&p->life.forked))
        return SHMIPC_OK;
    end_and_depart(p, true);
    return SHMIPC_OK;
}

/* From now on new calls are refused: here at once, on the other side when it sees the status. */
static int begin_draining(shmipc_peer *p) {
    uint32_t open = PEER_OPEN;
    if (!cas_seq_cst32(&p->life.phase, &open, PEER_DRAINING))
        return shmi_fail(SHMIPC_E_CLOSED, "the peer is closed or shutting down");
    store_release32(&peer_own_record(p)->status, PEER_LEAVING);
    shmi_membership_announce(p);
    (void)shmi_eventcount_notify(&p->calls.requests, WAKE_ALL);
    (void)shmi_eventcount_notify(&p->calls.vacancies, WAKE_ALL);
    (void)shmi_eventcount_notify(&p->serves.requests, WAKE_ALL);
    if (peer_is_host(p))
        shmi_responder_refuse_all(p, &p->region);
    return SHMIPC_OK;
}

/* Reports how many were still inside at the deadline, without this thread. */
static int cut_short(struct occupants left, int64_t timeout) {
    return shmi_fail(SHMIPC_E_TIMEOUT,
                     "after %lld ns %u threads were still inside, and %u slots held or in use",
                     (long long)timeout, (unsigned)left.threads - 1, (unsigned)left.slots);
}

static int drain(shmipc_peer *p, int64_t timeout) {
    struct deadline deadline = deadline_in(timeout);
    (void)shmi_deadline_at(&deadline);
    int error = begin_draining(p);
    if (error || await_quiet(p, &deadline, 1))
        return error;
    return cut_short(shmi_peer_occupants(p), timeout);
}

static int check_name(const shmipc_peer *p) {
    if (p->life.unlink_error == 0)
        return SHMIPC_OK;
    return shmi_fail_os(SHMIPC_E_DENIED, p->life.unlink_error,
                        "closed, but this process may not remove the region's name any more");
}

static int check_thread(const shmipc_peer *p) {
    if (!called_by_handler(p, "shmipc_shutdown"))
        return SHMIPC_OK;
    return shmi_fail(SHMIPC_E_STATE,
                     "shmipc_shutdown was called by a handler of the same peer; nothing is done");
}

int shmipc_shutdown(shmipc_peer *p, int64_t timeout) {
    int error = check_timeout(timeout);
    if (error == SHMIPC_OK)
        error = check_thread(p);
    if (error == SHMIPC_OK)
        error = shmi_peer_enter(p);
    if (error)
        return error;
    error = drain(p, timeout);
    shmi_peer_leave(p);
    if (error == SHMIPC_E_CLOSED)
        return error;
    end_and_depart(p, false);
    return error ? error : check_name(p);
}

/* Called by the last holder: shmipc_free, or the last thread that a shutdown left serving. */
static void end_peer(shmipc_peer *p) {
    if (p->life.stays_mapped && !peer_is_host(p) && !load_relaxed32(&p->life.forked))
        leave_and_disown(p, &p->region);
    shmi_region_close(&p->region);
    shmi_pollable_close(p->loop.pollable);
    shmi_memory_free(p->slots);
    shmi_memory_free(p);
}

static void free_peer(shmipc_peer *p) {
    if (called_by_handler(p, "shmipc_free"))
        return;
    if (load_acquire32(&p->life.gone) != DEPARTED)
        (void)shmipc_close(p);
    p->life.end = end_peer;
    shmi_peer_let_go(p);
}

/* Does not wait for the threads that a shutdown left running. */
void shmipc_free(shmipc_peer *p) {
    const struct last_failure kept = shmi_thread_state()->last;
    if (p != NULL)
        free_peer(p);
    shmi_thread_state()->last = kept;
}
