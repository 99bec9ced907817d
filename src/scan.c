#include "scan.h"

#include "slot.h"

enum { COLD_SLOTS = 8, GLANCES_PER_COLD = 16 };

/* Puts a slot first among the warm ones. */
static void keep_warm(struct scan *scan, uint32_t slot) {
    uint32_t i = 0;
    while (i < scan->warmed && scan->warm[i] != slot)
        i++;
    if (i == scan->warmed && i < WARM_SLOTS)
        scan->warmed++;
    for (i = i < WARM_SLOTS ? i : WARM_SLOTS - 1; i > 0; i--)
        scan->warm[i] = scan->warm[i - 1];
    scan->warm[0] = slot;
}

static uint32_t slot_behind(const shmipc_peer *p, uint32_t slot) {
    return slot + 1 < p->serves.count ? slot + 1 : 0;
}

static struct slot *slot_at(const shmipc_peer *p, uint32_t slot) {
    return region_slot(&p->region, p->serves.first + slot);
}

/* Where requests are there at once, the next one is on its way while this one is served. */
static void fetch_next(const shmipc_peer *p, const struct worker *worker) {
    if (hold_off_is_needless(&worker->hold_off))
        slot_fetch_to_change(slot_at(p, worker->scan.next), worker->beyond);
}

void shmi_scan_fetch_last(const shmipc_peer *p, const struct worker *worker) {
    if (worker->scan.warmed > 0)
        slot_fetch_to_change(slot_at(p, worker->scan.warm[0]), worker->beyond);
}

/* Looks at one slot; `slot` counts within the direction. */
static int try_slot(shmipc_peer *p, struct worker *worker, uint32_t slot) {
    uint32_t index = p->serves.first + slot;
    word seen = slot_look(slot_at(p, slot));
    slot_fetch_ahead(slot_at(p, slot));
    if (word_state(seen) != SLOT_REQUEST)
        return 0;
    worker->scan.next = slot_behind(p, slot);
    if (worker->scan.warmed == 0 || worker->scan.warm[0] != slot)
        keep_warm(&worker->scan, slot);
    fetch_next(p, worker);
    int served = shmi_responder_serve(p, index, seen, worker);
    while (served == 0) { /* its caller may have parked just now, and still waits */
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
    for (uint32_t n = 0; n < p->serves.count && served == 0; n++, slot = slot_behind(p, slot))
        served = try_slot(p, worker, slot);
    return served;
}

static int try_cold(shmipc_peer *p, struct worker *worker, uint32_t count) {
    int served = 0;
    for (uint32_t n = 0; n < count && served == 0; n++) {
        served = try_slot(p, worker, worker->scan.cold);
        worker->scan.cold = slot_behind(p, worker->scan.cold);
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
    for (uint32_t i = 0; served == 0 && i < worker->scan.warmed; i++)
        served = try_slot(p, worker, worker->scan.warm[i]);
    return served != 0 ? served : try_cold(p, worker, COLD_SLOTS);
}

void shmi_scan_aim(const shmipc_peer *p, struct worker *worker) {
    uint32_t slot = shmi_responder_find_request(p);
    if (slot != p->serves.count)
        worker->scan.next = slot;
}
