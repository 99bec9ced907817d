/* Several calls in flight from one thread, against one word on one line, per call. The region has
   as many slots as there are calls in flight. */
#include "rows.h"

#include "calls/several.h"
#include "limits/lines.h"

struct regions {
    struct pairs pairs;
    unsigned depth;
};

static size_t set_up(void *regions, struct subject *subjects) {
    struct regions *r = regions;
    r->pairs = pairs_start((struct pair_config){.slots = r->depth});
    subjects[0] = lines_start(1);
    subjects[1] = several_start(&r->pairs.c, SMALL, r->depth);
    subjects[2] = several_start(&r->pairs.go, SMALL, r->depth);
    return 3;
}

static void take_down(void *regions) {
    struct regions *r = regions;
    pairs_stop(&r->pairs);
}

static void measure_depth(unsigned depth, const struct effort *effort) {
    struct plan plan = short_blocks(effort);
    struct regions regions = {.depth = depth};
    emit_scenes(&(struct scene){set_up, take_down, &regions}, &plan);
}

void measure_in_flight(const struct effort *effort) {
    static const unsigned depths[] = {1, 2, 4, 8, 32, 64};
    measure_depth(16, effort);
    for (size_t i = 0; !effort->quick && i < sizeof depths / sizeof *depths; i++)
        measure_depth(depths[i], effort);
}
