#include "blocks.h"

#include "awake.h"
#include "child.h"
#include "clock.h"
#include "placement.h"
#include "statistics.h"
#include "switches.h"

#include <stdlib.h>

enum { TIMES_MOST = 1000000, CHUNKS = 10, WARM_UP_NS = 300000 };

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (!memory)
        die("memory");
    return memory;
}

/* ---- One block ------------------------------------------------------------------------------- */

/* Round trips for about this long, the clock read a few times; how long one took. */
static double run_for(const struct subject *s, uint64_t ns) {
    uint64_t begin = now_ns(), now, calls = 0, chunk = s->unit;
    do {
        s->run(s->self, chunk);
        calls += chunk;
        now = now_ns();
        double per_call = (double)(now - begin) / (double)calls;
        chunk = (uint64_t)((double)ns / CHUNKS / per_call) / s->unit * s->unit;
        chunk = chunk ? chunk : s->unit;
    } while (now - begin < ns);
    return (double)(now - begin) / (double)calls;
}

/* Round trips for a moment; whether both sides ran at the same time, so that none had to sleep, or
   to yield the processor they share. */
static bool run_together(const struct subject *s) {
    long before = switches();
    double per_call = run_for(s, WARM_UP_NS);
    return (double)(switches() - before) * per_call * s->unit < WARM_UP_NS / 4.0;
}

void come_together(const struct subject *s, uint64_t ns) {
    uint64_t end = now_ns() + ns;
    bool together = run_together(s);
    let_sleep();
    while (s->spins && !together && now_ns() < end) {
        change_processor();
        together = run_together(s);
    }
}

static void run_in(const struct subject *s, uint64_t begin) {
    uint64_t passed = now_ns() - begin;
    if (passed < s->run_in_ns)
        (void)run_for(s, s->run_in_ns - passed);
}

static void warm_up(const struct subject *s, uint64_t ns) {
    uint64_t begin = now_ns();
    if (s->run && ns > 0) {
        come_together(s, ns);
        run_in(s, begin);
    } else if (ns > 0) {
        (void)s->block(s->self, ns);
        let_sleep();
    }
    if (s->settle)
        s->settle(s->self);
}

/* From the end of one call to the end of the next there are the call and one read of the clock. */
static size_t time_each(const struct subject *s, uint64_t ns, uint32_t *times, size_t most) {
    uint64_t cost = clock_cost(), last = now_ns(), end = last + ns;
    size_t count = 0;
    while (count < most && last < end) {
        s->run(s->self, s->unit);
        uint64_t now = now_ns(), took = now - last;
        times[count++] = (uint32_t)(took > cost ? (took - cost) / s->unit : 0);
        last = now;
    }
    return count;
}

/* Keeps at most `quota` of a block's sorted times, spread evenly, the longest among them. */
static void keep_times(struct record *r, const uint32_t *times, size_t count, size_t quota) {
    size_t stride = count / quota + 1;
    size_t left = count;
    while (left > 0 && r->times_count < TIMES_MOST) {
        r->times[r->times_count++] = times[left - 1];
        left -= left < stride ? left : stride;
    }
}

/* Returns the time that `share` of the round trips did not exceed. */
static double run_times(const struct subject *s, const struct plan *plan, struct record *r) {
    static uint32_t times[TIMES_MOST];
    size_t count = s->times ? s->times(s->self, plan->times_ns, times, TIMES_MOST)
                            : time_each(s, plan->times_ns, times, TIMES_MOST);
    sort_times(times, count);
    keep_times(r, times, count, r->quota);
    return percentile(times, count, plan->share);
}

static double run_loop(const struct subject *s, uint64_t ns) {
    return s->block ? s->block(s->self, ns) : run_for(s, ns);
}

/* Returns the nanoseconds of a call. */
static double run_block(const struct subject *s, const struct plan *plan, struct record *r) {
    uint64_t cpu = cpu_ns();
    double ns = 0, time = 0;
    if (s->begin)
        s->begin(s->self);
    warm_up(s, plan->warm_up_ns);
    if (plan->loop_ns > 0)
        ns = run_loop(s, plan->loop_ns);
    if (plan->times_ns > 0)
        time = run_times(s, plan, r);
    keep_awake();
    if (s->end)
        s->end(s->self);
    r->cpu_s += (double)(cpu_ns() - cpu) / (double)SECOND;
    return plan->loop_ns > 0 ? ns : time;
}

/* ---- Rounds ---------------------------------------------------------------------------------- */

static void keep(struct record *r, double ns, double before, double after) {
    static const double change = 1.2;
    r->samples[r->rounds++] = (struct sample){
        .ns = ns,
        .limit_ns = (before + after) / 2,
        .steady = before < change * after && after < change * before,
    };
}

/* Each round begins with another subject, so that none has the same one before it all the time. */
static size_t subject_at(size_t place, size_t count, unsigned round) {
    return 1 + (place + round) % (count - 1);
}

static void run_round(const struct subject *subjects, size_t count, const struct plan *plan,
                      struct record *records, unsigned round) {
    double before = run_block(&subjects[0], plan, &records[0]), after;
    for (size_t place = 0; place + 1 < count; place++) {
        size_t i = subject_at(place, count, round);
        double ns = run_block(&subjects[i], plan, &records[i]);
        after = plan->limit_once ? before : run_block(&subjects[0], plan, &records[0]);
        keep(&records[i], ns, before, after);
        if (place == 0)
            keep(&records[0], before, after, after);
        before = after;
    }
}

static void run_rounds(const struct subject *subjects, size_t count, const struct plan *plan,
                       struct record *records) {
    uint64_t end = plan->most_ns ? now_ns() + plan->most_ns : UINT64_MAX;
    for (unsigned round = 0; round < plan->rounds && (round == 0 || now_ns() < end); round++)
        run_round(subjects, count, plan, records, round);
}

struct record *new_records(size_t count, const struct plan *plan) {
    struct record *records = allocate(count, sizeof *records);
    for (size_t i = 0; i < count; i++) {
        records[i].samples = allocate(plan->rounds, sizeof *records[i].samples);
        records[i].times = allocate(TIMES_MOST, sizeof *records[i].times);
        records[i].quota = TIMES_MOST / plan->rounds / (i == 0 ? count : 1) + 1;
        records[i].looped = plan->loop_ns > 0;
    }
    return records;
}

void add_rounds(struct record *records, const struct subject *subjects, size_t count,
                const struct plan *plan) {
    if (plan->awake)
        awake_start();
    run_rounds(subjects, count, plan, records);
    if (plan->awake)
        awake_stop();
}

void finish_records(struct record *records, size_t count) {
    for (size_t i = 0; i < count; i++)
        sort_times(records[i].times, records[i].times_count);
}

struct record *alternate(const struct subject *subjects, size_t count, const struct plan *plan) {
    struct record *records = new_records(count, plan);
    add_rounds(records, subjects, count, plan);
    finish_records(records, count);
    return records;
}

void free_records(struct record *records, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(records[i].samples);
        free(records[i].times);
    }
    free(records);
}

/* ---- What they show -------------------------------------------------------------------------- */

double time_of(const struct record *record, double share) {
    return percentile(record->times, record->times_count, share);
}

static double sample_ns(const struct sample *s) {
    return s->ns;
}

static double sample_limit(const struct sample *s) {
    return s->limit_ns;
}

static double sample_ratio(const struct sample *s) {
    return s->ns / s->limit_ns;
}

static double sample_speed(const struct sample *s) {
    return s->limit_ns / s->ns;
}

static bool is_mostly_unsteady(const struct record *r) {
    enum { FEW = 5 };
    size_t steady = 0;
    for (size_t i = 0; i < r->rounds; i++)
        steady += r->samples[i].steady;
    return steady < FEW;
}

/* The values of the samples that count: returns how many. */
static size_t collect(const struct record *r, double (*value)(const struct sample *),
                      double *values) {
    bool all = is_mostly_unsteady(r);
    size_t count = 0;
    for (size_t i = 0; i < r->rounds; i++) {
        if (all || r->samples[i].steady)
            values[count++] = value(&r->samples[i]);
    }
    return count;
}

static double median_of(const struct record *r, double (*value)(const struct sample *),
                        double *spread) {
    double *values = allocate(r->rounds, sizeof *values);
    size_t count = collect(r, value, values);
    double middle = median(values, count);
    if (spread)
        *spread = interquartile_range(values, count);
    free(values);
    return middle;
}

double call_ns(const struct record *record) {
    return record->looped ? median_of(record, sample_ns, NULL) : time_of(record, 0.5);
}

static struct comparison compare_by(const struct record *record,
                                    double (*value)(const struct sample *)) {
    struct comparison c = {.limit_ns = median_of(record, sample_limit, NULL)};
    c.ratio = median_of(record, value, &c.spread);
    return c;
}

struct comparison compare(const struct record *record) {
    return compare_by(record, sample_ratio);
}

struct comparison compare_speed(const struct record *record) {
    struct comparison c = compare_by(record, sample_speed);
    c.is_speed = true;
    return c;
}
