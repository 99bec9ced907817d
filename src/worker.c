/*
 * Threads that serve: shmipc.h, Serving. One worker polls; it runs handlers itself. Others stand
 * by, asleep, until they are rung: that happens when the poller is in a handler and a caller has
 * waited in vain. A standby that finds work becomes the poller.
 */
#include "error.h"
#include "membership.h"
#include "scan.h"
#include "sentry.h"
#include "stop.h"
#include "unwind.h"

#define NOT_IDLE (UINT32_C(1) << 31) /* further than any bell is ahead */

/* ---- What ends serving ---- */

static uint32_t wakes_of(uint64_t attendance) {
    return (uint32_t)(attendance >> 32);
}

static bool take_pending_wake(shmipc_peer *p) {
    return load_seq_cst32(&p->wake_pending) != 0 && exchange_seq_cst32(&p->wake_pending, 0) != 0;
}

/* What a thread that serves or waits is ended by. */
struct until {
    uint32_t wakes_before; /* those asked for before it began */
    shmipc_stop_token *stop;
};

static int stopped(const struct until *until) {
    if (!stop_is_asked(until->stop))
        return SHMIPC_OK;
    return shmi_fail(SHMIPC_E_CANCELLED, "stopped by shmipc_stop");
}

static int woken(shmipc_peer *p, const struct until *until) {
    int error = stopped(until);
    if (error)
        return error;
    if (wakes_of(load_seq_cst64(&p->attendance)) == until->wakes_before && !take_pending_wake(p))
        return SHMIPC_OK;
    return shmi_fail(SHMIPC_E_WOKEN, "woken by shmipc_wake");
}

static int host_is_gone(shmipc_peer *p) {
    if (load_relaxed32(&p->deserted) == HOST_IS_DEAD)
        return shmi_fail(SHMIPC_E_PEER_DIED, "the host of the region has died");
    if (peer_host_is_leaving(p) && !responder_request_waits(p))
        return shmi_fail(SHMIPC_E_SHUTDOWN, "the host is shutting down");
    return SHMIPC_OK;
}

static int end_of_serving(shmipc_peer *p) {
    if (load_seq_cst32(&p->phase) != PEER_OPEN || load_relaxed32(&p->corrupt))
        return peer_refusal(p);
    return peer_is_host(p) ? shmi_peer_name_refusal(p) : host_is_gone(p);
}

static int end_of_waiting(shmipc_peer *p, const struct until *until) {
    int error = woken(p, until);
    return error ? error : end_of_serving(p);
}

/* Between two requests, of which there may always be another: looks at private memory only. */
static int end_of_busy_serving(shmipc_peer *p, const struct until *until) {
    if (load_relaxed32(&p->phase) != PEER_OPEN || load_relaxed32(&p->corrupt))
        return end_of_serving(p);
    return woken(p, until);
}

/* ---- Waiting for requests ---- */

/* True if nobody rang: a look around after that is no reason to expect a request. Whoever rang
   waits: a tick that is due by then is made before the next sleep. */
static bool sleep_on_requests(shmipc_peer *p, uint32_t generation, uint64_t until) {
    (void)shmi_membership_tick(p, false);
    add_relaxed64(&p->parks);
    bool death = shmi_doorbell_sleep(&p->serves.requests, generation, until);
    bool rung = shmi_doorbell_generation(&p->serves.requests) != generation;
    if (death || !rung)
        (void)shmi_membership_tick(p, death);
    return !rung;
}

static bool is_poller(shmipc_peer *p, const struct worker *worker) {
    uint32_t poller = load_relaxed32(&p->poller);
    if (poller == worker->id)
        return true;
    return poller == 0 && cas_seq_cst32(&p->poller, &poller, worker->id);
}

/* Until it sleeps, callers need not ring. */
static void watch(shmipc_peer *p, struct worker *worker) {
    if (worker->watching)
        return;
    worker->watching = true;
    shmi_doorbell_watch(&p->serves.requests);
}

static void look_away(shmipc_peer *p, struct worker *worker) {
    worker->watching = false;
    shmi_doorbell_look_away(&p->serves.requests);
}

/* It forgets when it was idle first: nobody rings for what is published while nobody is announced,
   so the next ring is not the only one that there was to be since then. */
COLD static void leave_sleepers(shmipc_peer *p, struct worker *worker) {
    uint32_t generation = shmi_doorbell_generation(&p->serves.requests);
    worker->announced = false;
    if (load_relaxed32(&p->idle_at) == generation)
        store_relaxed32(&p->idle_at, generation + NOT_IDLE);
    shmi_doorbell_disarm(&p->serves.requests);
}

static inline void unannounce(shmipc_peer *p, struct worker *worker) {
    if (worker->announced)
        leave_sleepers(p, worker);
}

static uint32_t announce(shmipc_peer *p, struct worker *worker) {
    worker->announced = true;
    return shmi_doorbell_arm(&p->serves.requests);
}

/* It looks away before another may become the poller and watch. */
static void resign(shmipc_peer *p, struct worker *worker) {
    uint32_t poller = worker->id;
    unannounce(p, worker);
    if (load_relaxed32(&p->poller) == worker->id)
        look_away(p, worker);
    if (cas_seq_cst32(&p->poller, &poller, 0))
        shmi_peer_ring(p, &p->serves.requests, WAKE_ALL);
}

static uint64_t pollers_tick(const shmipc_peer *p, uint32_t ticks) {
    if (ticks < TICKS_TO_IDLE)
        return shmi_clock_now() + TICK_NS;
    return shmi_membership_last_look(p) + IDLE_TICK_NS;
}

/* Sleeps, announced, until something is to be done. After a tick it sleeps on, without a look at
   the slots: whoever has published since has rung, if nobody watches. */
static int doze(shmipc_peer *p, const struct worker *worker, const struct until *until,
                uint32_t generation) {
    int error = end_of_waiting(p, until);
    if (error || responder_request_waits(p))
        return error;
    store_relaxed32(&p->idle_at, generation);
    store_relaxed64(&p->rests_since, shmi_clock_now());
    exchange_seq_cst32(&p->resting, worker->id); /* seq_cst: see sentry.c */
    for (uint32_t ticks = 0; !error && load_relaxed32(&p->poller) == worker->id; ticks++) {
        if (!sleep_on_requests(p, generation, pollers_tick(p, ticks)))
            break;
        if (doorbell_is_watched(&p->serves.requests) && responder_request_waits(p))
            break;
        error = end_of_waiting(p, until);
    }
    uint32_t resting = worker->id;
    (void)cas_seq_cst32(&p->resting, &resting, 0);
    return error;
}

/* Whether the ring that it heard was the only one. Before it changes the bell's sets. */
static void hear(const shmipc_peer *p, struct worker *worker) {
    worker->roused = true;
    worker->lone = shmi_doorbell_rung_once(&p->serves.requests, load_relaxed32(&p->idle_at));
}

/* It stays announced: so whoever publishes something while it runs its first handler rings, for a
   standby. */
static int rest_as_poller(shmipc_peer *p, struct worker *worker, const struct until *until) {
    look_away(p, worker);
    int error = doze(p, worker, until, announce(p, worker));
    hear(p, worker);
    shmi_sentry_miss(p);
    return error;
}

/* By a standby, whose first handler is announced too. A poller that is superseded while it is in a
   handler stands by when it comes back. */
static void become_poller(shmipc_peer *p, struct worker *worker) {
    hear(p, worker);
    (void)announce(p, worker);
    exchange_seq_cst32(&p->poller, worker->id);
    look_away(p, worker);
}

/* From now on callers need not ring until it sleeps. It looks once more after that. */
static void stay_awake(shmipc_peer *p, struct worker *worker) {
    watch(p, worker);
    unannounce(p, worker);
}

/* Whoever rang, or was woken, may be waiting for this very processor. Others who wait for an answer
   come first; and where many threads call it would be a while before this one ran again. */
static void give_way(shmipc_peer *p, struct worker *worker) {
    if (!worker->obliged)
        return;
    worker->obliged = false;
    if (worker->lone || !responder_request_waits(p))
        shmi_cpu_yield();
}

static int poll_turn(shmipc_peer *p, struct worker *worker, const struct until *until) {
    struct spin spin = spin_begin(&worker->spins);
    const bool roused = worker->roused;
    const bool held_off = !roused && !worker->obliged;
    if (!worker->announced)
        watch(p, worker);
    if (roused)
        (void)shmi_scan_aim(p, worker);
    if (held_off && wait_hold_off(&worker->hold_off)) {
        shmi_scan_expect_last(p, worker);
        spin_tightly(&spin, 0); /* a glance takes long enough */
    }
    do {
        int served = shmi_scan_glance(p, worker);
        if (served < 0)
            return served;
        if (served > 0) {
            spin_won(&spin);
            if (held_off)
                hold_off_learn(&worker->hold_off, spin_was_needless(&spin));
            worker->lone &= roused;
            unannounce(p, worker);
            return end_of_busy_serving(p, until);
        }
        if (worker->announced)
            stay_awake(p, worker);
        give_way(p, worker);
    } while (wait_again(&spin));
    return rest_as_poller(p, worker, until);
}

static uint64_t standbys_tick(const shmipc_peer *p, const struct sentry *sentry) {
    if (sentry->is_on_duty)
        return sentry->look_at;
    bool rests = load_relaxed32(&p->resting) != 0;
    return shmi_clock_now() + STANDBY_TICK_NS * (rests ? STANDBY_TICKS_AT_REST : 1);
}

/* Waits to be needed: true if it is to become the poller. The bell's ring is what it is needed for;
   whoever begins to stand by may have missed one, and looks too. */
static bool wait_to_be_needed(shmipc_peer *p, struct worker *worker, const struct until *until,
                              struct sentry *sentry, int *error) {
    const struct doorbell *bell = &p->serves.requests;
    for (uint32_t looked = shmi_doorbell_generation(bell) - 1;;) {
        /* First: whoever wants something else to be seen rings after it. */
        uint32_t generation = shmi_doorbell_generation(bell);
        *error = end_of_waiting(p, until);
        if (*error || load_seq_cst32(&p->poller) == 0)
            return false;
        if (generation != looked && shmi_scan_aim(p, worker))
            return true;
        looked = generation;
        shmi_sentry_join(p, sentry);
        (void)sleep_on_requests(p, generation, standbys_tick(p, sentry));
        if (shmi_sentry_look(p, sentry))
            return true;
    }
}

static int stand_by(shmipc_peer *p, struct worker *worker, const struct until *until) {
    struct sentry sentry = {.is_on_duty = false};
    int error;
    unannounce(p, worker);
    give_way(p, worker); /* what it owes from when it was the poller */
    worker->roused = true;
    worker->lone = false;
    worker->watching = false; /* for the poller, which this one was before, to say */
    if (wait_to_be_needed(p, worker, until, &sentry, &error))
        become_poller(p, worker);
    if (error)
        shmi_sentry_resign(p, &sentry);
    else
        shmi_sentry_leave(p, &sentry);
    return error;
}

static int serve(shmipc_peer *p, struct worker *worker, const struct until *until) {
    int error = stopped(until);
    while (error == SHMIPC_OK)
        error = is_poller(p, worker) ? poll_turn(p, worker, until) : stand_by(p, worker, until);
    return error;
}

/* ---- The public calls ---- */

static int check_server(const shmipc_peer *p) {
    if (p == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the peer is NULL");
    if (!p->calls_only)
        return SHMIPC_OK;
    return shmi_fail(SHMIPC_E_INVALID, "guest %u only calls: it was attached with CALLS_ONLY",
                     (unsigned)p->index);
}

static int check_handler(const shmipc_peer *p, shmipc_handler handler) {
    return handler ? check_server(p) : shmi_fail(SHMIPC_E_INVALID, "the handler is NULL");
}

static struct worker new_worker(shmipc_peer *p, shmipc_handler handler, void *context) {
    uint32_t id = 0;
    while (id == 0) /* 0 means that nobody polls */
        id = add_seq_cst32(&p->next_worker, 1) + 1;
    return (struct worker){.handler = handler,
                           .context = context,
                           .id = id,
                           .spins = p->serve_spins,
                           .hold_off = p->serve_hold_off};
}

static int enter_waiter(shmipc_peer *p, struct until *until) {
    int error = shmi_peer_enter(p);
    if (error == SHMIPC_OK)
        until->wakes_before = wakes_of(add_seq_cst64(&p->attendance, 1));
    return error;
}

static void leave_waiter(shmipc_peer *p) {
    add_seq_cst64(&p->attendance, UINT64_MAX);
    shmi_peer_leave(p);
}

/* In a forked child there is nothing left to ring. */
static void wake_server(void *context) {
    shmipc_peer *p = context;
    if (!load_relaxed32(&p->forked))
        shmi_peer_ring(p, &p->serves.requests, WAKE_ALL);
}

/* What a thread that serves gives back when it ends, or is unwound out of a handler. */
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
    resign(p, &s->worker);
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
    error = serve_inside(p, handler, context, token);
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

/* A loop of nothing but shmipc_poll learns of deaths too. */
static int poll_once(shmipc_peer *p, struct worker *worker) {
    int error = end_of_serving(p);
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
    uint32_t generation = shmi_doorbell_arm(&p->serves.requests);
    int error = end_of_waiting(p, until);
    if (error == SHMIPC_OK && !responder_request_waits(p))
        (void)sleep_on_requests(p, generation, shmi_deadline_or_tick(deadline));
    shmi_doorbell_disarm(&p->serves.requests);
    if (error || responder_request_waits(p))
        return error;
    if (shmi_deadline_passed(deadline))
        return shmi_fail(SHMIPC_E_TIMEOUT, "no request came within %lld ns",
                         (long long)deadline->timeout);
    return SHMIPC_E_STATE; /* of no use to the user: go on */
}

static int wait_for_request(shmipc_peer *p, int64_t timeout, const struct until *until) {
    struct deadline deadline = deadline_in(timeout);
    struct spin spin = spin_begin(&p->wait_spins);
    int error;
    do {
        if (responder_request_waits(p)) {
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
    struct until until = {.stop = NULL};
    int error = check_timeout(timeout);
    if (error == SHMIPC_OK)
        error = check_server(p);
    if (error == SHMIPC_OK)
        error = enter_waiter(p, &until);
    if (error)
        return error;
    error = wait_for_request(p, timeout, &until);
    leave_waiter(p);
    return error;
}

int shmipc_wake(shmipc_peer *p) {
    int error = shmi_peer_enter(p);
    if (error)
        return error;
    uint32_t waiters = (uint32_t)add_seq_cst64(&p->attendance, UINT64_C(1) << 32);
    if (waiters == 0)
        exchange_seq_cst32(&p->wake_pending, 1);
    shmi_peer_ring(p, &p->serves.requests, WAKE_ALL);
    shmi_peer_leave(p);
    return SHMIPC_OK;
}
