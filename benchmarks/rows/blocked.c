/* Calls while another handler of the guest is blocked for 10 ms at a time, against the same calls
   while none is. What counts is the 99th percentile of each block. */
#include "rows.h"

#include "calls/beside.h"
#include "calls/copying.h"
#include "calls/requests.h"
#include "support/clock.h"

static struct subject short_calls(const struct pair *pair, const char *variant) {
    struct subject s = copying_start(pair, "blocked", SMALL);
    s.label.variant = variant;
    return s;
}

static struct subject long_calls(const struct pair *pair) {
    const uint32_t ms = 10;
    return requests_start(pair, "blocked", TYPE_SLEEP, &ms, sizeof ms);
}

static void measure_guest(const char *guest, const struct effort *effort) {
    const struct plan plan = {.rounds = rounds_of(effort, 15, 101),
                              .awake = true,
                              .warm_up_ns = 10 * MILLISECOND,
                              .times_ns = 40 * MILLISECOND,
                              .share = 0.99};
    struct pair pair = pair_start((struct pair_config){.guest = guest});
    struct subject subjects[] = {
        short_calls(&pair, "none blocked"),
        beside_start(short_calls(&pair, "one handler blocked"), long_calls(&pair))};
    emit_all(subjects, 2, &plan);
    pair_stop(&pair);
}

void measure_blocked(const struct effort *effort) {
    measure_guest("c", effort);
    measure_guest("go", effort);
}
