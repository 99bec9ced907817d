/*
 * A doorbell: a generation that is slept on, and a set of the peers that sleep. Whoever made
 * something available rings only if somebody sleeps, so that peers that are awake cost nothing.
 *
 * No wake-up is lost: the one side changes its slot, then reads the sleepers; the other joins the
 * sleepers, then looks at the slots; all four are seq_cst, so one of the two sees the other.
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

/* Sleeps until the bell's generation differs from `generation`, or the deadline, or for no reason.
   True as shmi_word_wait: a peer's process has ended. */
bool shmi_doorbell_sleep(struct doorbell *doorbell, uint32_t generation, uint64_t deadline);

/* True if any peer has announced a sleeper. Comes after the change that the sleeper waits for. */
static inline bool doorbell_has_sleepers(const struct doorbell *doorbell) {
    return load_seq_cst32(&doorbell->bell->sleepers) != 0;
}

/* Returns how many it woke; a sleeper that is about to sleep does not count, and does not sleep. */
uint32_t shmi_doorbell_ring(struct doorbell *doorbell, uint32_t wake_count);

enum { WAKE_ONE = 1, WAKE_ALL = 0x7fffffff };

#endif
