/*
 * The calling side of a request that was sent: await its answer, or give it up.
 */
#ifndef SHMIPC_CALLER_H
#define SHMIPC_CALLER_H

#include "call/send.h"

/* How one answer is awaited. */
struct await {
    struct deadline *deadline;
    shmipc_stop_token *stop; /* the thread's; set when it goes to sleep */
    bool one_of_several;     /* the thread may have other calls in flight */

    /* Set during the wait. */
    bool check_responder;
    uint64_t look_at; /* when to look for deaths next, however often the thread is woken */
    int missed;       /* tries to park that came too late: WORD_CHANGES */
    bool answered;
};

/* Waits for the answer and sets *view to it in place. The slot stays claimed after an answer (see
   is_answer), and is released otherwise. */
int shmi_caller_receive(shmipc_peer *peer, struct local_slot *local, struct await *await,
                        shmipc_response *view);

/* True if the slot is still claimed after shmi_caller_receive returned `error`, or a call that
   copies did. NO_MEMORY: response->allocate had none for the answer. */
static inline bool is_answer(int error) {
    return error == SHMIPC_OK || error == SHMIPC_E_HANDLER || error == SHMIPC_E_TOO_LARGE ||
           error == SHMIPC_E_TYPE || error == SHMIPC_E_NO_MEMORY;
}

/* True if a call whose word was just seen as `seen` is over, or was told to end: then
   shmi_caller_receive returns at once. Does not look for deaths. */
bool shmi_caller_has_ended(shmipc_peer *peer, struct local_slot *local, word seen);

/* The same, and once per tick looks whether the responder is alive. */
bool shmi_caller_would_end(shmipc_peer *peer, struct local_slot *local);

/* Gives back the slot, and gives up a request under way. */
void shmi_caller_abandon(shmipc_peer *peer, struct local_slot *local);

/* Wakes the sleeping caller of a slot, or of every slot, to look again. For a thread that has
   stored a flag for the caller, seq_cst. */
void shmi_caller_wake(shmipc_peer *peer, struct local_slot *local);
void shmi_caller_wake_all(shmipc_peer *peer);

#endif
