/*
 * An eventcount, by which a thread sleeps for something that any of many may bring: a generation,
 * which is slept on, the set of the peers that sleep, and the set of those that poll. A thread that
 * has made something available notifies only if a peer sleeps and none polls. So peers that are
 * awake cost nothing, however many others sleep.
 *
 * a sleeper the other side prepare: join the sleepers change the slot look at the slots again
 * wants_notify: read the sets commit: sleep on the generation notify: change the generation, wake
 * cancel: leave the sleepers
 *
 * No wake-up is lost: all of it is seq_cst, so either the sleeper sees the change, or the other
 * side sees the sleeper. The same holds for a poller that leaves, and then looks.
 */
#ifndef SHMIPC_EVENTCOUNT_H
#define SHMIPC_EVENTCOUNT_H

#include "platform/platform.h"
#include "wire/layout.h"

/* One peer's end of an eventcount. `waiters` counts this process's own sleepers behind the peer's
   bit. */
struct local_eventcount {
    struct eventcount *shared;
    struct object *object; /* that the eventcount lies in; NULL: private memory */
    uint32_t bit;
    atomic_u32 waiters;
};

/* Announces a sleeper. It must look again for what it waits for, before it sleeps. */
uint32_t shmi_eventcount_prepare(struct local_eventcount *eventcount);

/* Takes the announcement back, also after a sleep. */
void shmi_eventcount_cancel(struct local_eventcount *eventcount);

/* The generation, for a sleeper that does not announce itself. */
uint32_t shmi_eventcount_generation(const struct local_eventcount *eventcount);

/* True if the eventcount was notified once since it had this generation, and nobody polls. Where
   somebody who did not poll looked at everything after that and found nothing, what has come since
   is what the notification was for. (Who has published something else by now, but not notified yet,
   will.) */
bool shmi_eventcount_notified_once(const struct local_eventcount *eventcount, uint32_t generation);

/* Sleeps until the eventcount's generation differs from `generation`, or the deadline, or for no
   reason. True as shmi_word_wait: a peer's process has ended. */
bool shmi_eventcount_commit(struct local_eventcount *eventcount, uint32_t generation,
                            uint64_t deadline);

/* The same for a sleeper that is at home in this slot. */
bool shmi_eventcount_commit_at_home(struct local_eventcount *eventcount, uint32_t generation,
                                    uint64_t deadline, uint32_t home);

/* Joins the pollers: this peer looks again and again, and once more after it has left them. */
void shmi_eventcount_join_pollers(struct local_eventcount *eventcount);
void shmi_eventcount_leave_pollers(struct local_eventcount *eventcount);

/* True if somebody may not have notified because others poll. */
static inline bool eventcount_has_pollers(const struct local_eventcount *eventcount) {
    return load_seq_cst32(&eventcount->shared->sleepers) >> POLLERS_SHIFT != 0;
}

/* True if somebody sleeps and nobody polls. Comes after the change that the sleeper waits for. */
static inline bool eventcount_wants_notify(const struct local_eventcount *eventcount) {
    uint32_t sets = load_seq_cst32(&eventcount->shared->sleepers);
    return sets != 0 && sets >> POLLERS_SHIFT == 0;
}

/* The same whether or not somebody polls. */
static inline bool eventcount_has_sleepers(const struct local_eventcount *eventcount) {
    return (load_seq_cst32(&eventcount->shared->sleepers) & ((UINT32_C(1) << POLLERS_SHIFT) - 1)) !=
           0;
}

/* Returns how many it woke; a sleeper that is about to sleep does not count, and does not sleep. */
uint32_t shmi_eventcount_notify(struct local_eventcount *eventcount, uint32_t wake_count);

/* The same for one sleeper: the one of this peer that is at home in this slot, or else another one
   of this peer, if it sleeps. */
uint32_t shmi_eventcount_notify_home(struct local_eventcount *eventcount, uint32_t peer,
                                     uint32_t home);

/* The same where there may be more to be notified than one thing: counts as two notifications. */
uint32_t shmi_eventcount_notify_for_several(struct local_eventcount *eventcount, uint32_t peer,
                                            uint32_t home);

/* Notifies one sleeper of this very peer, announced or not, and wakes nobody else. */
void shmi_eventcount_notify_own(struct local_eventcount *eventcount, uint32_t self);

enum { WAKE_ONE = 1, WAKE_ALL = 0x7fffffff };

#endif
