/*
 * Calls whose sides sleep: back to back without spinning, and with long rests between them. The
 * limit is a pair of processes that sleep and wake each other, at the same pace; what one would
 * take instead runs beside them.
 */
#include "rows.h"

#include "calls/copying.h"
#include "calls/paced.h"
#include "limits/wakes.h"
#include "support/clock.h"
#include "system.h"

static size_t start_all(struct subject *subjects, const struct pairs *p) {
    size_t n = 0;
    subjects[n++] = wakes_start();
    n += start_beside_parked(subjects + n);
    subjects[n++] = copying_start(&p->c, "parked", SMALL);
    subjects[n++] = copying_start(&p->go, "parked", SMALL);
    return n;
}

/* The same where the other side is in Go: what its runtime takes to sleep and to wake. It looks
   around for a while after that, beside whatever comes next, so these take turns by themselves. */
static size_t start_all_in_go(struct subject *subjects, const struct pairs *p) {
    size_t n = 0;
    subjects[n++] = wakes_start();
    n += start_beside_parked_in_go(subjects + n);
    subjects[n++] = copying_start(&p->go, "parked", SMALL);
    return n;
}

static void measure_without_spinning(const struct effort *effort) {
    struct subject subjects[SUBJECTS_MOST];
    const struct plan plan = {.rounds = rounds_of(effort, 11, 101),
                              .loop_ns = 10 * MILLISECOND,
                              .times_ns = 5 * MILLISECOND};
    struct pairs p = pairs_start((struct pair_config){.spin_ns = -1});
    size_t count = start_all(subjects, &p);
    for (size_t i = 0; i < count; i++)
        subjects[i].label.variant = "no spinning";
    emit_all(subjects, count, &plan);
    pairs_stop(&p);
}

/* One call of each subject in every period. Where a block is one call they share the period: its
   part of it is a subject's rest. */
static void measure_pace(size_t start(struct subject *, const struct pairs *),
                         const struct pairs *p, const char *variant, uint64_t period_ns,
                         const struct plan *plan) {
    struct subject subjects[SUBJECTS_MOST];
    size_t count = start(subjects, p);
    for (size_t i = 0; i < count; i++) {
        subjects[i] = paced_start(subjects[i], plan->limit_once ? period_ns / count : period_ns);
        subjects[i].label.variant = variant;
    }
    emit_all(subjects, count, plan);
}

void measure_parked(const struct effort *effort) {
    const struct plan seldom = {
        .rounds = rounds_of(effort, 4, 25), .times_ns = 1, .share = 0.5, .limit_once = true};
    const struct plan often = {
        .rounds = rounds_of(effort, 9, 51), .times_ns = 30 * MILLISECOND, .share = 0.5};
    measure_without_spinning(effort);
    struct pairs p = pairs_start((struct pair_config){.guest = NULL});
    measure_pace(start_all, &p, "1 call a second", SECOND, &seldom);
    measure_pace(start_all, &p, "1000 calls a second", SECOND / 1000, &often);
    measure_pace(start_all, &p, "100000 calls a second", SECOND / 100000, &often);
    if (!effort->quick) {
        measure_pace(start_all_in_go, &p, "1 call a second, in Go", SECOND, &seldom);
        measure_pace(start_all_in_go, &p, "1000 calls a second, in Go", SECOND / 1000, &often);
    }
    pairs_stop(&p);
}
