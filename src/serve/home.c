#include "serve/home.h"

#include "serve/poller.h"
#include "serve/requests.h"

static struct local_slot *slot_of(shmipc_peer *p, uint32_t home) {
    return &p->slots[p->serves.first + home];
}

/* The slot with the fewest residents, and their number. */
static uint32_t emptiest(shmipc_peer *p, uint32_t *residents) {
    uint32_t home = 0;
    *residents = load_seq_cst32(&slot_of(p, 0)->service.residents);
    for (uint32_t slot = 1; slot < p->serves.count; slot++) {
        uint32_t seen = load_seq_cst32(&slot_of(p, slot)->service.residents);
        if (seen < *residents) {
            *residents = seen;
            home = slot;
        }
    }
    return home;
}

/* Workers that settle meanwhile only raise counts: if the CAS succeeds, the slot is still one of
   the emptiest, unless a worker has left another one since. */
void shmi_home_settle(shmipc_peer *p, struct worker *worker) {
    uint32_t home, residents;
    if (p->serves.count == 0)
        return;
    do {
        home = emptiest(p, &residents);
    } while (!cas_seq_cst32(&slot_of(p, home)->service.residents, &residents, residents + 1));
    add_seq_cst32(&slot_of(p, home)->service.keepers, 1);
    worker->home = home;
}

void shmi_home_move_out(shmipc_peer *p, struct worker *worker) {
    if (worker->home == NO_HOME)
        return;
    shmi_home_come_back(p, worker);
    add_seq_cst32(&slot_of(p, worker->home)->service.keepers, UINT32_MAX);
    add_seq_cst32(&slot_of(p, worker->home)->service.residents, UINT32_MAX);
}

/* Another worker may have left a request to this keeper. A poller need not look here: it passes
   requests on when it hands over. */
void shmi_home_go_out(shmipc_peer *p, struct worker *worker, uint32_t slot) {
    if (slot == worker->home || worker->home == NO_HOME)
        return;
    worker->is_out = true;
    add_seq_cst32(&slot_of(p, worker->home)->service.keepers, UINT32_MAX);
    if (worker->state != WORKER_POLLING && requests_wait_in(p, worker->home))
        shmi_poller_pass_on(p);
}

void shmi_home_come_back(shmipc_peer *p, struct worker *worker) {
    if (!worker->is_out)
        return;
    worker->is_out = false;
    add_seq_cst32(&slot_of(p, worker->home)->service.keepers, 1);
}

/* Reads the poller before `superseded`: a supersession counts itself before it vacates the
   poller. */
static bool is_left(const shmipc_peer *p, const struct worker *worker, uint32_t slot) {
    return !poller_exists(p) && home_is_kept(p, worker, slot);
}

enum home_look shmi_home_look(const shmipc_peer *p, const struct worker *worker) {
    enum home_look look = HOME_QUIET;
    for (uint32_t slot = 0; slot < p->serves.count; slot++) {
        if (!requests_wait_in(p, slot))
            continue;
        if (is_left(p, worker, slot))
            look = HOME_LEFT;
        else if (!shmi_poller_takes(p, slot))
            return HOME_NEEDED;
    }
    return look;
}
