#include "detach.h"

#include "liveness.h"
#include "slot.h"

static bool is_claimed(const shmipc_peer *p, uint32_t slot) {
    return load_seq_cst32(&p->slots[slot].claim) % 2 != 0;
}

static bool is_taken(const shmipc_peer *p, word seen) {
    bool working = word_state(seen) == SLOT_WORKING || word_state(seen) == SLOT_CANCELLED;
    return working && (peer_is_host(p) || word_owner(seen) == p->self);
}

static void keep_claimed(shmipc_peer *p) {
    const struct direction *d = &p->calls;
    for (uint32_t i = d->first; i < d->first + d->count; i++) {
        if (is_claimed(p, i))
            shmi_object_keep(p->region.object, p->slots[i].shared, p->region.geometry.slot_stride);
    }
}

/* A worker that takes a request later than this looks sees that the peer is closed: seq_cst, the
   partner of shmi_slot_take and the look at the phase behind it. In the private word the caller
   gives up, so that shmipc_abandoned tells the handler. */
static void keep_taken(shmipc_peer *p) {
    const struct direction *d = &p->serves;
    for (uint32_t i = d->first; i < d->first + d->count; i++) {
        word seen = slot_look_again(p->slots[i].shared);
        if (!is_taken(p, seen))
            continue;
        shmi_object_keep(p->region.object, p->slots[i].shared, p->region.geometry.slot_stride);
        if (word_state(seen) == SLOT_WORKING)
            (void)shmi_slot_give_up(p->slots[i].shared, seen, &seen);
    }
}

bool shmi_detach(shmipc_peer *p, struct region *real) {
    *real = p->region;
    real->shared = shmi_object_detach(p->region.object);
    if (real->shared == NULL)
        return false;
    shmi_object_keep(p->region.object, p->region.shared, SLOTS_OFFSET);
    keep_claimed(p);
    keep_taken(p);
    return true;
}

/* What a host leaves of guests' slots: requests that it will not run are answered otherwise. */
static void disown_taken(const shmipc_peer *p, const struct region *real) {
    const struct direction *d = &p->serves;
    for (uint32_t i = d->first; i < d->first + d->count; i++)
        shmi_answer_for_responder(real, i);
}

void shmi_disown(const shmipc_peer *p, const struct region *real) {
    if (peer_is_host(p))
        disown_taken(p, real);
    else
        shmi_reclaim_index(real, p->index);
}
