#include "home.h"

#include "requests.h"

static atomic_u32 *keepers_of(shmipc_peer *p, uint32_t slot) {
    return &p->slots[p->serves.first + slot].keepers;
}

/* Several workers that begin at the same time may choose the same one: that costs them speed only.
   */
void shmi_home_settle(shmipc_peer *p, struct worker *worker) {
    if (p->serves.count == 0)
        return;
    worker->home = 0;
    for (uint32_t slot = 1; slot < p->serves.count; slot++) {
        if (load_relaxed32(keepers_of(p, slot)) < load_relaxed32(keepers_of(p, worker->home)))
            worker->home = slot;
    }
    add_seq_cst32(keepers_of(p, worker->home), 1);
}

void shmi_home_leave(shmipc_peer *p, const struct worker *worker) {
    if (worker->home != NO_HOME)
        add_seq_cst32(keepers_of(p, worker->home), UINT32_MAX);
}

void shmi_home_go_out(shmipc_peer *p, const struct worker *worker, uint32_t slot) {
    if (slot != worker->home)
        shmi_home_leave(p, worker);
}

void shmi_home_come_back(shmipc_peer *p, const struct worker *worker, uint32_t slot) {
    if (slot != worker->home && worker->home != NO_HOME)
        add_seq_cst32(keepers_of(p, worker->home), 1);
}

enum home_look shmi_home_look(const shmipc_peer *p, const struct worker *worker) {
    enum home_look look = HOME_QUIET;
    for (uint32_t slot = 0; slot < p->serves.count; slot++) {
        if (!requests_wait_in(p, slot))
            continue;
        if (!home_is_kept(p, worker, slot))
            return HOME_NEEDED;
        look = HOME_LEFT;
    }
    return look;
}
