/* Several calls in flight from one thread, against one word on one line, per call. The region has
   as many slots as there are calls in flight. */
#include "rows.h"

#include "calls/several.h"
#include "limits/lines.h"

struct pairs {
    struct pair c, go;
    unsigned depth;
};

static size_t set_up(void *pairs, struct subject *subjects) {
    struct pairs *p = pairs;
    p->c = pair_start((struct pair_config){.guest = "c", .slots = p->depth});
    p->go = pair_start((struct pair_config){.guest = "go", .slots = p->depth});
    subjects[0] = lines_start(1);
    subjects[1] = several_start(&p->c, SMALL, p->depth);
    subjects[2] = several_start(&p->go, SMALL, p->depth);
    return 3;
}

static void take_down(void *pairs) {
    struct pairs *p = pairs;
    pair_stop(&p->c);
    pair_stop(&p->go);
}

static void measure_depth(unsigned depth, const struct effort *effort) {
    struct plan plan = short_blocks(effort);
    struct pairs pairs = {.depth = depth};
    emit_scenes(&(struct scene){set_up, take_down, &pairs}, &plan);
}

void measure_in_flight(const struct effort *effort) {
    static const unsigned depths[] = {1, 2, 4, 8, 32, 64};
    measure_depth(16, effort);
    for (size_t i = 0; !effort->quick && i < sizeof depths / sizeof *depths; i++)
        measure_depth(depths[i], effort);
}
