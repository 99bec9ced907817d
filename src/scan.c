#include "scan.h"

#include "slot.h"

enum { COLD_SLOTS = 8, GLANCES_PER_COLD = 16 };

/* Has a slot that is served be one of the warm ones, in the place of the eldest. */
static void keep_warm(struct scan *scan, uint32_t slot) {
    const uint32_t *warm = scan->warm;
    _Static_assert(WARM_SLOTS == 4, "as many are compared");
    if (slot != warm[0] && slot != warm[1] && slot != warm[2] && slot != warm[3])
        scan->warm[scan->eldest++ % WARM_SLOTS] = slot;
}

static struct slot *slot_at(const shmipc_peer *p, uint32_t slot) {
    return region_slot(&p->region, p->serves.first + slot);
}

/* A slot in which a request is about to come, or has come, is brought here. */
static void expect(const shmipc_peer *p, const struct worker *worker, uint32_t slot) {
    slot_fetch_to_change(slot_at(p, slot), worker->beyond);
}

void shmi_scan_expect_last(const shmipc_peer *p, const struct worker *worker) {
    expect(p, worker, worker->scan.last);
}

/* Looks at one slot; `slot` counts within the direction. */
static int try_slot(shmipc_peer *p, struct worker *worker, uint32_t slot) {
    uint32_t index = p->serves.first + slot;
    word seen = slot_look(slot_at(p, slot));
    slot_fetch_ahead(slot_at(p, slot));
    if (word_state(seen) != SLOT_REQUEST)
        return 0;
    worker->scan.last = slot;
    worker->scan.next = responder_slot_behind(p, slot);
    keep_warm(&worker->scan, slot);
    if (hold_off_is_needless(&worker->hold_off)) /* the next comes along while this is served */
        expect(p, worker, worker->scan.next);
    int served = shmi_responder_serve(p, index, seen, worker);
    for (int i = 0; served == 0 && i < WORD_CHANGES;
         i++) { /* its caller may have parked just now */
        seen = slot_look(slot_at(p, slot));
        if (word_state(seen) != SLOT_REQUEST)
            return 0;
        served = shmi_responder_serve(p, index, seen, worker);
    }
    return served;
}

int shmi_scan_all(shmipc_peer *p, struct worker *worker) {
    uint32_t slot = worker->scan.next;
    int served = 0;
    for (uint32_t n = 0; n < p->serves.count && served == 0;
         n++, slot = responder_slot_behind(p, slot))
        served = try_slot(p, worker, slot);
    return served;
}

static int try_cold(shmipc_peer *p, struct worker *worker, uint32_t count) {
    int served = 0;
    for (uint32_t n = 0; n < count && served == 0; n++) {
        served = try_slot(p, worker, worker->scan.cold);
        worker->scan.cold = responder_slot_behind(p, worker->scan.cold);
    }
    return served;
}

static int try_warm(shmipc_peer *p, struct worker *worker) {
    const struct scan *scan = &worker->scan;
    const uint32_t last = scan->last;
    int served = try_slot(p, worker, last);
    for (uint32_t i = 0; served == 0 && i < WARM_SLOTS; i++) {
        if (scan->warm[i] != last)
            served = try_slot(p, worker, scan->warm[i]);
    }
    return served;
}

/* First the next one, which of several calls in flight is the next to be sent; whoever always finds
   it goes round all slots. Before the warm ones, now and then, a cold one, so that none starves
   while they are busy. */
int shmi_scan_glance(shmipc_peer *p, struct worker *worker) {
    if (p->serves.count <= WARM_SLOTS + COLD_SLOTS)
        return shmi_scan_all(p, worker);
    worker->scan.glances++;
    int served = try_slot(p, worker, worker->scan.next);
    if (served == 0 && worker->scan.glances >= GLANCES_PER_COLD) {
        worker->scan.glances = 0;
        served = try_cold(p, worker, 1);
    }
    if (served == 0)
        served = try_warm(p, worker);
    return served != 0 ? served : try_cold(p, worker, COLD_SLOTS);
}

bool shmi_scan_aim(const shmipc_peer *p, struct worker *worker) {
    uint32_t slot = shmi_responder_find_request(p, worker->scan.last);
    bool found = slot != p->serves.count;
    if (found)
        worker->scan.next = slot;
    return found;
}
