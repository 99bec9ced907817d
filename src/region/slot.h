/*
 * The transitions of a slot's state word (docs/protocol.md, State machine). Nothing else in the
 * library writes that word. Each function is one transition, and says which side may call it. The
 * transitions between an answer and the caller's next request are inline.
 */
#ifndef SHMIPC_SLOT_H
#define SHMIPC_SLOT_H

#include "platform/platform.h"
#include "wire/layout.h"
#include "wire/word.h"

/*
 * How often a change of one word is tried, in a wait or a transition, before the word is taken for
 * corrupt. In one call a correct other side changes the word twice, by the take and by the answer
 * (or a reclaimer does instead), and the caller's own process clears PARKED once for each reason to
 * wake the caller.
 */
enum { WORD_CHANGES = 16 };

/* Acquire: a thread that sees a state also sees the writes made before that state was stored. */
static inline word slot_look(const struct slot *slot) {
    return load_acquire64(&slot->word);
}

/* The same for a look that follows shmi_eventcount_prepare: seq_cst, pairs with a thread that
   publishes, then reads the sleepers. */
static inline word slot_look_again(const struct slot *slot) {
    return load_seq_cst64(&slot->word);
}

/* FREE -> BUSY, for any caller of a guest slot; moves the sequence. False: another caller was
   faster. *seen becomes the new word, or the one found. */
bool shmi_slot_claim(struct slot *slot, word *seen, owner caller);

/* FREE, BUSY or RESPONSE -> REQUEST, by the caller that has the slot and last saw its word as
   `last`. `bound` is the owner: in a guest slot the caller, in a host slot the guest to which the
   request is addressed, or 0. False: an incorrect peer changed
   the word, and nothing was published.
   seq_cst: releases the request to shmi_slot_take, and pairs with the worker that joins the
   sleepers and looks again (eventcount.h): the sender reads the sleepers next. */
static inline bool slot_publish_request(struct slot *slot, word last, owner bound, uint64_t flags,
                                        word *published) {
    *published = word_next_sequence(last) | bound | (uint64_t)SLOT_REQUEST | flags;
    return cas_seq_cst64(&slot->word, &last, *published);
}

/* REQUEST -> WORKING, for any responder that saw REQUEST. Legal to fail: the caller gave up or
   parked, or another responder was faster. The responder looks at its phase next (responder.c). */
bool shmi_slot_take(struct slot *slot, word seen, owner bound, word *taken);

enum reply_result {
    ANSWER_DELIVERED,
    ANSWER_DELIVERED_TO_SLEEPER, /* the caller must be woken */
    ANSWER_DISCARDED,            /* the caller had given up; the slot is FREE now */
    ANSWER_CORRUPT,
};

/* WORKING -> RESPONSE or CANCELLED -> FREE, by the responder that took the slot. */
enum reply_result shmi_slot_publish_response(struct slot *slot, word taken, uint64_t flags);

enum cancel_result {
    CANCEL_NEVER_STARTED, /* the slot is FREE */
    CANCEL_STARTED,       /* the slot is CANCELLED until its responder lets go or is dead */
    CANCEL_ANSWERED,      /* too late: the answer is there */
    CANCEL_CORRUPT,
};

/* REQUEST -> FREE or WORKING -> CANCELLED, by the caller. *seen becomes the current word. */
enum cancel_result shmi_slot_give_up(struct slot *slot, word published, word *seen);

/* REQUEST -> FREE only, by the caller. Legal to fail: a responder was faster, or PARKED changed.
   *seen becomes the current word. */
bool shmi_slot_withdraw(struct slot *slot, word *seen);

/* True if correct peers can have changed `published` to `seen`: REQUEST, WORKING or RESPONSE of the
   same sequence. */
static inline bool slot_is_valid_successor(word published, word seen) {
    enum slot_state state = word_state(seen);
    if (!word_same_sequence(published, seen))
        return false;
    if (state == SLOT_REQUEST)
        return word_same_but_parked(published, seen);
    if (state != SLOT_WORKING && state != SLOT_RESPONSE)
        return false;
    return word_owner(published) == 0 ? owner_index(word_owner(seen)) != 0
                                      : word_owner(seen) == word_owner(published);
}

/* REQUEST, WORKING: sets PARKED, by the caller before it sleeps. False: the word has changed. *seen
   becomes the current word. */
bool shmi_slot_park(struct slot *slot, word *seen);

/* Clears PARKED, by any thread of the caller's process that wants the caller to look again.
   `caller` as in slot_publish_request: leaves another guest's word in a guest slot alone. True if
   the caller was parked and must be woken. */
bool shmi_slot_unpark(struct slot *slot, owner caller);

/* RESPONSE, BUSY -> FREE, by the caller of a guest slot that last saw its word as `seen`. False: an
   incorrect peer changed the word, which stays as it is. */
bool shmi_slot_release(struct slot *slot, word seen);

enum reclaim { RECLAIM_NOTHING, RECLAIM_FREED, RECLAIM_ANSWERED, RECLAIM_ANSWERED_SLEEPER };

/* Reclaim a host slot of a dead responder, or a guest slot of a dead caller. The calling thread
   must have read `seen` first, and have had proof of the death after that. A leaving host uses the
   first one in guest slots. */
enum reclaim shmi_slot_reclaim_responder(struct slot *slot, word seen);
enum reclaim shmi_slot_reclaim_caller(struct slot *slot, word seen);

/* For a side that polls the word: prefetches the slot's second line along with the first, in case
   the message needs both. */
static inline void slot_fetch_ahead(const struct slot *slot) {
    cpu_prefetch(slot->payload + FIRST_LINE_SIZE);
}

/* For a side that expects the word to have been changed by now, and will change it next. A look
   alone fetches the line for reading, and the change would request it again for writing. `reach` is
   that of the message that comes or goes with the change. */
static inline void slot_fetch_to_change(const struct slot *slot, enum reach reach) {
    cpu_prefetch_to_write(slot);
    if (reach == REACHES_SECOND_LINE)
        cpu_prefetch_to_write(slot->payload + FIRST_LINE_SIZE);
}

/* The word's low half, which a parked caller sleeps on. */
atomic_u32 *shmi_slot_futex(struct slot *slot);

#endif
