/*
 * The end of a call that has no answer, and the errors that the other side has answered.
 */
#ifndef SHMIPC_OUTCOME_H
#define SHMIPC_OUTCOME_H

#include "call/pool.h"

/* The error is `started` if a responder had taken the request. */
struct reason {
    int never_started;
    int started;
    const char *text;
};

extern const struct reason shmi_reason_timed_out, shmi_reason_cancelled, shmi_reason_closed,
    shmi_reason_shutting_down, shmi_reason_host_lost;

/* The call is no longer among the long waits. */
static inline void leave_crowd(shmipc_peer *p, struct local_slot *l) {
    if (l->call.is_in_crowd)
        shmi_crowd_leave(&p->calling.long_waits);
    l->call.is_in_crowd = false;
}

/* Gives the request up, and the slot back. OK with *answered: the answer came first. */
int shmi_outcome_give_up(shmipc_peer *peer, struct local_slot *local, const struct reason *reason,
                         int64_t timeout, bool *answered);

/* Ends a call whose request was withdrawn, since no live peer could answer it; `now` is the slot's
   word. */
int shmi_outcome_withdrawn(shmipc_peer *peer, struct local_slot *local, word now);

/* Ends a call during which this peer was closed and its memory replaced, after a handler had
   started. */
COLD int shmi_outcome_cut_off(shmipc_peer *peer, struct local_slot *local);

/* Ends a call whose responder has died, so that the slot was reclaimed. */
COLD int shmi_outcome_died(shmipc_peer *peer, struct local_slot *local);

/* Ends a call in whose slot `seen` was found, a word that no correct peer could have stored. */
COLD int shmi_outcome_corrupt(shmipc_peer *peer, struct local_slot *local, word seen);

/* For a call that ended unstarted, or answered, by the word that this peer sees. True if that word
   may be a copy, and a handler had started by the region's own word. */
COLD bool shmi_outcome_started_in_region(shmipc_peer *peer, const struct local_slot *local);

/* The error that an error response reports. */
COLD int shmi_outcome_of_error(shmipc_peer *peer, const shmipc_response *response);

#endif
