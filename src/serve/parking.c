#include "serve/parking.h"

#include "peer/membership.h"
#include "serve/home.h"
#include "serve/poller.h"
#include "serve/requests.h"
#include "serve/sentry.h"

#define NOT_IDLE (UINT32_C(1) << 31) /* no generation gets this far ahead of `idle_at` */

/* After a notification a caller waits, so a tick that is due then is made before the next sleep. A
   tick or a death is no notification. */
bool shmi_park_sleep(shmipc_peer *p, uint32_t generation, uint64_t until, uint32_t home) {
    (void)shmi_membership_tick(p, false);
    add_relaxed64(&p->parks);
    bool death = shmi_eventcount_commit_at_home(&p->serves.requests, generation, until, home);
    bool notified = shmi_eventcount_generation(&p->serves.requests) != generation;
    if (death || !notified)
        (void)shmi_membership_tick(p, death);
    return !notified;
}

/* One parked worker, the ticker, looks for dead peers. The others look rarely, in case the ticker
   is woken and does not return from its handler. */
static bool ticks_for_all(shmipc_peer *p, const struct worker *worker) {
    uint32_t ticker = load_relaxed32(&p->serving.ticker);
    return ticker == worker->id ||
           (ticker == 0 && cas_seq_cst32(&p->serving.ticker, &ticker, worker->id));
}

static uint64_t next_tick(shmipc_peer *p, const struct worker *worker, uint32_t ticks) {
    if (worker->sentry.is_on_duty)
        return worker->sentry.look_at;
    if (!ticks_for_all(p, worker))
        return shmi_clock_now() + PARKED_TICK_NS;
    if (ticks < TICKS_TO_IDLE)
        return shmi_clock_now() + TICK_NS;
    return shmi_membership_last_look(p) + IDLE_TICK_NS;
}

/* True if the worker is notified, or the poller is stuck. */
static bool sleep_once(shmipc_peer *p, struct worker *worker, uint32_t generation, uint32_t ticks) {
    shmi_sentry_join(p, &worker->sentry);
    bool notified = !shmi_park_sleep(p, generation, next_tick(p, worker, ticks), worker->home);
    if (!shmi_sentry_look(p, &worker->sentry))
        return notified;
    (void)shmi_poller_supersede(p);
    store_relaxed32(&p->serving.idle_at, generation + NOT_IDLE);
    return true;
}

/* After a tick the worker looks at the slots only if another one polls: without a poller, each
   caller that has published since has notified. */
static int sleep_until_needed(shmipc_peer *p, struct worker *worker, const struct until *until,
                              uint32_t generation) {
    int error = SHMIPC_OK;
    for (uint32_t ticks = 0; error == SHMIPC_OK; ticks++) {
        if (sleep_once(p, worker, generation, ticks))
            break;
        if (eventcount_has_pollers(&p->serves.requests) && requests_wait(p))
            break;
        error = shmi_ending(p, until);
    }
    return error;
}

static int sleep_parked(shmipc_peer *p, struct worker *worker, const struct until *until,
                        uint32_t generation, bool *slept) {
    const enum home_look look = shmi_home_look(p, worker);
    *slept = look != HOME_NEEDED;
    if (!*slept)
        return SHMIPC_OK;
    store_relaxed32(&p->serving.idle_at, generation + (look == HOME_QUIET ? 0 : NOT_IDLE));
    store_relaxed64(&p->serving.rests_since, shmi_clock_now());
    int error = sleep_until_needed(p, worker, until, generation);
    uint32_t ticker = worker->id;
    (void)cas_seq_cst32(&p->serving.ticker, &ticker, 0);
    return error;
}

/* Callers do not notify while no sleeper is announced, so the next notification no longer implies
   exactly one pending request. */
static void cancel(shmipc_peer *p) {
    uint32_t generation = shmi_eventcount_generation(&p->serves.requests);
    if (load_relaxed32(&p->serving.idle_at) == generation)
        store_relaxed32(&p->serving.idle_at, generation + NOT_IDLE);
    shmi_eventcount_cancel(&p->serves.requests);
}

/* Called before the worker changes the eventcount's sets, since what a notification implies depends
   on them. If the worker did not sleep it may have polled, so perhaps nobody was notified of the
   request that it found, or of others. */
static struct wakeup wake_up(const shmipc_peer *p, bool slept) {
    uint32_t idle_at = load_relaxed32(&p->serving.idle_at);
    return (struct wakeup){
        .just_woken = true,
        .sole_request = slept && shmi_eventcount_notified_once(&p->serves.requests, idle_at)};
}

int shmi_park(shmipc_peer *p, struct worker *worker, const struct until *until) {
    worker->state = WORKER_PARKED;
    uint32_t generation = shmi_eventcount_prepare(&p->serves.requests);
    bool slept = false;
    int error = shmi_ending(p, until);
    if (error == SHMIPC_OK)
        error = sleep_parked(p, worker, until, generation, &slept);
    worker->wakeup = wake_up(p, slept);
    worker->keeps_home = false;
    cancel(p);
    worker->state = WORKER_SEARCHING;
    return error;
}
