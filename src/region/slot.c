#include "region/slot.h"

atomic_u32 *shmi_slot_futex(struct slot *slot) {
    return (atomic_u32 *)(void *)&slot->word; /* little-endian: the low half comes first */
}

static word free_word(word w) {
    return word_with_owner(word_with(w, SLOT_FREE, 0), 0);
}

/* Acquire: pairs with the release of shmi_slot_release and of a discarded answer, so that the
   former user's last accesses to the buffers precede the new claimer's. The sequence moves, so that
   no two claims make the same word, however often the owner's epoch wraps: a reclaimer that has
   been paused since an earlier claim changes nothing. */
bool shmi_slot_claim(struct slot *slot, word *seen, owner caller) {
    word busy = word_next_sequence(*seen) | caller | (uint64_t)SLOT_BUSY;
    if (!cas_acq_rel64(&slot->word, seen, busy))
        return false;
    *seen = busy;
    return true;
}

/* Acquire: pairs with slot_publish_request; the request may be read. Release: a thread that sees
   the owner sees its epoch in the peer table. seq_cst: the taker reads its peer's phase next;
   this pairs with a peer that closes, then looks for the requests it has taken (detach.c). PARKED
   stays as it is. */
bool shmi_slot_take(struct slot *slot, word seen, owner bound, word *taken) {
    *taken = word_with_owner((seen & ~WORD_STATE) | (uint64_t)SLOT_WORKING, bound);
    return cas_seq_cst64(&slot->word, &seen, *taken);
}

static bool is_cancelled(word taken, word seen) {
    return word_state(seen) == SLOT_CANCELLED && word_same_sequence(taken, seen) &&
           word_owner(seen) == word_owner(taken);
}

/* Release: pairs with the caller's slot_look; the answer may be read. CANCELLED belongs to this
   responder alone, so a store ends it. Both are seq_cst, because the responder reads sleepers next:
   those that wait for the answer, or those that wait for the slot. */
enum reply_result shmi_slot_publish_response(struct slot *slot, word taken, uint64_t flags) {
    word seen = taken;
    for (int i = 0; i < WORD_CHANGES; i++) {
        if (cas_seq_cst64(&slot->word, &seen, word_with(seen, SLOT_RESPONSE, flags)))
            return seen & WORD_PARKED ? ANSWER_DELIVERED_TO_SLEEPER : ANSWER_DELIVERED;
        if (is_cancelled(taken, seen)) {
            exchange_seq_cst64(&slot->word, free_word(seen));
            return ANSWER_DISCARDED;
        }
        if (!word_same_but_parked(taken, seen))
            return ANSWER_CORRUPT;
    }
    return ANSWER_CORRUPT;
}

/* Acquire on success. REQUEST -> FREE takes back buffers that no responder had; WORKING ->
   CANCELLED takes nothing back. */
enum cancel_result shmi_slot_give_up(struct slot *slot, word published, word *seen) {
    *seen = slot_look(slot);
    for (int i = 0; i < WORD_CHANGES; i++) {
        if (!slot_is_valid_successor(published, *seen))
            return CANCEL_CORRUPT;
        if (word_state(*seen) == SLOT_RESPONSE)
            return CANCEL_ANSWERED;
        bool started = word_state(*seen) == SLOT_WORKING;
        word next = started ? word_with(*seen, SLOT_CANCELLED, 0) : free_word(*seen);
        if (cas_seq_cst64(&slot->word, seen, next)) {
            *seen = next;
            return started ? CANCEL_STARTED : CANCEL_NEVER_STARTED;
        }
    }
    return CANCEL_CORRUPT;
}

bool shmi_slot_withdraw(struct slot *slot, word *seen) {
    word next = free_word(*seen);
    if (word_state(*seen) != SLOT_REQUEST || !cas_seq_cst64(&slot->word, seen, next))
        return false;
    *seen = next;
    return true;
}

/* seq_cst: the caller reads its cancel and close flags next; pairs with shmi_slot_unpark. */
bool shmi_slot_park(struct slot *slot, word *seen) {
    word parked = *seen | WORD_PARKED;
    if (!cas_seq_cst64(&slot->word, seen, parked))
        return false;
    *seen = parked;
    return true;
}

/* In a host slot the caller is this process, and the owner does not matter. */
static bool caller_may_sleep(word w, owner caller) {
    enum slot_state state = word_state(w);
    return (w & WORD_PARKED) != 0 && (state == SLOT_REQUEST || state == SLOT_WORKING) &&
           (caller == 0 || word_owner(w) == caller);
}

/* seq_cst: the calling thread has stored the flag that the caller must see before this. */
bool shmi_slot_unpark(struct slot *slot, owner caller) {
    word seen = slot_look_again(slot);
    for (int i = 0; i < WORD_CHANGES && caller_may_sleep(seen, caller); i++) {
        if (cas_seq_cst64(&slot->word, &seen, seen & ~WORD_PARKED))
            return true;
    }
    return false;
}

static bool change(struct slot *slot, word seen, word next) {
    return cas_seq_cst64(&slot->word, &seen, next);
}

/* Releases to the next shmi_slot_claim; seq_cst, because the slot's sleepers are read next. */
bool shmi_slot_release(struct slot *slot, word seen) {
    return change(slot, seen, free_word(seen));
}

enum reclaim shmi_slot_reclaim_responder(struct slot *slot, word seen) {
    switch (word_state(seen)) {
    case SLOT_WORKING:
        if (!change(slot, seen, word_with(seen, SLOT_RESPONSE, WORD_RECLAIMED)))
            return RECLAIM_NOTHING;
        return seen & WORD_PARKED ? RECLAIM_ANSWERED_SLEEPER : RECLAIM_ANSWERED;
    case SLOT_CANCELLED:
        return change(slot, seen, free_word(seen)) ? RECLAIM_FREED : RECLAIM_NOTHING;
    default:
        return RECLAIM_NOTHING;
    }
}

enum reclaim shmi_slot_reclaim_caller(struct slot *slot, word seen) {
    switch (word_state(seen)) {
    case SLOT_BUSY:
    case SLOT_REQUEST:
    case SLOT_RESPONSE:
        return change(slot, seen, free_word(seen)) ? RECLAIM_FREED : RECLAIM_NOTHING;
    case SLOT_WORKING:
        (void)change(slot, seen, word_with(seen, SLOT_CANCELLED, 0));
        return RECLAIM_NOTHING;
    default:
        return RECLAIM_NOTHING;
    }
}
