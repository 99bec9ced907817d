/* Threads that call at the same time, of which most have to wait for one of four slots. */
#include "crowds.h"

#include "support/clock.h"

static void measure_guest(const char *guest, const struct effort *effort) {
    static const unsigned threads[] = {1, 8, 16, 64};
    const struct target target = {.ratio = 0.8, .longest_ns = 50 * MILLISECOND};
    struct pair pair = pair_start((struct pair_config){.guest = guest, .slots = 4});
    measure_crowds(&pair, "oversubscribed", "4 slots", threads, sizeof threads / sizeof *threads,
                   target, effort);
    pair_stop(&pair);
}

void measure_oversubscribed(const struct effort *effort) {
    measure_guest("c", effort);
    measure_guest("go", effort);
}
