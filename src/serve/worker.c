/*
 * Threads that serve: shmipc.h, Serving. While handlers are short one worker polls and runs them
 * itself, and the others are parked. Before a long handler the poller hands over: then each caller
 * notifies the worker at home in its slot.
 */
#include "serve/worker_state.h"

#include "base/error.h"
#include "base/unwind.h"
#include "peer/membership.h"
#include "serve/ending.h"
#include "serve/home.h"
#include "serve/parking.h"
#include "serve/poller.h"
#include "serve/requests.h"
#include "serve/scan.h"
#include "serve/sentry.h"

/* ---- Serving ---- */

/* A caller that notified, or was woken, may be waiting for this very processor, so the worker
   yields. It first serves the requests that wait: if many threads call, it would not run again for
   a while. */
static void yield_if_owed(shmipc_peer *p, struct worker *worker) {
    if (!worker->wakeup.owes_yield)
        return;
    worker->wakeup.owes_yield = false;
    if (worker->wakeup.sole_request || !requests_wait(p))
        shmi_cpu_yield();
}

static int poll_turn(shmipc_peer *p, struct worker *worker, const struct until *until) {
    struct spin spin = spin_begin(&worker->spins);
    const bool held_off = !worker->wakeup.owes_yield && reach_is_foreseeable(worker->reach);
    if (held_off && wait_hold_off(&worker->hold_off)) {
        shmi_scan_expect_last(p, worker);
        spin_tightly(&spin, 0); /* no delay: a look at several slots takes long enough */
    }
    do {
        int served = shmi_scan_some(p, worker);
        if (served < 0)
            return served;
        if (served > 0) {
            spin_won(&spin);
            if (held_off)
                hold_off_learn(&worker->hold_off, spin_was_needless(&spin));
            worker->wakeup.sole_request = false;
            return ending_while_busy(p, until);
        }
        yield_if_owed(p, worker);
    } while (wait_again(&spin));
    shmi_poller_stop(p, worker);
    return shmi_park(p, worker, until);
}

/* A worker that was woken looks at all slots. If it finds a request that the poller does not take,
   the poller is stuck. The worker leaves the sentry's post before it supersedes, so one that begins
   to poll later, and is not superseded, sees that there is no sentry. This worker must then pass on
   the requests that no worker was notified of while the poller was stuck. */
static bool may_find(shmipc_peer *p, struct worker *worker) {
    if (!worker->wakeup.just_woken)
        return true;
    if (!shmi_scan_find_next(p, worker) || shmi_poller_takes(p, worker->scan.next))
        return false;
    shmi_sentry_leave(p, &worker->sentry);
    if (shmi_poller_supersede(p))
        worker->wakeup.sole_request = false;
    return true;
}

/* A worker without work polls; after long handlers only if no other thread needs its processor. */
static int wait_for_work(shmipc_peer *p, struct worker *worker, const struct until *until) {
    bool may_poll =
        !worker->keeps_home || crowd_leaves_room(&p->serving.long_handlers, p->processors);
    if (may_poll && shmi_poller_begin(p, worker)) {
        shmi_sentry_leave(p, &worker->sentry);
        return poll_turn(p, worker, until);
    }
    return shmi_park(p, worker, until);
}

/* A worker that has run a short handler becomes the poller, if there is none. */
static int search_turn(shmipc_peer *p, struct worker *worker, const struct until *until) {
    const bool was_woken = worker->wakeup.just_woken;
    worker->ran_long = false;
    int served = may_find(p, worker) ? shmi_scan_some(p, worker) : 0;
    if (served < 0)
        return served;
    if (served > 0) {
        worker->wakeup.sole_request &= was_woken;
        if (!worker->ran_long)
            (void)shmi_poller_begin(p, worker);
        return ending_while_busy(p, until);
    }
    yield_if_owed(p, worker);
    return wait_for_work(p, worker, until);
}

static int serve(shmipc_peer *p, struct worker *worker, const struct until *until) {
    int error = shmi_ending_by_token(until);
    (void)shmi_poller_begin(p, worker);
    while (error == SHMIPC_OK)
        error = poller_is(p, worker) ? poll_turn(p, worker, until) : search_turn(p, worker, until);
    return error;
}

/* ---- The public calls ---- */

static int check_handler(const shmipc_peer *p, shmipc_handler handler) {
    return handler ? shmi_peer_check_server(p) : shmi_fail(SHMIPC_E_INVALID, "the handler is NULL");
}

static struct worker new_worker(shmipc_peer *p, shmipc_handler handler, void *context) {
    uint32_t id = 0;
    while (id == 0 || id == POLLER_CHANGES) /* `poller` has other meanings for these */
        id = add_seq_cst32(&p->serving.next_worker, 1) + 1;
    return (struct worker){.handler = handler,
                           .context = context,
                           .id = id,
                           .home = NO_HOME,
                           .spins = p->serving.spins,
                           .hold_off = p->serving.hold_off};
}

static int enter_waiter(shmipc_peer *p, struct until *until) {
    int error = shmi_peer_enter(p);
    if (error == SHMIPC_OK)
        until->wakes_before = ending_wakes(add_seq_cst64(&p->serving.waiters_and_wakes, 1));
    return error;
}

static void leave_waiter(shmipc_peer *p) {
    add_seq_cst64(&p->serving.waiters_and_wakes, UINT64_MAX);
    shmi_peer_leave(p);
}

/* In a forked child there is nothing left to notify. */
static void wake_server(void *context) {
    shmipc_peer *p = context;
    if (!load_relaxed32(&p->life.forked))
        shmi_peer_notify(p, &p->serves.requests, WAKE_ALL);
}

/* What a thread that serves gives back when it ends, or when a handler unwinds its stack. */
struct service {
    shmipc_peer *peer; /* NULL: it has ended */
    struct worker worker;
    shmipc_stop_token *token;
    struct stop_waiter waiter;
};

static void end_service(struct service *s) {
    shmipc_peer *p = s->peer;
    if (p == NULL)
        return;
    s->peer = NULL;
    shmi_sentry_resign(p, &s->worker.sentry);
    /* Move out before passing requests on, so that no worker leaves a request to this one later. */
    shmi_home_move_out(p, &s->worker);
    shmi_poller_resign(p, &s->worker);
    shmi_stop_leave(s->token, &s->waiter);
    leave_waiter(p);
}

static int serve_inside(shmipc_peer *p, shmipc_handler handler, void *context,
                        shmipc_stop_token *token) {
    struct until until = {.stop = token};
    int error = enter_waiter(p, &until);
    if (error)
        return error;
    struct service s UNDONE_BY(end_service) = {.peer = p,
                                               .worker = new_worker(p, handler, context),
                                               .token = token,
                                               .waiter = {.wake = wake_server, .context = p}};
    shmi_home_settle(p, &s.worker);
    shmi_stop_join(token, &s.waiter);
    error = serve(p, &s.worker, &until);
    end_service(&s);
    return error;
}

int shmipc_serve_until(shmipc_peer *p, shmipc_handler handler, void *context,
                       shmipc_stop_token *token) {
    struct served served UNDONE_BY(shmi_peer_end_serving) = {.peer = NULL};
    int error = check_handler(p, handler);
    if (error)
        return error;
    shmi_peer_begin_serving(p, &served);
    error = serve_inside(p, handler, context, token != NULL ? token : shmi_stop_of_thread());
    shmi_peer_end_serving(&served);
    return error;
}

int shmipc_serve(shmipc_peer *p, shmipc_handler handler, void *context) {
    return shmipc_serve_until(p, handler, context, NULL);
}

static int poll_all(shmipc_peer *p, struct worker *worker) {
    int count = 0;
    while ((uint32_t)count < p->serves.count) {
        int served = shmi_scan_all(p, worker);
        if (served < 0)
            return served;
        if (served == 0)
            break;
        count++;
    }
    return count;
}

/* A thread that only calls shmipc_poll learns of deaths too. */
static int poll_once(shmipc_peer *p, struct worker *worker) {
    int error = shmi_ending_of_peer(p);
    if (error)
        return error;
    int count = poll_all(p, worker);
    if (count == 0)
        (void)shmi_membership_tick(p, false);
    return count;
}

static void leave_poll(shmipc_peer **inside) {
    if (*inside != NULL)
        shmi_peer_leave(*inside);
    *inside = NULL;
}

static int poll_inside(shmipc_peer *p, shmipc_handler handler, void *context) {
    int error = shmi_peer_enter(p);
    if (error)
        return error;
    shmipc_peer *inside UNDONE_BY(leave_poll) = p;
    struct worker worker = new_worker(p, handler, context);
    int result = poll_once(p, &worker);
    leave_poll(&inside);
    return result;
}

int shmipc_poll(shmipc_peer *p, shmipc_handler handler, void *context) {
    struct served served UNDONE_BY(shmi_peer_end_serving) = {.peer = NULL};
    int result = check_handler(p, handler);
    if (result)
        return result;
    shmi_peer_begin_serving(p, &served);
    result = poll_inside(p, handler, context);
    shmi_peer_end_serving(&served);
    return result;
}

static int wait_turn(shmipc_peer *p, const struct until *until, struct deadline *deadline) {
    uint32_t generation = shmi_eventcount_prepare(&p->serves.requests);
    int error = shmi_ending(p, until);
    if (error == SHMIPC_OK && !requests_wait(p))
        (void)shmi_park_sleep(p, generation, shmi_deadline_or_tick(deadline), NO_HOME);
    shmi_eventcount_cancel(&p->serves.requests);
    if (error || requests_wait(p))
        return error;
    if (shmi_deadline_passed(deadline))
        return shmi_fail(SHMIPC_E_TIMEOUT, "no request came within %lld ns",
                         (long long)deadline->timeout);
    return SHMIPC_E_STATE; /* not returned to the user: wait on */
}

static int wait_for_request(shmipc_peer *p, int64_t timeout, const struct until *until) {
    struct deadline deadline = deadline_in(timeout);
    struct spin spin = spin_begin(&p->serving.wait_spins);
    int error;
    do {
        if (requests_wait(p)) {
            spin_won(&spin);
            return SHMIPC_OK;
        }
        spin_pay(&spin, p->serves.count);
    } while (timeout != 0 && wait_again(&spin));
    do {
        error = wait_turn(p, until, &deadline);
    } while (error == SHMIPC_E_STATE);
    return error;
}

int shmipc_wait(shmipc_peer *p, int64_t timeout) {
    struct until until = {.stop = shmi_stop_of_thread()};
    struct stop_waiter waiter = {.wake = wake_server, .context = p};
    int error = check_timeout(timeout);
    if (error == SHMIPC_OK)
        error = shmi_peer_check_server(p);
    if (error == SHMIPC_OK)
        error = enter_waiter(p, &until);
    if (error)
        return error;
    shmi_stop_join(until.stop, &waiter);
    error = wait_for_request(p, timeout, &until);
    shmi_stop_leave(until.stop, &waiter);
    leave_waiter(p);
    return error;
}

int shmipc_wake(shmipc_peer *p) {
    int error = shmi_peer_enter(p);
    if (error)
        return error;
    uint32_t waiters = (uint32_t)add_seq_cst64(&p->serving.waiters_and_wakes, UINT64_C(1) << 32);
    if (waiters == 0)
        exchange_seq_cst32(&p->serving.wake_pending, 1);
    shmi_peer_notify(p, &p->serves.requests, WAKE_ALL);
    shmi_peer_leave(p);
    return SHMIPC_OK;
}
