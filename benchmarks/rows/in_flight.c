/* Several calls in flight from one thread, against one word on one line, per call. The region has
   as many slots as there are calls in flight. */
#include "rows.h"

#include "calls/several.h"
#include "limits/lines.h"

static void measure_depth(unsigned depth, const struct effort *effort) {
    struct plan plan = short_blocks(effort);
    struct pair c = pair_start((struct pair_config){.guest = "c", .slots = depth});
    struct pair go = pair_start((struct pair_config){.guest = "go", .slots = depth});
    struct subject limit = lines_start(1);
    struct subject subjects[] = {limit, several_start(&c, SMALL, depth),
                                 several_start(&go, SMALL, depth)};
    subjects[0].label.variant = "";
    emit_all(subjects, sizeof subjects / sizeof *subjects, &plan);
    pair_stop(&c);
    pair_stop(&go);
}

void measure_in_flight(const struct effort *effort) {
    static const unsigned depths[] = {1, 2, 4, 8, 32, 64};
    measure_depth(16, effort);
    for (size_t i = 0; !effort->quick && i < sizeof depths / sizeof *depths; i++)
        measure_depth(depths[i], effort);
}
