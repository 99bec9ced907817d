#include "blocks.h"

#include "child.h"
#include "clock.h"
#include "statistics.h"

#include <stdlib.h>
#include <string.h>

enum { TIMES_MOST = 2000000, CHUNKS = 10, WARM_UP_NS = 300000 };

/* Round trips for about this long, the clock read a few times; how long one took. */
static double run_for(const struct subject *s, uint64_t ns) {
    uint64_t begin = now_ns(), now = begin, calls = 0, chunk = s->unit;
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

/*
 * A process that was woken begins on the processor of its waker, often; until the system has moved
 * it, two that spin wait for each other's time slices. So a block begins when calls are about as
 * fast as they have been, or after the time that the plan allows for that.
 */
static void warm_up(const struct subject *s, uint64_t ns, double *fastest) {
    enum { FAR = 8 }; /* times slower than near: more than any distance between processors costs */
    uint64_t end = now_ns() + ns;
    double per_call;
    if (!s->run)
        return;
    do {
        per_call = run_for(s, WARM_UP_NS);
        *fastest = *fastest > 0 && *fastest < per_call ? *fastest : per_call;
    } while (per_call > FAR * *fastest && now_ns() < end);
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

static double run_loop(const struct subject *s, uint64_t ns) {
    return s->block ? s->block(s->self, ns) : run_for(s, ns);
}

/* The times are appended. Returns that which `share` of them do not exceed. */
static double run_times(const struct subject *s, const struct plan *plan, struct record *r) {
    uint32_t *times = r->times + r->times_count;
    size_t most = TIMES_MOST - r->times_count;
    size_t count = s->times ? s->times(s->self, plan->times_ns, times, most)
                            : time_each(s, plan->times_ns, times, most);
    sort_times(times, count);
    r->times_count += count;
    return percentile(times, count, plan->share);
}

static void run_block(const struct subject *s, const struct plan *plan, struct record *r) {
    uint64_t cpu = cpu_ns();
    double *ns = &r->ns[r->rounds++];
    if (s->begin)
        s->begin(s->self);
    if (plan->warm_up_ns > 0)
        warm_up(s, plan->warm_up_ns, &r->fastest_ns);
    if (plan->loop_ns > 0)
        *ns = run_loop(s, plan->loop_ns);
    if (plan->times_ns > 0) {
        double time = run_times(s, plan, r);
        *ns = plan->loop_ns > 0 ? *ns : time;
    }
    if (s->end)
        s->end(s->self);
    r->cpu_s += (double)(cpu_ns() - cpu) / (double)SECOND;
}

static void *allocate(size_t count, size_t size) {
    void *memory = calloc(count, size);
    if (!memory)
        die("memory");
    return memory;
}

struct record *alternate(const struct subject *subjects, size_t count, const struct plan *plan) {
    struct record *records = allocate(count, sizeof *records);
    for (size_t i = 0; i < count; i++) {
        records[i].ns = allocate(plan->rounds, sizeof *records[i].ns);
        records[i].times = allocate(TIMES_MOST, sizeof *records[i].times);
    }
    for (unsigned round = 0; round < plan->rounds; round++) {
        for (size_t i = 0; i < count; i++)
            run_block(&subjects[i], plan, &records[i]);
    }
    for (size_t i = 0; i < count; i++)
        sort_times(records[i].times, records[i].times_count);
    return records;
}

void free_records(struct record *records, size_t count) {
    for (size_t i = 0; i < count; i++) {
        free(records[i].ns);
        free(records[i].times);
    }
    free(records);
}

double time_of(const struct record *record, double share) {
    return percentile(record->times, record->times_count, share);
}

double median_ns(const struct record *record) {
    double *sorted = allocate(record->rounds, sizeof *sorted);
    memcpy(sorted, record->ns, record->rounds * sizeof *sorted);
    double result = median(sorted, record->rounds);
    free(sorted);
    return result;
}

/* By round, `upper` by `lower`. */
static struct comparison divide(const struct record *upper, const struct record *lower,
                                const struct record *limit) {
    double *ratios = allocate(limit->rounds, sizeof *ratios);
    for (size_t i = 0; i < limit->rounds; i++)
        ratios[i] = upper->ns[i] / lower->ns[i];
    struct comparison c = {.limit_ns = median_ns(limit),
                           .ratio = median(ratios, limit->rounds),
                           .spread = interquartile_range(ratios, limit->rounds)};
    free(ratios);
    return c;
}

struct comparison compare(const struct record *subject, const struct record *limit) {
    return divide(subject, limit, limit);
}

struct comparison compare_speed(const struct record *subject, const struct record *limit) {
    return divide(limit, subject, limit);
}
