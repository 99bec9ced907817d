#include "api/detach.h"

#include "region/liveness.h"
#include "region/slot.h"

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

/* A worker that takes a request after this look sees that the peer is closed: the phase's store and
   this look, both seq_cst, pair with shmi_slot_take and the load of the phase. The private word
   says that the caller gave up, so that shmipc_abandoned tells the handler. */
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

/* The other side goes on with the region's words, while callers see copies. So the region's words
   decide whether a handler has started on a call. A call that its caller gave up in the region is
   no longer under way there; a request that a caller sends from now on goes into the copy. */
static void settle_calls(shmipc_peer *p, const struct region *real) {
    const struct direction *d = &p->calls;
    for (uint32_t i = d->first; i < d->first + d->count; i++) {
        struct slot *slot = region_slot(real, i);
        word seen = slot_look(slot);
        if (!peer_is_host(p) && word_owner(seen) != p->self)
            continue;
        (void)shmi_slot_give_up(slot, seen, &seen);
        store_relaxed64(&p->slots[i].settled, seen); /* for shmi_peer_await_settlement */
    }
}

/* Keeps the bytes that callers see before the region's words change. */
static void cut_off(shmipc_peer *p, const struct region *real) {
    shmi_object_keep(p->region.object, p->region.shared, SLOTS_OFFSET);
    keep_claimed(p);
    keep_taken(p);
    settle_calls(p, real);
}

/* Both exchanges pair with shmi_peer_await_settlement. */
bool shmi_detach(shmipc_peer *p, struct region *real) {
    *real = p->region;
    exchange_seq_cst32(&p->life.cutting, 1);
    real->shared = shmi_object_detach(p->region.object);
    if (real->shared != NULL)
        cut_off(p, real);
    exchange_seq_cst32(&p->life.cutting, 0);
    (void)shmi_word_wake(NULL, &p->life.cutting, WAKE_ALL);
    return real->shared != NULL;
}

/* Answers or frees the guest slots that the host's handlers still have. (Requests that it will not
   run are answered elsewhere.) */
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
