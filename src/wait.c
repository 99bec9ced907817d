#include "wait.h"

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
    uint64_t tick = shmi_clock_now() + TICK_NS;
    return at < tick ? at : tick;
}

/* A pause takes between 5 and 150 ns, depending on the processor: it is measured. The shortest of
   a few rounds counts, since an interruption only ever makes a round longer. */
static uint64_t pauses_per_100us(void) {
    enum { ROUNDS = 5, PAUSES = 200 };
    uint64_t shortest = CLOCK_NEVER;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begin = shmi_clock_now();
        for (int i = 0; i < PAUSES; i++)
            cpu_pause();
        uint64_t took = shmi_clock_now() - begin;
        shortest = took < shortest ? took : shortest;
    }
    return (uint64_t)PAUSES * 100000u / (shortest + 1);
}

uint32_t shmi_spins_for(int64_t ns) {
    int64_t wanted = ns == SHMIPC_SPIN_AUTO ? SPIN_AUTO_NS : ns;
    if (wanted <= 0 || shmi_cpu_count() < 2)
        return 0;
    if (wanted > SPIN_MAX_NS)
        wanted = SPIN_MAX_NS;
    return (uint32_t)(pauses_per_100us() * (uint64_t)wanted / 100000u);
}
