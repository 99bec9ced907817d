#include "serve/poller.h"

#include "serve/requests.h"

/* The poller first takes a request that was left to it at home (home.h). If it served another one
   first, its handler could take long, and no worker would be notified of the request at home. */
bool shmi_poller_begin(shmipc_peer *p, struct worker *worker) {
    uint32_t nobody = 0;
    if (!cas_seq_cst32(&p->serving.poller, &nobody, POLLER_CHANGES))
        return false;
    shmi_eventcount_join_pollers(&p->serves.requests);
    worker->state = WORKER_POLLING;
    worker->keeps_home = false;
    exchange_seq_cst32(&p->serving.poller, worker->id);
    if (worker->home != NO_HOME && requests_wait_in(p, worker->home))
        worker->scan.next = worker->home;
    return true;
}

/* Removes the poller if it is still this worker. */
static bool vacate(shmipc_peer *p, uint32_t poller) {
    if (!cas_seq_cst32(&p->serving.poller, &poller, POLLER_CHANGES))
        return false;
    shmi_eventcount_leave_pollers(&p->serves.requests);
    exchange_seq_cst32(&p->serving.poller, 0);
    return true;
}

void shmi_poller_stop(shmipc_peer *p, struct worker *worker) {
    worker->state = WORKER_SEARCHING;
    if (!vacate(p, worker->id))
        add_seq_cst32(&p->serving.superseded, UINT32_MAX);
}

void shmi_poller_pass_on(shmipc_peer *p) {
    if (!eventcount_has_sleepers(&p->serves.requests))
        return;
    uint32_t slot = requests_find(p, 0);
    if (slot != p->serves.count)
        shmi_peer_notify_for_several(p, slot);
}

void shmi_poller_hand_over(shmipc_peer *p, struct worker *worker) {
    shmi_poller_stop(p, worker);
    shmi_poller_pass_on(p);
}

/* True if the same request still waits; its caller may have parked meanwhile. */
static bool still_waits(const shmipc_peer *p, uint32_t slot, word seen) {
    return word_same_but_parked(slot_look_again(requests_slot(p, slot)), seen);
}

bool shmi_poller_takes(const shmipc_peer *p, uint32_t slot) {
    const word seen = slot_look_again(requests_slot(p, slot));
    uint32_t pauses = poller_patience(&p->serving.spins);
    if (!request_is_ours(p, seen))
        return true;
    for (; pauses > 0 && poller_exists(p); pauses--) {
        cpu_pause();
        if (!still_waits(p, slot, seen))
            return true;
    }
    return false;
}

bool shmi_poller_supersede(shmipc_peer *p) {
    uint32_t poller = load_seq_cst32(&p->serving.poller);
    if (poller == 0 || poller == POLLER_CHANGES)
        return poller != 0;
    add_seq_cst32(&p->serving.superseded, 1); /* before the poller can notice */
    if (!vacate(p, poller))
        add_seq_cst32(&p->serving.superseded, UINT32_MAX);
    return true;
}

void shmi_poller_notice_superseded(shmipc_peer *p, struct worker *worker) {
    worker->state = WORKER_SEARCHING;
    add_seq_cst32(&p->serving.superseded, UINT32_MAX);
    shmi_duration_learn_long(&p->serving.durations, worker->type);
}

void shmi_poller_resign(shmipc_peer *p, struct worker *worker) {
    if (worker->state == WORKER_POLLING)
        shmi_poller_stop(p, worker);
    shmi_poller_pass_on(p);
}
