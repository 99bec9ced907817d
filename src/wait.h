/*
 * How a wait passes its time: it spins, yields a few times, then sleeps. Deadlines are read from
 * the clock only when the spinning is over, so a call that is answered at once reads no clock.
 */
#ifndef SHMIPC_WAIT_H
#define SHMIPC_WAIT_H

#include "platform.h"

enum {
    YIELDS = 4,           /* between spinning and sleeping */
    SPIN_AUTO_NS = 30000, /* about what a sleep and a wake cost */
    SPIN_MAX_NS = 100000, /* the overrun of time-outs that shmipc.h promises */
};

#define TICK_NS UINT64_C(100000000) /* a sleeper looks for deaths this often */

struct deadline {
    int64_t timeout;
    uint64_t at; /* 0: not started */
};

static inline struct deadline deadline_in(int64_t timeout) {
    return (struct deadline){.timeout = timeout};
}

/* The absolute deadline; the first call starts the time. CLOCK_NEVER for SHMIPC_FOREVER. */
uint64_t shmi_deadline_at(struct deadline *deadline);
bool shmi_deadline_passed(struct deadline *deadline);

/* The next time a sleeper must be awake: the deadline, or a tick from now. */
uint64_t shmi_deadline_or_tick(struct deadline *deadline);

/* How many pauses last `ns`: 0 if this process has but one processor to spin on. */
uint32_t shmi_spins_for(int64_t ns);

/* Counts the pauses and yields of one wait. False when it is time to sleep. */
struct spin {
    uint32_t pauses;
    uint32_t yields;
};

static inline struct spin spin_begin(uint32_t pauses) {
    return (struct spin){.pauses = pauses, .yields = YIELDS};
}

static inline bool spin_again(struct spin *spin) {
    if (spin->pauses > 0) {
        spin->pauses--;
        cpu_pause();
        return true;
    }
    if (spin->yields > 0) {
        spin->yields--;
        shmi_cpu_yield();
        return true;
    }
    return false;
}

#endif
