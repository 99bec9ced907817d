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

static void measure_guest(const char *guest, const struct effort *effort) {
    struct plan plan = short_blocks(effort);
    struct pair one = pair_start((struct pair_config){.guest = guest, .slots = 1});
    struct pair slots = pair_start((struct pair_config){.guest = guest, .slots = MANY_SLOTS});
    struct pair guests =
        pair_start((struct pair_config){.guest = guest, .slots = 1, .guests = SHMIPC_GUESTS_MAX});
    struct subject subjects[] = {start(&one, "1 slot, 1 guest"), start(&slots, "1024 slots"),
                                 start(&guests, "15 guests")};
    emit_all(subjects, sizeof subjects / sizeof *subjects, &plan);
    pair_stop(&one);
    pair_stop(&slots);
    pair_stop(&guests);
}

void measure_slots(const struct effort *effort) {
    measure_guest("c", effort);
    measure_guest("go", effort);
}
