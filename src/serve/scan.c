#include "serve/scan.h"

#include "serve/home.h"
#include "serve/requests.h"
#include "serve/responder.h"

/* Puts a slot that is served among the recent ones, in the place of the eldest. */
static void keep_recent(struct scan *scan, uint32_t slot) {
    const uint32_t *recent = scan->recent;
    _Static_assert(RECENT_SLOTS == 4, "as many are compared");
    if (slot != recent[0] && slot != recent[1] && slot != recent[2] && slot != recent[3])
        scan->recent[scan->eldest++ % RECENT_SLOTS] = slot;
}

/* Prefetches a slot in which a request has come or is about to come. */
static void expect(const shmipc_peer *p, const struct worker *worker, uint32_t slot) {
    slot_fetch_to_change(requests_slot(p, slot), worker->reach);
}

void shmi_scan_expect_last(const shmipc_peer *p, const struct worker *worker) {
    expect(p, worker, worker->scan.last);
}

/* Looks at one slot; `slot` counts within the direction. */
static int try_slot(shmipc_peer *p, struct worker *worker, uint32_t slot) {
    uint32_t index = p->serves.first + slot;
    word seen = slot_look(requests_slot(p, slot));
    slot_fetch_ahead(requests_slot(p, slot));
    if (!request_is_ours(p, seen) || home_is_kept(p, worker, slot))
        return 0;
    worker->scan.last = slot;
    worker->scan.next = requests_slot_behind(p, slot);
    keep_recent(&worker->scan, slot);
    if (hold_off_is_needless(&worker->hold_off)) /* fetch the next while this one is served */
        expect(p, worker, worker->scan.next);
    int served = shmi_responder_serve(p, index, seen, worker);
    /* Its caller may have parked just now. */
    for (int i = 0; served == 0 && i < WORD_CHANGES; i++) {
        seen = slot_look(requests_slot(p, slot));
        if (!request_is_ours(p, seen))
            return 0;
        served = shmi_responder_serve(p, index, seen, worker);
    }
    return served;
}

int shmi_scan_all(shmipc_peer *p, struct worker *worker) {
    uint32_t slot = worker->scan.next;
    int served = 0;
    for (uint32_t n = 0; n < p->serves.count && served == 0;
         n++, slot = requests_slot_behind(p, slot))
        served = try_slot(p, worker, slot);
    return served;
}

static int sweep(shmipc_peer *p, struct worker *worker, uint32_t count) {
    int served = 0;
    for (uint32_t n = 0; n < count && served == 0; n++) {
        served = try_slot(p, worker, worker->scan.sweep);
        worker->scan.sweep = requests_slot_behind(p, worker->scan.sweep);
    }
    return served;
}

static int try_recent(shmipc_peer *p, struct worker *worker) {
    const struct scan *scan = &worker->scan;
    const uint32_t last = scan->last;
    int served = try_slot(p, worker, last);
    for (uint32_t i = 0; served == 0 && i < RECENT_SLOTS; i++) {
        if (scan->recent[i] != last)
            served = try_slot(p, worker, scan->recent[i]);
    }
    return served;
}

/* First the next slot: with several calls in flight the next request comes there, and a worker that
   always finds one goes round all slots. Then the recent slots; now and then one other slot comes
   before them, so that none starves while they are busy. */
static int try_some(shmipc_peer *p, struct worker *worker) {
    worker->scan.looks++;
    int served = try_slot(p, worker, worker->scan.next);
    if (served == 0 && worker->scan.looks >= LOOKS_PER_SWEEP) {
        worker->scan.looks = 0;
        served = sweep(p, worker, 1);
    }
    if (served == 0)
        served = try_recent(p, worker);
    return served != 0 ? served : sweep(p, worker, SWEPT_SLOTS);
}

/* Home comes first only if there are as many workers as slots: else slots that are no home would
   starve. */
static int try_home(shmipc_peer *p, struct worker *worker) {
    if (!worker->keeps_home || peer_servers(p) < p->serves.count)
        return 0;
    return try_slot(p, worker, worker->home);
}

int shmi_scan_some(shmipc_peer *p, struct worker *worker) {
    int served = try_home(p, worker);
    if (served != 0)
        return served;
    bool few = p->serves.count <= RECENT_SLOTS + SWEPT_SLOTS;
    return few ? shmi_scan_all(p, worker) : try_some(p, worker);
}

bool shmi_scan_find_next(const shmipc_peer *p, struct worker *worker) {
    uint32_t slot = requests_find(p, worker->home == NO_HOME ? 0 : worker->home);
    bool found = slot != p->serves.count;
    if (found)
        worker->scan.next = slot;
    return found;
}
