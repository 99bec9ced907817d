#include "poller.h"

#include "requests.h"

bool shmi_poller_begin(shmipc_peer *p, struct worker *worker) {
    uint32_t nobody = 0;
    if (!cas_seq_cst32(&p->poller, &nobody, worker->id))
        return false;
    worker->state = WORKER_POLLING;
    worker->keeps_home = false;
    shmi_doorbell_watch(&p->serves.requests);
    if (load_seq_cst32(&p->poller) == worker->id)
        return true;
    /* Superseded before it said that it polls: what was said since is nobody's. */
    shmi_poller_hand_over(p, worker);
    return false;
}

/* First the bit: as soon as nobody polls another worker may begin to, and set it. Who was
   superseded may clear the bit of the next poller: then callers ring though they need not. */
void shmi_poller_stop(shmipc_peer *p, struct worker *worker) {
    uint32_t poller = worker->id;
    worker->state = WORKER_SEARCHING;
    shmi_doorbell_look_away(&p->serves.requests);
    (void)cas_seq_cst32(&p->poller, &poller, 0);
}

/* For requests that nobody was rung for while the bit was set. */
static void pass_on(shmipc_peer *p) {
    if (!doorbell_has_sleepers(&p->serves.requests) || !requests_wait(p))
        return;
    shmi_peer_ring_on(p, &p->serves.requests);
}

void shmi_poller_hand_over(shmipc_peer *p, struct worker *worker) {
    shmi_poller_stop(p, worker);
    pass_on(p);
}

/* The same request, though its caller may have parked. */
static bool still_waits(const shmipc_peer *p, uint32_t slot, word seen) {
    return word_same_but_parked(slot_look_again(requests_slot(p, slot)), seen);
}

bool shmi_poller_takes(const shmipc_peer *p, uint32_t slot) {
    const word seen = slot_look_again(requests_slot(p, slot));
    uint32_t pauses = poller_patience(&p->serve_spins);
    if (word_state(seen) != SLOT_REQUEST)
        return true;
    for (; pauses > 0 && poller_exists(p); pauses--) {
        cpu_pause();
        if (!still_waits(p, slot, seen))
            return true;
    }
    return false;
}

/* Also if it was superseded before, and has set the bit only since: it had just begun. */
bool shmi_poller_supersede(shmipc_peer *p) {
    uint32_t poller = load_seq_cst32(&p->poller);
    const bool polls = poller != 0 || doorbell_is_watched(&p->serves.requests);
    if (poller != 0)
        (void)cas_seq_cst32(&p->poller, &poller, 0);
    shmi_doorbell_look_away(&p->serves.requests);
    return polls;
}

void shmi_poller_superseded(shmipc_peer *p, struct worker *worker) {
    shmi_poller_stop(p, worker);
    shmi_duration_learn_long(&p->durations, worker->type);
}

void shmi_poller_resign(shmipc_peer *p, struct worker *worker) {
    if (worker->state == WORKER_POLLING)
        shmi_poller_stop(p, worker);
    pass_on(p);
}
