/*
 * An eventcount: a thread sleeps on it until any of many others makes something available. It holds
 * a generation, the word to sleep on; the set of peers that sleep; and the set of peers that poll.
 * A thread that has made something available notifies only if a peer sleeps and none polls. So a
 * call to a peer that polls needs no notification, however many others sleep.
 *
 *     a sleeper                              the other side
 *     prepare: join the sleepers             change the slot
 *     look at the slots again                wants_notify: read the sets
 *     commit: sleep on the generation        notify: change the generation, wake
 *     cancel: leave the sleepers
 *
 * No wake-up is lost: all these steps are seq_cst, so either the sleeper sees the change, or the
 * other side sees the sleeper. The same holds for a poller that leaves the pollers, then looks.
 *
 * A peer that watches its descriptor instead of sleeping prepares, arms, and looks. A notification
 * then signals the descriptor (platform.h) rather than waking a thread; it disarms the peer first,
 * so several in a row signal it once.
 */
#ifndef SHMIPC_EVENTCOUNT_H
#define SHMIPC_EVENTCOUNT_H

#include "platform/platform.h"
#include "wire/layout.h"

/* One peer's end of an eventcount. `waiters` counts the sleepers of this process, for which the
   peer's bit stands. */
struct local_eventcount {
    struct eventcount *shared;
    struct object *object; /* that holds the eventcount; NULL: private memory */
    atomic_u32 *armed;     /* the word that holds the set of armed peers, */
    uint32_t armed_shift;  /* and where in it */
    uint32_t bit;
    atomic_u32 waiters;
};

/* Announces a sleeper, which must look again for its event before it sleeps. */
uint32_t shmi_eventcount_prepare(struct local_eventcount *eventcount);

/* Takes the announcement back, also after a sleep. */
void shmi_eventcount_cancel(struct local_eventcount *eventcount);

/* For a peer that has prepared: the next notification signals its descriptor. */
void shmi_eventcount_arm(struct local_eventcount *eventcount);
void shmi_eventcount_disarm(struct local_eventcount *eventcount);

/* The generation, for a sleeper that does not announce itself. */
uint32_t shmi_eventcount_generation(const struct local_eventcount *eventcount);

/* True if the eventcount was notified once since it had this generation, and nobody polls. If a
   non-polling peer read `generation`, then scanned all slots and found none, the one notification
   since announces the only request. (A caller that has published another one by now, but not
   notified yet, will notify.) */
bool shmi_eventcount_notified_once(const struct local_eventcount *eventcount, uint32_t generation);

/* Sleeps until the eventcount's generation differs from `generation`, or the deadline; may wake up
   spuriously. True if a peer's process has ended: see shmi_word_wait. */
bool shmi_eventcount_commit(struct local_eventcount *eventcount, uint32_t generation,
                            uint64_t deadline);

/* The same for a sleeper that is at home in this slot. */
bool shmi_eventcount_commit_at_home(struct local_eventcount *eventcount, uint32_t generation,
                                    uint64_t deadline, uint32_t home);

/* Joins the pollers: this peer looks again and again, and once more after it has left them. */
void shmi_eventcount_join_pollers(struct local_eventcount *eventcount);
void shmi_eventcount_leave_pollers(struct local_eventcount *eventcount);

/* The peers that sleep or poll, as two sets; for a thread that has changed something. */
static inline uint32_t eventcount_sets(const struct local_eventcount *eventcount) {
    return load_seq_cst32(&eventcount->shared->sleepers);
}

/* True if a peer polls, so that other threads may not have notified. */
static inline bool eventcount_has_pollers(const struct local_eventcount *eventcount) {
    return eventcount_sets(eventcount) >> POLLERS_SHIFT != 0;
}

/* True if a peer sleeps and none polls. Call it after the change that the sleeper waits for. */
static inline bool eventcount_wants_notify(const struct local_eventcount *eventcount) {
    uint32_t sets = eventcount_sets(eventcount);
    return sets != 0 && sets >> POLLERS_SHIFT == 0;
}

/* True if a peer sleeps, whether or not one polls. */
static inline bool eventcount_has_sleepers(const struct local_eventcount *eventcount) {
    return (eventcount_sets(eventcount) & ALL_PEERS) != 0;
}

/* Returns how many it woke or signalled, without those that were about to sleep; these do not
   sleep. */
uint32_t shmi_eventcount_notify(struct local_eventcount *eventcount, uint32_t wake_count);

/* The same for one sleeper: of this peer, if it has one, and preferably at home in this slot; else
   any. */
uint32_t shmi_eventcount_notify_home(struct local_eventcount *eventcount, uint32_t peer,
                                     uint32_t home);

/* The same for sleepers of this peer alone, of which it wakes one; where the system cannot choose
   it may wake others too. */
uint32_t shmi_eventcount_notify_peer(struct local_eventcount *eventcount, uint32_t peer,
                                     uint32_t home);

/* The same for possibly several events: counts as two notifications. */
uint32_t shmi_eventcount_notify_for_several(struct local_eventcount *eventcount, uint32_t peer,
                                            uint32_t home);

/* Notifies one sleeper of this process's own peer, announced or not, and wakes no other peer. */
void shmi_eventcount_notify_own(struct local_eventcount *eventcount, uint32_t self);

enum { WAKE_ONE = 1, WAKE_ALL = 0x7fffffff };

#endif
