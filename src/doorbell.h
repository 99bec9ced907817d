/*
 * A doorbell: a generation that is slept on, a set of the peers that sleep, and a set of those that
 * watch. Whoever made something available rings only if somebody sleeps and nobody watches, so that
 * peers that are awake cost nothing, however many others sleep.
 *
 * No wake-up is lost: the one side changes its slot, then reads the sets; the other joins the
 * sleepers and leaves the watchers, then looks at the slots; all of it is seq_cst, so one of the
 * two sees the other.
 */
#ifndef SHMIPC_DOORBELL_H
#define SHMIPC_DOORBELL_H

#include "layout.h"
#include "platform.h"

/* One peer's end of a bell. `waiters` counts this process's own sleepers behind the peer's bit. */
struct doorbell {
    struct bell *bell;
    struct object *object; /* that the bell lies in; NULL: private memory */
    uint32_t bit;
    atomic_u32 waiters;
};

/* Announces a sleeper. What it waits for must be looked at again after this, before sleeping. */
uint32_t shmi_doorbell_arm(struct doorbell *doorbell);
void shmi_doorbell_disarm(struct doorbell *doorbell);

/* The generation, for a sleeper that does not announce itself. */
uint32_t shmi_doorbell_generation(const struct doorbell *doorbell);

/* True if the bell was rung once since it had this generation, and nobody watches. Where somebody
   who did not watch looked at everything after that and found nothing, what has come since is what
   the bell was rung for. (Who has published something else by now, but not rung yet, will.) */
bool shmi_doorbell_rung_once(const struct doorbell *doorbell, uint32_t generation);

/* Sleeps until the bell's generation differs from `generation`, or the deadline, or for no reason.
   True as shmi_word_wait: a peer's process has ended. */
bool shmi_doorbell_sleep(struct doorbell *doorbell, uint32_t generation, uint64_t deadline);

/* The same for a sleeper that is at home in this slot. */
bool shmi_doorbell_sleep_as(struct doorbell *doorbell, uint32_t generation, uint64_t deadline,
                            uint32_t home);

/* Joins the watchers: this peer looks again and again, and will once more after it has left them.
   */
void shmi_doorbell_watch(struct doorbell *doorbell);
void shmi_doorbell_look_away(struct doorbell *doorbell);

/* True if somebody may not have rung because others watch. */
static inline bool doorbell_is_watched(const struct doorbell *doorbell) {
    return load_seq_cst32(&doorbell->bell->sleepers) >> WATCHERS_SHIFT != 0;
}

/* True if somebody sleeps and nobody watches. Comes after the change that the sleeper waits for. */
static inline bool doorbell_wants_ring(const struct doorbell *doorbell) {
    uint32_t sets = load_seq_cst32(&doorbell->bell->sleepers);
    return sets != 0 && sets >> WATCHERS_SHIFT == 0;
}

/* The same whether or not somebody polls. */
static inline bool doorbell_has_sleepers(const struct doorbell *doorbell) {
    return (load_seq_cst32(&doorbell->bell->sleepers) & ((UINT32_C(1) << WATCHERS_SHIFT) - 1)) != 0;
}

/* Returns how many it woke; a sleeper that is about to sleep does not count, and does not sleep. */
uint32_t shmi_doorbell_ring(struct doorbell *doorbell, uint32_t wake_count);

/* The same for one sleeper: the one of this peer that is at home in this slot, or else another one
   of this peer, if it sleeps. */
uint32_t shmi_doorbell_ring_for(struct doorbell *doorbell, uint32_t peer, uint32_t home);

/* The same where there may be more to be rung for than one thing: counts as two rings. */
uint32_t shmi_doorbell_ring_for_several(struct doorbell *doorbell, uint32_t peer, uint32_t home);

/* Rings for one sleeper of this very peer, announced or not, and wakes nobody else. */
void shmi_doorbell_ring_own(struct doorbell *doorbell, uint32_t self);

enum { WAKE_ONE = 1, WAKE_ALL = 0x7fffffff };

#endif
