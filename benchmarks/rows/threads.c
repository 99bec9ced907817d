/* Threads that call at the same time, none of which ever has to wait for a slot. */
#include "crowds.h"

static void measure_guest(const char *guest, const struct effort *effort) {
    static const unsigned quick[] = {1, 8, 64};
    static const unsigned all[] = {1, 2, 8, 16, 64};
    const struct target any = {0};
    struct pair pair = pair_start((struct pair_config){.guest = guest, .slots = 64});
    if (effort->quick)
        measure_crowds(&pair, "threads", "64 slots", quick, sizeof quick / sizeof *quick, any,
                       effort);
    else
        measure_crowds(&pair, "threads", "64 slots", all, sizeof all / sizeof *all, any, effort);
    pair_stop(&pair);
}

void measure_threads(const struct effort *effort) {
    measure_guest("c", effort);
    measure_guest("go", effort);
}
