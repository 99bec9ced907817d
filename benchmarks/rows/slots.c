/* Round trips in a region with many slots, or with many guests, against one slot and one guest. */
#include "rows.h"

#include "calls/copying.h"
#include "support/clock.h"

enum { MANY_SLOTS = 1024 };

static struct subject start(struct pair *pair, const char *variant) {
    struct subject s = copying_start(pair, "slots", SMALL);
    s.label.variant = variant;
    return s;
}

struct regions {
    const char *guest;
    struct pair one, slots, guests;
};

static size_t set_up(void *regions, struct subject *subjects) {
    struct regions *r = regions;
    r->one = pair_start((struct pair_config){.guest = r->guest, .slots = 1});
    r->slots = pair_start((struct pair_config){.guest = r->guest, .slots = MANY_SLOTS});
    r->guests = pair_start(
        (struct pair_config){.guest = r->guest, .slots = 1, .guests = SHMIPC_GUESTS_MAX});
    subjects[0] = start(&r->one, "1 slot, 1 guest");
    subjects[1] = start(&r->slots, "1024 slots");
    subjects[2] = start(&r->guests, "15 guests");
    return 3;
}

static void take_down(void *regions) {
    struct regions *r = regions;
    pair_stop(&r->one);
    pair_stop(&r->slots);
    pair_stop(&r->guests);
}

static void measure_guest(const char *guest, const struct effort *effort) {
    struct plan plan = short_blocks(effort);
    struct regions regions = {.guest = guest};
    emit_scenes(&(struct scene){set_up, take_down, &regions}, &plan);
}

void measure_slots(const struct effort *effort) {
    measure_guest("c", effort);
    measure_guest("go", effort);
}
