/*
 * Deadlines. A wait reads the clock only after it has spun in vain, so a call that is answered at
 * once reads no clock.
 */
#ifndef SHMIPC_DEADLINE_H
#define SHMIPC_DEADLINE_H

#include "platform/platform.h"

struct deadline {
    int64_t timeout;
    uint64_t at; /* 0: not started */
};

static inline struct deadline deadline_in(int64_t timeout) {
    return (struct deadline){.timeout = timeout};
}

/* The absolute deadline; the first call starts the time-out. CLOCK_NEVER for SHMIPC_FOREVER. */
uint64_t shmi_deadline_at(struct deadline *deadline);
bool shmi_deadline_passed(struct deadline *deadline);

/* The next time a sleeper must be awake: the deadline, or a tick from now. */
uint64_t shmi_deadline_or_tick(struct deadline *deadline);

static inline uint64_t sooner(uint64_t one, uint64_t other) {
    return one < other ? one : other;
}

#endif
