/* Calls while another handler of the guest is blocked for 10 ms at a time, against the same calls
   while none is. What counts is the 99th percentile of each block. */
#include "rows.h"

#include "calls/beside.h"
#include "support/clock.h"

static void measure_guest(const char *guest, const struct effort *effort) {
    const struct plan plan = {.rounds = rounds_of(effort, 15, 101),
                              .awake = true,
                              .warm_up_ns = 10 * MILLISECOND,
                              .times_ns = 40 * MILLISECOND,
                              .share = 0.99};
    struct pair pair = pair_start((struct pair_config){.guest = guest});
    struct subject subjects[] = {beside_start(&pair, SMALL, false),
                                 beside_start(&pair, SMALL, true)};
    emit_all(subjects, 2, &plan);
    pair_stop(&pair);
}

void measure_blocked(const struct effort *effort) {
    measure_guest("c", effort);
    measure_guest("go", effort);
}
