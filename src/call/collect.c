/*
 * The first of several answers: shmipc.h, shmipc_slot_wait_any.
 */
#include "call/collect.h"

#include "base/error.h"
#include "call/caller.h"
#include "call/pool.h"
#include "peer/sleeper.h"
#include "region/slot.h"

struct several {
    shmipc_peer *peer;
    const shmipc_slot *slots;
    size_t count;
    size_t from; /* where a look begins */
};

/* NULL for a slot in which no request is under way: it is passed over. */
static struct local_slot *under_way(const struct several *s, size_t i) {
    struct local_slot *l = pool_find(s->slots[i]);
    return l != NULL && l->phase == PHASE_SENT ? l : NULL;
}

typedef bool look(shmipc_peer *peer, struct local_slot *local);

/* The first slot, in the order of a look, for which `matches` is true; `count` if none. */
static size_t find(const struct several *s, look *matches) {
    for (size_t n = 0, i = s->from; n < s->count; n++) {
        struct local_slot *l = under_way(s, i);
        if (l != NULL && matches(s->peer, l))
            return i;
        i = i + 1 < s->count ? i + 1 : 0;
    }
    return s->count;
}

static bool any(shmipc_peer *p, struct local_slot *l) {
    (void)p;
    (void)l;
    return true;
}

/* Called after the sleeper is announced. Reads the flags after PARKED is set: a thread that sets a
   flag reads PARKED next. A word that cannot be parked in WORD_CHANGES tries is corrupt: its call
   ends. */
static bool ends_or_is_parked(shmipc_peer *p, struct local_slot *l) {
    word seen = slot_look_again(l->shared);
    for (int i = 0; !shmi_caller_has_ended(p, l, seen) && (seen & WORD_PARKED) == 0; i++) {
        if (i == WORD_CHANGES)
            return true;
        if (shmi_slot_park(l->shared, &seen))
            break;
    }
    return shmi_caller_has_ended(p, l, seen);
}

static bool has_ended(shmipc_peer *p, struct local_slot *l) {
    return shmi_caller_has_ended(p, l, slot_look(l->shared));
}

/* Looks for the responder now, however recent the last look. */
static bool would_end_now(shmipc_peer *p, struct local_slot *l) {
    l->call.checked_at = 0;
    return shmi_caller_would_end(p, l);
}

static size_t spin_for_any(const struct several *s, struct deadline *deadline) {
    struct spin spin = spin_begin(&s->peer->calling.collect_spins);
    size_t ended;
    do {
        ended = find(s, has_ended);
        spin_pay(&spin, (uint32_t)s->count);
    } while (ended == s->count && deadline->timeout != 0 && wait_again(&spin));
    if (ended != s->count)
        spin_won(&spin);
    return ended;
}

/* *look_at: when to look for deaths next, however often the thread is notified. */
static size_t sleep_once(const struct several *s, struct deadline *deadline,
                         const struct sleeper *sleeper, uint64_t *look_at, bool *look_for_deaths) {
    struct local_eventcount *answers = &s->peer->calling.answers;
    uint32_t generation = shmi_eventcount_prepare(answers);
    size_t ended = find(s, ends_or_is_parked);
    if (ended == s->count && !sleeper_is_stopped(sleeper)) {
        uint64_t until = sooner(shmi_deadline_at(deadline), *look_at);
        add_relaxed64(&s->peer->parks);
        bool death = shmi_eventcount_commit(answers, generation, until);
        uint64_t now = shmi_clock_now();
        *look_for_deaths = death || now >= *look_at;
        if (*look_for_deaths)
            *look_at = now + TICK_NS;
    }
    shmi_eventcount_cancel(answers);
    return ended;
}

static size_t sleep_for_any(const struct several *s, struct deadline *deadline,
                            const struct sleeper *sleeper) {
    bool look_for_deaths = load_relaxed32(&s->peer->membership.remote_alive) == 0;
    uint64_t look_at = shmi_clock_now() + TICK_NS;
    size_t ended;
    (void)shmi_send_notify_for_all(s->peer);
    do {
        ended = find(s, look_for_deaths ? would_end_now : has_ended);
        if (ended != s->count || sleeper_is_stopped(sleeper) || shmi_deadline_passed(deadline))
            return ended;
        ended = sleep_once(s, deadline, sleeper, &look_at, &look_for_deaths);
    } while (ended == s->count);
    return ended;
}

/* ---- Waiting in an event loop ---- */

bool shmi_collect_has_ended(shmipc_peer *p, const shmipc_slot *slots, size_t count, bool deaths) {
    const struct several several = {.peer = p, .slots = slots, .count = count};
    return find(&several, deaths ? would_end_now : has_ended) != count;
}

bool shmi_collect_park(shmipc_peer *p, const shmipc_slot *slots, size_t count) {
    const struct several several = {.peer = p, .slots = slots, .count = count};
    (void)shmi_send_notify_for_all(p);
    return find(&several, ends_or_is_parked) == count;
}

/* ---- Waiting in a thread ---- */

/* The peer of all; NULL if no slot has one, or two have different ones. */
static shmipc_peer *common_peer(const shmipc_slot *slots, size_t count) {
    shmipc_peer *peer = NULL;
    for (size_t i = 0; i < count; i++) {
        if (slots[i].peer == NULL)
            continue;
        if (peer != NULL && slots[i].peer != peer)
            return NULL;
        peer = slots[i].peer;
    }
    return peer;
}

static int check(const shmipc_slot *slots, size_t count, int64_t timeout, const size_t *which) {
    if (slots == NULL || which == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the %s NULL",
                         slots == NULL ? "slots are" : "place for the index is");
    if (count == 0 || count > SHMIPC_SLOTS_MAX)
        return shmi_fail(SHMIPC_E_INVALID, "%zu slots, allowed: 1 to %d", count, SHMIPC_SLOTS_MAX);
    return check_timeout(timeout);
}

static int none_ended(const struct several *s, int64_t timeout, bool stopped) {
    if (stopped)
        return shmi_fail(SHMIPC_E_CANCELLED, "stopped by shmipc_stop; all of %zu calls go on",
                         s->count);
    return shmi_fail(SHMIPC_E_TIMEOUT, "none of %zu calls ended within %lld ns; all go on",
                     s->count, (long long)timeout);
}

static int await_any_asleep(const struct several *s, struct deadline *deadline, size_t *which) {
    struct sleeper sleeper;
    shmi_sleeper_begin(&sleeper, s->peer, &s->peer->calling.answers);
    *which = sleep_for_any(s, deadline, &sleeper);
    bool stopped = sleeper_is_stopped(&sleeper);
    shmi_sleeper_end(&sleeper);
    return *which < s->count ? SHMIPC_OK : none_ended(s, deadline->timeout, stopped);
}

static int await_any(const struct several *s, int64_t timeout, size_t *which) {
    struct deadline deadline = deadline_in(timeout);
    size_t ended = spin_for_any(s, &deadline);
    int error = ended == s->count ? await_any_asleep(s, &deadline, &ended) : SHMIPC_OK;
    if (error == SHMIPC_OK)
        *which = ended;
    return error;
}

int shmipc_slot_wait_any(const shmipc_slot *slots, size_t count, int64_t timeout, size_t *which) {
    int error = check(slots, count, timeout, which);
    if (error)
        return error;
    const struct several several = {.peer = common_peer(slots, count),
                                    .slots = slots,
                                    .count = count,
                                    .from = *which < count ? *which : 0};
    if (several.peer == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the %zu slots are not of one peer", count);
    if (find(&several, any) == count)
        return shmi_fail(SHMIPC_E_STATE, "no request is under way in any of %zu slots", count);
    return await_any(&several, timeout, which);
}
