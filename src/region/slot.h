/*
 * The transitions of a slot's state word (docs/protocol.md, State machine). Nothing else in the
 * library writes that word. Each function is one transition; it says who may call it. Those that a
 * caller passes between an answer and its next request are inline.
 */
#ifndef SHMIPC_SLOT_H
#define SHMIPC_SLOT_H

#include "platform/platform.h"
#include "wire/layout.h"
#include "wire/word.h"

/*
 * How often a change of one word is tried, in a wait or a transition, before the word is taken for
 * corrupt. In one exchange a correct other side changes it twice, by the take and by the answer (or
 * a reclaimer does instead), and the caller's own process clears PARKED once for each reason to
 * look up.
 */
enum { WORD_CHANGES = 16 };

/* Acquire: whoever sees a state may read what was written before it was stored. */
static inline word slot_look(const struct slot *slot) {
    return load_acquire64(&slot->word);
}

/* The same for a look that follows shmi_eventcount_prepare: seq_cst, the partner of whoever
   publishes, then reads the sleepers. */
static inline word slot_look_again(const struct slot *slot) {
    return load_seq_cst64(&slot->word);
}

/* FREE -> BUSY, for any caller of a guest slot; moves the sequence. False: another was faster.
   *seen becomes the new word, or the one found. */
bool shmi_slot_claim(struct slot *slot, word *seen, owner caller);

/* FREE, BUSY or RESPONSE -> REQUEST, by the caller that has the slot and last saw it as `last`.
   `caller` is the owner in a guest slot, 0 in a host slot. False: somebody who had no right to it
   changed the word; nothing was published.
   seq_cst: a release of the request to shmi_slot_take, and the first half of the pair with the
   worker that joins the sleepers and looks again (eventcount.h). */
static inline bool slot_publish_request(struct slot *slot, word last, owner caller, uint64_t flags,
                                        word *published) {
    *published = word_next_sequence(last) | caller | (uint64_t)SLOT_REQUEST | flags;
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

/* REQUEST -> FREE or WORKING -> CANCELLED, by the caller. *seen becomes the word now. */
enum cancel_result shmi_slot_give_up(struct slot *slot, word published, word *seen);

/* REQUEST -> FREE only, by the caller. Legal to fail: a responder was faster, or parking. *seen
   becomes the word now. */
bool shmi_slot_withdraw(struct slot *slot, word *seen);

/* True while `seen` is what became of `published` by nobody's fault: REQUEST, WORKING or RESPONSE
   of the same sequence. */
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

/* REQUEST, WORKING: sets PARKED, by the caller before it sleeps. False: the word has changed.
   *seen becomes the word now. */
bool shmi_slot_park(struct slot *slot, word *seen);

/* Clears PARKED, by any thread of the caller's process that wants the caller to look up.
   `caller` as in slot_publish_request: in a guest slot another guest's word stays as it is. True
   if the caller was parked and must be woken. */
bool shmi_slot_unpark(struct slot *slot, owner caller);

/* RESPONSE, BUSY -> FREE, by the caller of a guest slot that last saw it as `seen`. False: somebody
   who had no right to it changed the word; it stays as it is. */
bool shmi_slot_release(struct slot *slot, word seen);

enum reclaim { RECLAIM_NOTHING, RECLAIM_FREED, RECLAIM_ANSWERED, RECLAIM_ANSWERED_SLEEPER };

/* What a dead responder of a host slot, or a dead caller of a guest slot, left: by whoever saw
   the word `seen` first and had proof of the death then. A leaving host does the first in guest
   slots. */
enum reclaim shmi_slot_reclaim_responder(struct slot *slot, word seen);
enum reclaim shmi_slot_reclaim_caller(struct slot *slot, word seen);

/* For a side that looks at the word again and again: has the slot's second line come along with the
   first, in case the message needs both. */
static inline void slot_fetch_ahead(const struct slot *slot) {
    cpu_prefetch(slot->payload + FIRST_LINE_SIZE);
}

/* For a side that expects the word to have been changed by now, and is going to change it next. A
   look has the line brought to be read; for the change it would be asked for again. `reach`: of
   the message that comes or goes with that change. */
static inline void slot_fetch_to_change(const struct slot *slot, enum reach reach) {
    cpu_prefetch_to_write(slot);
    if (reach == REACHES_SECOND_LINE)
        cpu_prefetch_to_write(slot->payload + FIRST_LINE_SIZE);
}

/* The word's low half, which a parked caller sleeps on. */
atomic_u32 *shmi_slot_futex(struct slot *slot);

#endif
