/*
 * Seven threads that call a handler which takes nothing, while an eighth has another handler work
 * all the time, a millisecond for each of its calls; against the seven alone. What counts is the
 * 99th percentile of the seven's times in each block.
 */
#include "rows.h"

#include "calls/beside.h"
#include "calls/requests.h"
#include "calls/threads.h"
#include "support/clock.h"

enum { SHORT = 7, CALLERS = SHORT + 1, MOST_BY_ALONE = 2 };

static struct subject short_calls(const struct pair *pair, const char *variant) {
    struct subject s = threads_start(pair, "mixed", SMALL, SHORT);
    s.label.variant = variant;
    return s;
}

static void measure_guest(const char *guest, const struct effort *effort) {
    const struct job compute = {.compute_ns = MILLISECOND}, sleep = {.sleep_ns = MILLISECOND};
    const struct plan plan = {.rounds = rounds_of(effort, 15, 51),
                              .awake = true,
                              .warm_up_ns = 10 * MILLISECOND,
                              .times_ns = 40 * MILLISECOND,
                              .share = 0.99};
    struct pair pair =
        pair_start((struct pair_config){.guest = guest, .slots = CALLERS, .workers = CALLERS});
    struct subject subjects[] = {
        short_calls(&pair, "alone"),
        beside_start(short_calls(&pair, "compute 1 ms"), jobs_start(&pair, "", SMALL, compute)),
        beside_start(short_calls(&pair, "asleep 1 ms"), jobs_start(&pair, "", SMALL, sleep)),
    };
    subjects[1].target.ratio = subjects[2].target.ratio = MOST_BY_ALONE;
    emit_all(subjects, sizeof subjects / sizeof *subjects, &plan);
    pair_stop(&pair);
}

void measure_mixed(const struct effort *effort) {
    measure_guest("c", effort);
    measure_guest("go", effort);
}
