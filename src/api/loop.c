/*
 * A peer's descriptor in an event loop: shmipc.h, Loops. The loop is a sleeper that does not
 * sleep here: it announces itself on the eventcounts, arms the descriptor there, then looks.
 */
#include "base/error.h"
#include "base/thread.h"
#include "call/collect.h"
#include "peer/membership.h"
#include "serve/ending.h"
#include "serve/requests.h"

#define EVENTS (SHMIPC_ARM_REQUESTS | SHMIPC_ARM_EVENTS)

/* As a sleeper's, of which the system tells when the host's process ends. */
#define WATCHED_TICK_NS UINT64_C(1000000000)

/* What one call of shmipc_arm asks for. */
struct wanted {
    bool requests;
    bool changes;
    const shmipc_slot *slots;
    size_t count;
};

/* ---- Looking ---- */

/* A reason to end is found by shmipc_poll too. */
static bool requests_are_there(shmipc_peer *p) {
    return requests_wait(p) || shmi_ending_of_peer(p) != SHMIPC_OK;
}

/* A look asks the system about each peer that is there: so looks only if a peer has announced a
   change, or the deaths are to be looked for. */
static bool changes_are_there(shmipc_peer *p, bool deaths) {
    uint32_t generation = shmi_eventcount_generation(&p->membership.changes);
    if (generation == p->loop.changes_seen && !deaths)
        return false;
    if (shmi_membership_has_news(p))
        return true;
    p->loop.changes_seen = generation;
    return false;
}

/* Beside answers. */
static bool others_ask(shmipc_peer *p, const struct wanted *wanted, bool deaths) {
    return (wanted->requests && requests_are_there(p)) ||
           (wanted->changes && changes_are_there(p, deaths));
}

static bool is_there(shmipc_peer *p, const struct wanted *wanted, bool deaths) {
    return (wanted->count > 0 && shmi_collect_has_ended(p, wanted->slots, wanted->count, deaths)) ||
           others_ask(p, wanted, deaths);
}

/* ---- Announcing ---- */

/* Returns whether the loop is announced now. */
static bool announce(struct local_eventcount *eventcount, bool was_announced, bool wanted) {
    if (wanted && !was_announced)
        (void)shmi_eventcount_prepare(eventcount);
    if (wanted)
        shmi_eventcount_arm(eventcount);
    if (!wanted && was_announced) {
        shmi_eventcount_disarm(eventcount);
        shmi_eventcount_cancel(eventcount);
    }
    return wanted;
}

static void announce_all(shmipc_peer *p, const struct wanted *wanted) {
    struct peer_loop *loop = &p->loop;
    loop->awaits_answers = announce(&p->calling.answers, loop->awaits_answers, wanted->count > 0);
    loop->awaits_requests = announce(&p->serves.requests, loop->awaits_requests, wanted->requests);
    loop->awaits_changes = announce(&p->membership.changes, loop->awaits_changes, wanted->changes);
}

/* A busy loop is not announced: nobody need notify it. */
static void withdraw(shmipc_peer *p) {
    static const struct wanted nothing = {.requests = false};
    announce_all(p, &nothing);
}

/* A loop that heeds requests may be notified of one instead of a worker that sleeps. When it does
   so no longer, also after it was told of that request, it leaves it to a worker. */
static void heed_requests(shmipc_peer *p, bool wanted) {
    struct peer_loop *loop = &p->loop;
    const bool heeded = loop->heeds_requests;
    loop->heeds_requests = wanted;
    if (!heeded || wanted)
        return;
    loop->awaits_requests = announce(&p->serves.requests, loop->awaits_requests, false);
    if (requests_wait(p) && eventcount_has_sleepers(&p->serves.requests))
        shmi_peer_notify_for_several(p, requests_find(p, 0));
}

/* ---- Arming ---- */

static int say_ready(shmipc_peer *p) {
    withdraw(p);
    if (!p->loop.is_ready)
        shmi_pollable_signal(p->loop.pollable);
    p->loop.is_ready = true;
    return 1;
}

/* Ticks fall on multiples of their interval, so that those of many peers wake a loop once. */
static void set_tick(struct peer_loop *loop, uint64_t now) {
    const uint64_t interval = loop->host_watched ? WATCHED_TICK_NS : TICK_NS;
    loop->tick_at = now - now % interval + interval;
}

static bool take_tick(struct peer_loop *loop) {
    uint64_t now = shmi_clock_now();
    if (now < loop->tick_at)
        return false;
    set_tick(loop, now);
    return true;
}

/* The end of the host's process is a reason to look; its lock proves the death. */
static bool host_ended(struct peer_loop *loop) {
    if (!shmi_pollable_saw_end(loop->pollable))
        return false;
    loop->host_watched = false;
    set_tick(loop, shmi_clock_now());
    return true;
}

static bool look_at_all(shmipc_peer *p, const struct wanted *wanted, bool death) {
    (void)shmi_membership_tick(p, death);
    return is_there(p, wanted, true);
}

/* What a look for deaths finds is there until a look does not find it, however soon. */
static bool look(shmipc_peer *p, const struct wanted *wanted) {
    struct peer_loop *loop = &p->loop;
    bool found;
    if (take_tick(loop)) {
        found = loop->look_again = look_at_all(p, wanted, false);
    } else {
        found = is_there(p, wanted, loop->look_again);
        loop->look_again = found && loop->look_again;
    }
    if (!found && host_ended(loop))
        found = loop->look_again = look_at_all(p, wanted, true);
    return found;
}

/* The descriptor is cleared first: a signal that comes after that is for a change that this thread
   may have missed. */
static int arm(shmipc_peer *p, const struct wanted *wanted) {
    if (look(p, wanted))
        return say_ready(p);
    int error = shmi_pollable_clear(p->loop.pollable, p->loop.tick_at);
    if (error) {
        withdraw(p);
        return error;
    }
    p->loop.is_ready = false;
    announce_all(p, wanted);
    bool answered = wanted->count > 0 && !shmi_collect_park(p, wanted->slots, wanted->count);
    return answered || others_ask(p, wanted, false) ? say_ready(p) : 0;
}

static int check_slots(const shmipc_peer *p, const shmipc_slot *slots, size_t count) {
    if (count > SHMIPC_SLOTS_MAX)
        return shmi_fail(SHMIPC_E_INVALID, "%zu slots, allowed: 0 to %d", count, SHMIPC_SLOTS_MAX);
    if (count > 0 && slots == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the slots are NULL");
    for (size_t i = 0; i < count; i++) {
        if (slots[i].peer != NULL && slots[i].peer != p)
            return shmi_fail(SHMIPC_E_INVALID, "slot %zu of %zu is of another peer", i, count);
    }
    return SHMIPC_OK;
}

static int check(const shmipc_peer *p, uint32_t events, const shmipc_slot *slots, size_t count) {
    if (p == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the peer is NULL");
    if ((events & ~EVENTS) != 0)
        return shmi_fail(SHMIPC_E_INVALID, "events is 0x%x, allowed: 0x%x", (unsigned)events,
                         EVENTS);
    int error = (events & SHMIPC_ARM_REQUESTS) != 0 ? shmi_peer_check_server(p) : SHMIPC_OK;
    if (error)
        return error;
    if (p->loop.pollable == NULL)
        return shmi_fail(SHMIPC_E_STATE, "the peer has no descriptor: call shmipc_get_fd first");
    return check_slots(p, slots, count);
}

/* A look that finds a reason to end is no failure of this call: restores the last sentence. */
int shmipc_arm(shmipc_peer *p, uint32_t events, const shmipc_slot *slots, size_t count) {
    int error = check(p, events, slots, count);
    if (error == SHMIPC_OK)
        error = shmi_peer_enter(p);
    if (error)
        return error;
    const struct last_failure kept = shmi_thread_state()->last;
    const struct wanted wanted = {.requests = (events & SHMIPC_ARM_REQUESTS) != 0,
                                  .changes = (events & SHMIPC_ARM_EVENTS) != 0,
                                  .slots = slots,
                                  .count = count};
    heed_requests(p, wanted.requests);
    int result = arm(p, &wanted);
    if (result >= 0)
        shmi_thread_state()->last = kept;
    shmi_peer_leave(p);
    return result;
}

int shmipc_disarm(shmipc_peer *p) {
    int error = shmi_peer_enter(p);
    if (error)
        return error;
    withdraw(p);
    heed_requests(p, false);
    shmi_peer_leave(p);
    return SHMIPC_OK;
}

/* ---- The descriptor ---- */

/* A process id means the host's process only where it was counted. It may have been given again if
   the host is dead already: the first shmipc_arm looks. */
static bool watch_host(shmipc_peer *p) {
    const struct peer_record *host = &p->region.shared->peers[HOST];
    const uint64_t origin = load_relaxed64(&host->origin);
    return !peer_is_host(p) && origin != 0 && origin == shmi_process_origin() &&
           shmi_pollable_watch(p->loop.pollable, load_relaxed32(&host->pid));
}

static int open_pollable(shmipc_peer *p) {
    int error = shmi_pollable_open(p->region.object, &p->loop.pollable);
    if (error == SHMIPC_OK)
        p->loop.host_watched = watch_host(p);
    return error;
}

int shmipc_get_fd(shmipc_peer *p, shmipc_fd *fd) {
    if (fd == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the place for the descriptor is NULL");
    int error = shmi_peer_enter(p);
    if (error)
        return error;
    if (p->loop.pollable == NULL)
        error = open_pollable(p);
    if (error == SHMIPC_OK)
        *fd = shmi_pollable_fd(p->loop.pollable);
    shmi_peer_leave(p);
    return error;
}
