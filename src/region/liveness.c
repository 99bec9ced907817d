#include "region/liveness.h"

#include "region/slot.h"
#include "region/wake_caller.h"

bool shmi_host_is_alive(const struct region *r) {
    return shmi_peer_is_locked(r->object, HOST) && shmi_object_has_name(r->object);
}

bool shmi_guest_serves(const struct region *r, uint32_t index) {
    return load_acquire32(&r->shared->peers[index].status) == PEER_ATTACHED &&
           shmi_peer_is_locked(r->object, index);
}

bool shmi_owner_serves(const struct region *r, owner guest) {
    uint32_t index = owner_index(guest);
    uint32_t epoch = load_acquire32(&r->shared->peers[index].epoch);
    return epoch_in_word(epoch) == owner_epoch(guest) && shmi_guest_serves(r, index);
}

bool shmi_any_guest_serves(const struct region *r) {
    for (uint32_t i = HOST + 1; i < PEERS; i++) {
        if (shmi_guest_serves(r, i))
            return true;
    }
    return false;
}

/* A past epoch is dead: its successor took the lock before it began. No correct peer writes the
   index 0; such a word is not reclaimed, but found corrupt. */
bool shmi_owner_is_dead(const struct region *r, word seen) {
    uint32_t index = owner_index(word_owner(seen));
    if (index == HOST)
        return false;
    uint32_t epoch = epoch_in_word(load_acquire32(&r->shared->peers[index].epoch));
    return epoch != owner_epoch(word_owner(seen)) || !shmi_peer_is_locked(r->object, index);
}

static void notify_free(const struct region *r, uint32_t slot) {
    enum eventcount_name name =
        region_is_host_slot(r, slot) ? EVENTCOUNT_HOST_FREE : EVENTCOUNT_GUEST_FREE;
    struct local_eventcount eventcount = region_eventcount(r, name, HOST);
    if (eventcount_wants_notify(&eventcount))
        (void)shmi_eventcount_notify(&eventcount, WAKE_ALL);
}

/* Looks again if the caller gives up meanwhile. */
void shmi_answer_for_responder(const struct region *r, uint32_t index) {
    struct slot *slot = region_slot(r, index);
    enum reclaim result = RECLAIM_NOTHING;
    word seen = 0;
    for (int i = 0; i < WORD_CHANGES && result == RECLAIM_NOTHING; i++) {
        seen = slot_look(slot);
        if (word_state(seen) != SLOT_WORKING && word_state(seen) != SLOT_CANCELLED)
            return;
        result = shmi_slot_reclaim_responder(slot, seen);
    }
    if (result == RECLAIM_ANSWERED_SLEEPER)
        shmi_wake_caller(r, index, owner_index(word_owner(seen)));
    if (result == RECLAIM_FREED)
        notify_free(r, index);
}

bool shmi_reclaim_slot(const struct region *r, uint32_t index, word seen) {
    struct slot *slot = region_slot(r, index);
    enum reclaim result = region_is_host_slot(r, index) ? shmi_slot_reclaim_responder(slot, seen)
                                                        : shmi_slot_reclaim_caller(slot, seen);
    if (result == RECLAIM_ANSWERED_SLEEPER)
        shmi_wake_caller(r, index, HOST);
    if (result == RECLAIM_FREED)
        notify_free(r, index);
    return result != RECLAIM_NOTHING;
}

static void silence(struct eventcount_line *line, uint32_t bits) {
    and_seq_cst32(&line->eventcount.sleepers, ~bits);
    and_seq_cst32(&line->armed, ~bits);
}

/* The dead peer may have been polling, or not have looked again after polling, so callers may not
   have notified: wakes all sleepers to scan. */
void shmi_silence_eventcounts(const struct region *r, uint32_t index) {
    uint32_t mask = UINT32_C(1) << index | UINT32_C(1) << (index + POLLERS_SHIFT);
    for (uint32_t i = 0; i < EVENTCOUNTS; i++)
        silence(&r->shared->eventcounts[i], mask);
    struct local_eventcount requests = region_eventcount(r, EVENTCOUNT_HOST_REQUEST, HOST);
    if (eventcount_wants_notify(&requests))
        (void)shmi_eventcount_notify(&requests, WAKE_ALL);
    and_seq_cst32(&r->shared->peers[index].answers.sleepers, 0);
}

/* The other side may change the word meanwhile, by an answer or by giving up, but at most once:
   the next try reclaims the new word. */
static void reclaim_from_index(const struct region *r, uint32_t slot, uint32_t index) {
    enum { TRIES = 4 };
    for (int i = 0; i < TRIES; i++) {
        word seen = slot_look(region_slot(r, slot));
        if (owner_index(word_owner(seen)) != index || shmi_reclaim_slot(r, slot, seen))
            return;
    }
}

void shmi_reclaim_index(const struct region *r, uint32_t index) {
    for (uint32_t i = 0; i < region_slots(r); i++)
        reclaim_from_index(r, i, index);
    shmi_silence_eventcounts(r, index);
}

void shmi_vacate_record(struct peer_record *record, uint32_t left) {
    store_relaxed32(&record->left, left);
    /* Release: a peer that sees the record vacant also sees `left`. */
    store_release32(&record->status, PEER_VACANT);
}

bool shmi_reap_guest(const struct region *r, uint32_t index) {
    struct peer_record *record = &r->shared->peers[index];
    if (load_acquire32(&record->status) == PEER_VACANT)
        return false;
    if (shmi_peer_lock(r->object, index) != LOCK_TAKEN)
        return false;
    /* Look again under the lock: the guest may have left gracefully in the meantime. */
    bool dead = load_acquire32(&record->status) != PEER_VACANT;
    if (dead) {
        shmi_reclaim_index(r, index);
        shmi_vacate_record(record, 0);
    }
    shmi_peer_unlock(r->object, index);
    return dead;
}
