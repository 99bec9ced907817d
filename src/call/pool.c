#include "call/pool.h"

#include "base/error.h"
#include "base/thread.h"
#include "call/turns.h"
#include "peer/membership.h"
#include "peer/sleeper.h"
#include "region/liveness.h"
#include "region/slot.h"

/* seq_cst: this look after prepare pairs with the release that notifies. */
static bool claim_shared(const shmipc_peer *p, struct local_slot *l) {
    word seen = slot_look_again(l->shared);
    if (word_state(seen) != SLOT_FREE || !shmi_slot_claim(l->shared, &seen, p->self))
        return false;
    l->last = seen;
    return true;
}

/* A host slot whose call was given up can be claimed again once its responder has stored FREE. */
COLD static bool recover_quarantined(struct local_slot *l) {
    word seen = slot_look_again(l->shared);
    if (word_state(seen) != SLOT_FREE)
        return false;
    l->last = seen;
    l->quarantined = false;
    return true;
}

/* The region may be unmapped at any moment unless this thread has a claim, and has since seen the
   phase not closed. */
static bool is_usable(const shmipc_peer *p, struct local_slot *l) {
    if (load_seq_cst32(&p->life.phase) == PEER_CLOSED)
        return false;
    if (!peer_is_host(p))
        return claim_shared(p, l);
    return !l->quarantined || recover_quarantined(l);
}

/* A waiter of this process may have been notified during our short claim, and have found the slot
   taken. If the slot is free now, the waiter is notified again. */
COLD static void undo_claim(shmipc_peer *p, struct local_slot *l) {
    exchange_seq_cst32(&l->claim, load_relaxed32(&l->claim) + 1);
    if (load_seq_cst32(&p->calls.vacancies.waiters) != 0 && shmi_peer_try_enter(p)) {
        if (word_state(slot_look_again(l->shared)) == SLOT_FREE)
            shmi_peer_notify(p, &p->calls.vacancies, WAKE_ONE);
        shmi_peer_leave(p);
    }
    peer_note_departure(p);
}

static bool try_claim(shmipc_peer *p, struct local_slot *l) {
    uint32_t claim = load_seq_cst32(&l->claim);
    /* seq_cst: the closing thread stores its phase, then looks at the claims; we do the reverse. */
    if (claim % 2 != 0 || !cas_seq_cst32(&l->claim, &claim, claim + 1))
        return false;
    if (is_usable(p, l)) {
        l->phase = PHASE_CLAIMED;
        return true;
    }
    undo_claim(p, l);
    return false;
}

/* The affinity is the index of the slot that this thread used last, in any peer: a thread that
   calls again gets the same slot, whose lines are in its cache. */
static struct local_slot *try_usual(shmipc_peer *p) {
    uint32_t usual = shmi_thread_state()->affinity;
    if (usual >= p->calls.count)
        return NULL;
    struct local_slot *l = &p->slots[p->calls.first + usual];
    return try_claim(p, l) ? l : NULL;
}

static struct local_slot *try_any(shmipc_peer *p) {
    const struct direction *d = &p->calls;
    struct thread_state *thread = shmi_thread_state();
    uint32_t start = thread->affinity < d->count ? thread->affinity : 0;
    for (uint32_t n = 0, i = start; n < d->count; n++, i = i + 1 < d->count ? i + 1 : 0) {
        struct local_slot *l = &p->slots[d->first + i];
        if (try_claim(p, l)) {
            thread->affinity = i;
            return l;
        }
    }
    return NULL;
}

/* Reclaims slots that a dead responder or another, dead, guest still owns. */
static void reclaim_dead_owners(shmipc_peer *p) {
    for (uint32_t i = p->calls.first; i < p->calls.first + p->calls.count; i++) {
        word seen = slot_look(region_slot(&p->region, i));
        if (word_owner(seen) != 0 && word_owner(seen) != p->self &&
            shmi_owner_is_dead(&p->region, seen))
            (void)shmi_reclaim_slot(&p->region, i, seen);
    }
}

static int no_slot(const shmipc_peer *p, const struct deadline *deadline) {
    return shmi_fail(SHMIPC_E_TIMEOUT,
                     "none of the %u slots became free within %lld ns; never started",
                     (unsigned)p->calls.count, (long long)deadline->timeout);
}

/* Separate from the peer's ticks, since the thread that makes a tick may wait for something else.
   One of the threads that wait for a slot reclaims for all of them. */
static bool take_reclaim(shmipc_peer *p) {
    uint64_t now = shmi_clock_now();
    uint64_t due = load_relaxed64(&p->calling.next_reclaim);
    return now >= due && cas_acquire64(&p->calling.next_reclaim, &due, now + TICK_NS);
}

enum wake_up { WOKEN_TO_LOOK, WOKEN_BY_NOTIFY, WOKEN_TOO_LATE };

/* Sleeps until a notification, a look of its own, or the deadline. */
static enum wake_up sleep_once(shmipc_peer *p, uint32_t generation, struct deadline *deadline,
                               uint64_t sleep) {
    struct local_eventcount *vacancies = &p->calls.vacancies;
    uint64_t look = shmi_clock_now() + sleep;
    bool death =
        shmi_eventcount_commit(vacancies, generation, sooner(shmi_deadline_at(deadline), look));
    (void)shmi_membership_tick(p, death);
    if (death || take_reclaim(p))
        reclaim_dead_owners(p);
    if (shmi_deadline_passed(deadline))
        return WOKEN_TOO_LATE;
    bool notified = shmi_eventcount_generation(vacancies) != generation;
    return notified && shmi_clock_now() < look ? WOKEN_BY_NOTIFY : WOKEN_TO_LOOK;
}

/* A waiter that looks by itself leaves the slots to the threads that have turns, but not for ever:
   after several looks it takes a free slot, whose thread may never come back. */
static struct local_slot *look_after_sleep(shmipc_peer *p, enum wake_up wake_up, uint32_t looks) {
    enum { SPARING_LOOKS = 3 };
    if (wake_up == WOKEN_TO_LOOK && looks <= SPARING_LOOKS && !shmi_turns_leave_room(p))
        return NULL;
    struct local_slot *l = try_any(p);
    if (l != NULL && wake_up == WOKEN_TO_LOOK)
        store_relaxed32(&p->calling.turns.left_early, 1);
    return l;
}

static bool may_wait(shmipc_peer *p, struct deadline *deadline, const struct sleeper *sleeper) {
    return !sleeper_is_stopped(sleeper) && load_seq_cst32(&p->life.phase) == PEER_OPEN &&
           peer_refusal(p) == SHMIPC_OK && !shmi_deadline_passed(deadline);
}

/* A sleeper tries once more before it gives up, so that no notification is wasted on it. The newest
   waiter's sleeps are short: a release just before may have missed this waiter, and this waiter the
   release; and a thread that released without notifying may never call again. A thread that steps
   aside has notified another waiter, and does not look before it sleeps. */
static struct local_slot *sleep_for_slot(shmipc_peer *p, struct deadline *deadline, bool aside,
                                         const struct sleeper *sleeper) {
    struct local_eventcount *vacancies = &p->calls.vacancies;
    uint32_t generation = shmi_eventcount_prepare(vacancies);
    uint32_t ticket = add_seq_cst32(&p->calling.newest_waiter, 1) + 1;
    struct local_slot *l = aside ? NULL : try_any(p);
    uint32_t looks = 0;
    while (l == NULL && may_wait(p, deadline, sleeper)) {
        bool is_newest = load_relaxed32(&p->calling.newest_waiter) == ticket;
        uint64_t sleep = vacancy_sleep(is_newest, looks++, load_relaxed32(&vacancies->waiters));
        enum wake_up wake_up = sleep_once(p, generation, deadline, sleep);
        generation = shmi_eventcount_generation(vacancies);
        l = look_after_sleep(p, wake_up, looks);
        if (wake_up == WOKEN_BY_NOTIFY) {
            ticket = add_seq_cst32(&p->calling.newest_waiter, 1) + 1;
            looks = 0;
        }
    }
    shmi_eventcount_cancel(vacancies);
    return l;
}

/* Spinning is no use if other threads already sleep for a slot. */
static bool spins_for_slot(shmipc_peer *p, const struct deadline *deadline, struct spin *spin) {
    return deadline->timeout != 0 && load_relaxed32(&p->calls.vacancies.waiters) == 0 &&
           wait_again(spin);
}

static int wait_for_slot(shmipc_peer *p, struct deadline *deadline, bool aside,
                         const struct sleeper *sleeper, struct local_slot **slot) {
    struct spin spin = spin_begin(&p->calling.claim_spins);
    for (;;) {
        int error = peer_refusal(p);
        if (error)
            return error;
        bool spinning = !aside && spins_for_slot(p, deadline, &spin);
        spin_pay(&spin, p->calls.count);
        *slot = spinning ? try_any(p) : sleep_for_slot(p, deadline, aside, sleeper);
        aside = false;
        if (*slot != NULL) {
            if (spinning)
                spin_won(&spin);
            else
                shmi_turn_begin(&(*slot)->turn, &p->calling.turns, shmi_clock_now());
            return SHMIPC_OK;
        }
        if (!spinning && sleeper_is_stopped(sleeper))
            return shmi_fail(SHMIPC_E_CANCELLED, "stopped by shmipc_stop; never started");
        if (!spinning && shmi_deadline_passed(deadline))
            return no_slot(p, deadline);
    }
}

/* In this process, or in another guest, which claims the same slots. */
static bool others_wait_for_slot(const shmipc_peer *p) {
    return load_seq_cst32(&p->calls.vacancies.waiters) != 0 ||
           (!peer_is_host(p) && eventcount_has_sleepers(&p->calls.vacancies));
}

static int wait_inside(shmipc_peer *p, struct deadline *deadline, bool aside,
                       struct local_slot **slot) {
    if (p->calls.count == 0)
        return shmi_fail(SHMIPC_E_INVALID, "the region has no slots for calls of a %s",
                         peer_is_host(p) ? "host" : "guest");
    int error = shmi_peer_enter(p);
    if (error)
        return error;
    struct sleeper sleeper;
    shmi_sleeper_begin(&sleeper, p, &p->calls.vacancies);
    error = wait_for_slot(p, deadline, aside && others_wait_for_slot(p), &sleeper, slot);
    shmi_sleeper_end(&sleeper);
    shmi_peer_leave(p);
    return error;
}

COLD static int claim_another(shmipc_peer *p, struct deadline *deadline, struct local_slot **slot) {
    bool aside = shmi_turns_step_aside(p) && deadline->timeout != 0;
    *slot = aside ? NULL : try_any(p);
    if (*slot == NULL)
        return wait_inside(p, deadline, aside, slot);
    turn_reset(&(*slot)->turn); /* it was another thread's turn */
    return SHMIPC_OK;
}

int shmi_pool_claim(shmipc_peer *p, struct deadline *deadline, struct local_slot **slot) {
    struct local_slot *l = try_usual(p);
    int error = l == NULL ? claim_another(p, deadline, &l) : SHMIPC_OK;
    *slot = l;
    if (error)
        return error;
    l->call.held = false;
    return pool_admit(p, l);
}

COLD static void notify_vacancies(shmipc_peer *p) {
    if (!shmi_peer_try_enter(p)) /* closing wakes all waiters anyway */
        return;
    shmi_peer_notify(p, &p->calls.vacancies, WAKE_ONE);
    shmi_peer_leave(p);
}

/* Release: pairs with the next try_claim, and with the thread that unmaps the region when no slot
   is claimed. The waiters and the phase may be read before others see the claim gone:
   STORES_SEEN_NS. Once the claim is gone the region may be unmapped at any moment: after that, only
   private memory is touched. */
static void return_claim(shmipc_peer *p, struct local_slot *l, bool others_wait) {
    const atomic_u32 *own = &p->calls.vacancies.waiters;
    bool silent = false;
    if (others_wait || load_relaxed32(own) != 0)
        silent = shmi_turns_keep(p, l);
    else if (l->turn.began != 0)
        turn_reset(&l->turn);
    store_release32(&l->claim, load_relaxed32(&l->claim) + 1);
    if (!silent && (others_wait || load_seq_cst32(own) != 0))
        notify_vacancies(p);
    peer_note_departure(p);
}

void shmi_pool_unclaim(shmipc_peer *p, struct local_slot *l) {
    return_claim(p, l, false);
}

/* Reads the sleepers of all processes while the claim keeps the region mapped, and notifies them
   when the slot can be claimed. */
void shmi_pool_unclaim_free(shmipc_peer *p, struct local_slot *l) {
    return_claim(p, l, !peer_is_host(p) && eventcount_wants_notify(&p->calls.vacancies));
}

void shmi_pool_release(shmipc_peer *p, struct local_slot *l) {
    if (!peer_is_host(p) && !shmi_slot_release(l->shared, l->last))
        (void)shmi_peer_mark_corrupt(p, "somebody else changed slot %u, which this guest held",
                                     (unsigned)(l - p->slots));
    shmi_pool_unclaim_free(p, l);
}

int shmi_pool_refuse(const struct local_slot *l) {
    if (l == NULL)
        return shmi_fail(SHMIPC_E_STALE,
                         "the slot was released, or its call ended without an answer");
    return shmi_fail(SHMIPC_E_STATE, "a request is under way in this slot");
}

/* Threads take the first free slots, so looking at the first ones is enough. */
bool shmi_pool_is_crowded(const shmipc_peer *p) {
    enum { LOOKED_AT = 64 };
    uint32_t count = p->calls.count < LOOKED_AT ? p->calls.count : LOOKED_AT;
    uint32_t claimed = 0;
    for (uint32_t i = p->calls.first; i < p->calls.first + count; i++)
        claimed += load_relaxed32(&p->slots[i].claim) % 2;
    return claimed > p->processors;
}
