#include "peer/membership.h"

#include "base/error.h"
#include "peer/address.h"
#include "peer/sleeper.h"
#include "region/liveness.h"

/* ---- Scanning: one thread at a time; the locks and `known` belong to the process ---- */

static bool begin_scan(shmipc_peer *p) {
    uint32_t idle = 0;
    return cas_seq_cst32(&p->membership.scan, &idle, 1);
}

static void end_scan(shmipc_peer *p) {
    store_release32(&p->membership.scan, 0); /* pairs with the CAS of the next scan */
}

static void reap_each(shmipc_peer *p) {
    for (uint32_t i = HOST + 1; i < PEERS; i++) {
        if (!shmi_reap_guest(&p->region, i))
            continue;
        /* The next call that sleeps checks at once for live guests. */
        store_relaxed32(&p->membership.remote_alive, 0);
        shmi_peer_log(p, SHMIPC_LOG_WARN, "guest %u has died", (unsigned)i);
    }
}

void shmi_membership_reap_dead(shmipc_peer *p) {
    if (!begin_scan(p))
        return;
    reap_each(p);
    end_scan(p);
}

void shmi_membership_announce(shmipc_peer *p) {
    (void)shmi_eventcount_notify(&p->membership.changes, WAKE_ALL);
}

/* ---- Events ---- */

/* To a guest, a host whose region has lost its name is gone. */
static bool is_alive(shmipc_peer *p, uint32_t index) {
    return index == HOST ? shmi_host_is_alive(&p->region)
                         : shmi_peer_is_locked(p->region.object, index);
}

static bool is_there(shmipc_peer *p, uint32_t index) {
    const struct peer_record *record = &p->region.shared->peers[index];
    return load_acquire32(&record->status) != PEER_VACANT && is_alive(p, index);
}

static void describe(shmipc_peer *p, uint32_t index, shmipc_event_kind kind, shmipc_event *event) {
    const struct known_peer *known = &p->membership.known[index];
    *event = (shmipc_event){.kind = kind,
                            .peer = index,
                            .pid = load_relaxed32(&p->region.shared->peers[index].pid),
                            .address = index == HOST ? 0 : address_make(index, known->epoch),
                            .service = known->service};
}

/* `left` may be a later epoch, if other guests have used the index and left since. */
static bool left_gracefully(const struct peer_record *record, uint32_t epoch) {
    uint32_t left = load_acquire32(&record->left);
    return left != 0 && left - epoch < UINT32_MAX / 2;
}

/* True for a guest that came and went between two looks. Its lock is free, so it is not a guest
   that is just attaching. */
static bool came_and_went(shmipc_peer *p, uint32_t index, uint32_t epoch) {
    return epoch != p->membership.known[index].epoch &&
           !shmi_peer_is_locked(p->region.object, index);
}

/* Finds how one peer has changed since it was known as *known, which becomes what is known now. A
   peer that came is reported as attached first, even if it has gone again. The epoch, the status
   and the service are read in this order, and the epoch again: so all three are of one guest. If
   they are not, another guest is just coming, and announces itself when it is there. */
static bool find_change(shmipc_peer *p, uint32_t index, struct known_peer *known,
                        shmipc_event_kind *kind) {
    const struct peer_record *record = &p->region.shared->peers[index];
    uint32_t epoch = load_acquire32(&record->epoch);
    bool there = is_there(p, index);
    if (known->present && (!there || epoch != known->epoch)) {
        bool in_order = left_gracefully(record, known->epoch);
        known->present = false;
        *kind = in_order ? SHMIPC_EVENT_LEFT : SHMIPC_EVENT_DIED;
        return true;
    }
    if (known->present || (!there && !came_and_went(p, index, epoch)))
        return false;
    uint64_t service = load_acquire64(&p->region.shared->services[index]);
    if (load_acquire32(&record->epoch) != epoch)
        return false;
    *known = (struct known_peer){.service = service, .epoch = epoch, .present = true};
    *kind = SHMIPC_EVENT_ATTACHED;
    return true;
}

/* NULL for `event`: tells whether there is one, and leaves it there. */
static bool look_at_peer(shmipc_peer *p, uint32_t index, shmipc_event *event) {
    struct known_peer known = p->membership.known[index];
    shmipc_event_kind kind;
    if (!find_change(p, index, &known, &kind))
        return false;
    if (event != NULL) {
        p->membership.known[index] = known;
        describe(p, index, kind, event);
    }
    return true;
}

static bool find_event(shmipc_peer *p, shmipc_event *event) {
    if (!peer_is_host(p))
        return look_at_peer(p, HOST, event);
    reap_each(p);
    for (uint32_t i = HOST + 1; i < PEERS; i++) {
        if (look_at_peer(p, i, event))
            return true;
    }
    return false;
}

/* After the end of its host nothing happens to a guest. */
static bool was_told_the_end(const shmipc_peer *p) {
    return !peer_is_host(p) && !p->membership.known[HOST].present;
}

enum finding { NOTHING_YET, EVENT_FOUND, NOTHING_MORE };

static enum finding scan_for_event(shmipc_peer *p, shmipc_event *event) {
    while (!begin_scan(p))
        shmi_cpu_yield();
    enum finding finding = NOTHING_YET;
    if (find_event(p, event))
        finding = EVENT_FOUND;
    else if (was_told_the_end(p))
        finding = NOTHING_MORE;
    end_scan(p);
    shmi_peer_tell_trouble(p);
    return finding;
}

/* Why to wait no longer for peers to come and go. */
static int refusal(shmipc_peer *p) {
    if (load_seq_cst32(&p->life.phase) != PEER_OPEN || load_relaxed32(&p->life.corrupt))
        return shmi_peer_refuse(p);
    if (peer_is_host(p))
        shmi_peer_look_for_name(p);
    return shmi_peer_name_refusal(p);
}

bool shmi_membership_has_news(shmipc_peer *p) {
    return scan_for_event(p, NULL) != NOTHING_YET || refusal(p) != SHMIPC_OK;
}

/* The token is read after the generation: see sleeper.h. */
static int waiter_refusal(shmipc_peer *p, const struct sleeper *sleeper) {
    int error = refusal(p);
    if (error == SHMIPC_OK && sleeper_is_stopped(sleeper))
        return shmi_fail(SHMIPC_E_CANCELLED, "stopped by shmipc_stop");
    return error;
}

/* No prepare: a peer that comes or leaves notifies all sleepers, announced or not; ticks find the
   dead. */
static int await_event(shmipc_peer *p, int64_t timeout, const struct sleeper *sleeper,
                       shmipc_event *event) {
    struct deadline deadline = deadline_in(timeout);
    for (;;) {
        uint32_t generation = shmi_eventcount_generation(&p->membership.changes);
        enum finding finding = scan_for_event(p, event);
        if (finding == EVENT_FOUND)
            return SHMIPC_OK;
        int error = waiter_refusal(p, sleeper);
        if (error)
            return error;
        if (finding == NOTHING_MORE)
            return shmi_fail(SHMIPC_E_NO_PEER, "the host is gone, as an event has told");
        if (shmi_deadline_passed(&deadline))
            return shmi_fail(SHMIPC_E_TIMEOUT, "no peer came or went within %lld ns",
                             (long long)timeout);
        (void)shmi_eventcount_commit(&p->membership.changes, generation,
                                     shmi_deadline_or_tick(&deadline));
    }
}

int shmipc_next_event(shmipc_peer *p, int64_t timeout, shmipc_event *event) {
    int error = check_timeout(timeout);
    if (error == SHMIPC_OK && event == NULL)
        error = shmi_fail(SHMIPC_E_INVALID, "the event is NULL");
    if (error == SHMIPC_OK)
        error = shmi_peer_enter(p);
    if (error)
        return error;
    struct sleeper sleeper;
    shmi_sleeper_begin(&sleeper, p, &p->membership.changes);
    error = await_event(p, timeout, &sleeper, event);
    shmi_sleeper_end(&sleeper);
    shmi_peer_leave(p);
    return error;
}

/* ---- Ticks ---- */

static bool take_tick(shmipc_peer *p) {
    uint64_t now = shmi_clock_now();
    uint64_t due = load_relaxed64(&p->membership.next_tick);
    return now >= due && cas_acquire64(&p->membership.next_tick, &due, now + TICK_NS);
}

uint64_t shmi_membership_last_look(const shmipc_peer *p) {
    return load_relaxed64(&p->membership.next_tick) - TICK_NS;
}

bool shmi_membership_tick(shmipc_peer *p, bool death) {
    enum { TICKS_PER_PUBLISHING = 10 };
    if (!take_tick(p) && !death)
        return false;
    if (peer_is_host(p)) {
        shmi_membership_reap_dead(p);
        shmi_peer_look_for_name(p);
    } else {
        (void)shmi_peer_remote_is_alive(p);
    }
    shmi_peer_tell_trouble(p);
    /* Reading slots that are in no cache is half the cost of an idle peer: once in several ticks is
       enough. */
    if (add_seq_cst32(&p->membership.ticks, 1) % TICKS_PER_PUBLISHING == TICKS_PER_PUBLISHING - 1)
        shmi_membership_publish_counters(p, peer_own_record(p));
    return true;
}

/* ---- Waiting for guests ---- */

static uint32_t count_guests(shmipc_peer *p) {
    uint32_t count = 0;
    for (uint32_t i = HOST + 1; i < PEERS; i++)
        count += i == p->index || is_there(p, i);
    return count;
}

static bool own_guest_serves(shmipc_peer *p) {
    return !p->calls_only && load_seq_cst32(&p->life.phase) == PEER_OPEN;
}

static uint32_t count_serving(shmipc_peer *p) {
    uint32_t count = 0;
    for (uint32_t i = HOST + 1; i < PEERS; i++)
        count += i == p->index ? own_guest_serves(p) : shmi_guest_serves(&p->region, i);
    return count;
}

/* No prepare: as await_event. */
static int await_guests(shmipc_peer *p, uint32_t count, int64_t timeout,
                        const struct sleeper *sleeper) {
    struct deadline deadline = deadline_in(timeout);
    for (;;) {
        uint32_t generation = shmi_eventcount_generation(&p->membership.changes);
        uint32_t guests = count_serving(p);
        if (guests >= count)
            return SHMIPC_OK;
        int error = waiter_refusal(p, sleeper);
        if (error)
            return error;
        if (shmi_deadline_passed(&deadline))
            return shmi_fail(SHMIPC_E_TIMEOUT, "%u of %u guests that serve came within %lld ns",
                             (unsigned)guests, (unsigned)count, (long long)timeout);
        (void)shmi_eventcount_commit(&p->membership.changes, generation,
                                     shmi_deadline_or_tick(&deadline));
    }
}

static int check_awaited(const shmipc_peer *p, uint32_t count) {
    if (p == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the peer is NULL");
    if (!peer_is_host(p))
        return shmi_fail(SHMIPC_E_INVALID, "only a host waits for guests");
    if (count <= SHMIPC_GUESTS_MAX)
        return SHMIPC_OK;
    return shmi_fail(SHMIPC_E_INVALID, "%u guests, at most %d can attach", (unsigned)count,
                     SHMIPC_GUESTS_MAX);
}

int shmipc_wait_guests(shmipc_peer *p, uint32_t count, int64_t timeout) {
    int error = check_timeout(timeout);
    if (error == SHMIPC_OK)
        error = check_awaited(p, count);
    if (error == SHMIPC_OK)
        error = shmi_peer_enter(p);
    if (error)
        return error;
    struct sleeper sleeper;
    shmi_sleeper_begin(&sleeper, p, &p->membership.changes);
    error = await_guests(p, count, timeout, &sleeper);
    shmi_sleeper_end(&sleeper);
    shmi_peer_leave(p);
    return error;
}

int shmipc_get_info(shmipc_peer *p, shmipc_info *info) {
    if (info == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the info is NULL");
    int error = shmi_peer_enter(p);
    if (error)
        return error;
    const struct geometry *g = &p->region.geometry;
    *info = (shmipc_info){
        .host_slots = g->host_slots,
        .guest_slots = g->guest_slots,
        .request_capacity = g->request_capacity,
        .response_capacity = g->response_capacity,
        .index = p->index,
        .guests = count_guests(p),
        .region_size = g->total_size,
        .serving = count_serving(p),
    };
    shmi_peer_leave(p);
    return SHMIPC_OK;
}

/* ---- Counters ---- */

static void add_slot(const struct local_slot *l, shmipc_stats *stats) {
    stats->calls += load_relaxed64(&l->calls);
    stats->failed += load_relaxed64(&l->failed);
    stats->served += load_relaxed64(&l->service.served);
    stats->discarded += load_relaxed64(&l->service.discarded);
    stats->parks += load_relaxed64(&l->parks);
    stats->wakes += load_relaxed64(&l->wakes);
}

static shmipc_stats sum(const shmipc_peer *p) {
    shmipc_stats stats = {.parks = load_relaxed64(&p->parks), .wakes = load_relaxed64(&p->wakes)};
    for (uint32_t i = 0; i < region_slots(&p->region); i++)
        add_slot(&p->slots[i], &stats);
    return stats;
}

void shmi_membership_publish_counters(const shmipc_peer *p, struct peer_record *record) {
    shmipc_stats stats = sum(p);
    store_relaxed64(&record->served, stats.served);
    store_relaxed64(&record->discarded, stats.discarded);
    store_relaxed64(&record->calls, stats.calls);
    store_relaxed64(&record->failed, stats.failed);
}

int shmipc_get_stats(shmipc_peer *p, shmipc_stats *stats) {
    if (stats == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the stats are NULL");
    int error = shmi_peer_enter(p);
    if (error)
        return error;
    *stats = sum(p);
    shmi_peer_leave(p);
    return SHMIPC_OK;
}

int shmipc_get_slot_stats(shmipc_peer *p, uint32_t slot, shmipc_stats *stats) {
    if (stats == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the stats are NULL");
    int error = shmi_peer_enter(p);
    if (error)
        return error;
    if (slot < region_slots(&p->region)) {
        *stats = (shmipc_stats){0};
        add_slot(&p->slots[slot], stats);
    } else {
        error = shmi_fail(SHMIPC_E_INVALID, "slot %u, the region has %u", (unsigned)slot,
                          (unsigned)region_slots(&p->region));
    }
    shmi_peer_leave(p);
    return error;
}
