/*
 * Calls whose handlers take their time, as many at once as there are slots and threads that serve:
 * handlers that compute, by as many callers as two processors can do with, and handlers that sleep,
 * by more than that. Against the plain design, whose serving side is in the guest's language; one
 * in Go also against the plain design in C.
 */
#include "rows.h"

#include "calls/threads.h"
#include "limits/plain.h"
#include "support/clock.h"

#include <stdio.h>

struct work {
    const char *name;
    struct job job;
    double target;
};

static const struct work computing[] = {
    {"compute 1 us", {.compute_ns = 1000}, 1.2},
    {"compute 2 us", {.compute_ns = 2000}, 1},
    {"compute 5 us", {.compute_ns = 5000}, 1},
    {"compute 10 us", {.compute_ns = 10000}, 1},
    {"compute 20 us", {.compute_ns = 20000}, 1},
    {"compute 100 us", {.compute_ns = 100000}, 1},
    {NULL, {0}, 0},
};

static const struct work sleeping[] = {
    {"asleep 20 us", {.sleep_ns = 20000}, 1},
    {"asleep 100 us", {.sleep_ns = 100000}, 1},
    {"asleep 1 ms", {.sleep_ns = 1000000}, 0.98},
    {NULL, {0}, 0},
};

/* What measures all jobs of so many callers. */
struct sides {
    struct pairs pairs;
    struct plain *plain_c, *plain_go;
    unsigned callers;
};

static struct sides start_sides(unsigned callers) {
    return (struct sides){
        .pairs = pairs_start((struct pair_config){.slots = callers, .workers = callers}),
        .plain_c = plain_start("c", callers),
        .plain_go = plain_start("go", callers),
        .callers = callers,
    };
}

static void stop_sides(struct sides *s) {
    pairs_stop(&s->pairs);
    plain_stop(s->plain_c);
    plain_stop(s->plain_go);
}

/* For some milliseconds at a time the system keeps a caller and the thread that serves it on one
   processor, and then on two: in a long block there is some of both. */
static struct plan long_blocks(struct job job, const struct effort *effort) {
    return (struct plan){.rounds = rounds_of(effort, 5, 21),
                         .awake = true,
                         .warm_up_ns = 5 * MILLISECOND,
                         .loop_ns = (job.compute_ns ? 60 : 40) * MILLISECOND,
                         .times_ns = 5 * MILLISECOND};
}

static void measure(const struct sides *s, const struct plain *limit, const struct pair *pair,
                    const struct work *work, const char *variant, const struct effort *effort) {
    const struct plan plan = long_blocks(work->job, effort);
    struct subject subjects[] = {
        plain_calls(limit, work->job),
        threads_start_jobs(pair, "parallel", SMALL, s->callers, work->job)};
    subjects[0].label.variant = subjects[1].label.variant = variant;
    subjects[1].target.ratio = work->target;
    emit_speeds(subjects, 2, &plan);
}

static void measure_work(const struct sides *s, const struct work *work,
                         const struct effort *effort) {
    char across[64];
    (void)snprintf(across, sizeof across, "%s, plain in C", work->name);
    measure(s, s->plain_c, &s->pairs.c, work, work->name, effort);
    measure(s, s->plain_go, &s->pairs.go, work, work->name, effort);
    if (work->job.compute_ns)
        measure(s, s->plain_c, &s->pairs.go, work, across, effort);
}

static void measure_works(const struct work *works, unsigned callers, const struct effort *effort) {
    struct sides sides = start_sides(callers);
    for (const struct work *work = works; work->name; work++)
        measure_work(&sides, work, effort);
    stop_sides(&sides);
}

void measure_parallel(const struct effort *effort) {
    job_calibrate();
    measure_works(computing, 2, effort);
    measure_works(computing, 4, effort);
    measure_works(sleeping, 8, effort);
    measure_works(sleeping, 32, effort);
}
