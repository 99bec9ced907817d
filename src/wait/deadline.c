#include "wait/deadline.h"

#include "wait/policy.h"

#include "shmipc/shmipc.h"

uint64_t shmi_deadline_at(struct deadline *d) {
    if (d->at == 0) {
        uint64_t now = d->timeout == SHMIPC_FOREVER ? 0 : shmi_clock_now();
        uint64_t left = CLOCK_NEVER - now;
        d->at = d->timeout == SHMIPC_FOREVER || (uint64_t)d->timeout >= left
                    ? CLOCK_NEVER
                    : now + (uint64_t)d->timeout;
    }
    return d->at;
}

bool shmi_deadline_passed(struct deadline *d) {
    uint64_t at = shmi_deadline_at(d);
    return at != CLOCK_NEVER && shmi_clock_now() >= at;
}

uint64_t shmi_deadline_or_tick(struct deadline *d) {
    uint64_t at = shmi_deadline_at(d);
    return sooner(at, shmi_clock_now() + TICK_NS);
}
