/* One call at a time, by size, against one word on one line; and how many system calls that makes.
 */
#include "rows.h"

#include "calls/copying.h"
#include "limits/lines.h"
#include "support/statistics.h"
#include "support/wanted.h"

static const size_t quick_sizes[] = {8, 48, 64, 1024};
static const size_t all_sizes[] = {0, 8, 32, 48, 49, 64, 112, 256, 1024, 4096, 16384, 65536};

enum { SIZES = sizeof all_sizes / sizeof *all_sizes, LINES = 64, CAPACITY = 65536 };

/* What a message beyond the word's own line costs: 64 bytes are one more line. */
static struct subject more_lines(size_t bytes) {
    struct subject s = lines_start((unsigned)(1 + (bytes + LINES - 1) / LINES));
    s.label.name = "limit_lines";
    s.label.bytes = bytes;
    return s;
}

/* Without the run-in: soon after the guest has slept. In C, which needs none, for comparison. */
static struct subject after_a_rest(const struct pair *pair) {
    struct subject s = copying_start(pair, "rtt", SMALL);
    s.label.variant = "after a rest";
    s.run_in_ns = 0;
    return s;
}

struct regions {
    struct pairs pairs;
    const struct effort *effort;
};

_Static_assert(1 + 3 * SIZES + 4 <= SUBJECTS_MOST, "there is room for the subjects of all sizes");

static void start_pairs(struct regions *r) {
    r->pairs = pairs_start((struct pair_config){.capacity = CAPACITY});
}

static void stop_pairs(void *regions) {
    struct regions *r = regions;
    pairs_stop(&r->pairs);
}

static size_t set_up(void *regions, struct subject *subjects) {
    struct regions *r = regions;
    bool quick = r->effort->quick;
    const size_t *sizes = quick ? quick_sizes : all_sizes;
    size_t count = quick ? sizeof quick_sizes / sizeof *quick_sizes : SIZES, n = 0;
    start_pairs(r);
    subjects[n++] = lines_start(1);
    for (size_t i = 0; i < count; i++) {
        subjects[n++] = copying_start(&r->pairs.c, "rtt", sizes[i]);
        subjects[n++] = copying_start(&r->pairs.go, "rtt", sizes[i]);
        if (sizes[i] > SMALL)
            subjects[n++] = more_lines(sizes[i]);
    }
    subjects[n++] = copying_start_held(&r->pairs.c, "rtt", SMALL);
    subjects[n++] = copying_start_held(&r->pairs.go, "rtt", SMALL);
    subjects[n++] = after_a_rest(&r->pairs.c);
    subjects[n++] = after_a_rest(&r->pairs.go);
    return n;
}

/* The ratio is the number of system calls of both sides, to sleep and to wake, in the median of the
   blocks: in the others the system had taken a processor away. */
static void count_system_calls(const struct pair *pair, const struct effort *effort) {
    enum { BLOCKS = 25, CALLS = 5000 };
    struct subject s = copying_start(pair, "system_calls", SMALL);
    double calls[BLOCKS];
    unsigned blocks = is_label_wanted(&s.label) ? rounds_of(effort, BLOCKS, BLOCKS) : 0;
    for (unsigned i = 0; i < blocks; i++) {
        s.run(s.self, CALLS / 10);
        uint64_t before = pair_system_calls(pair);
        s.run(s.self, CALLS);
        calls[i] = (double)(pair_system_calls(pair) - before);
    }
    struct row row = {.label = s.label,
                      .ratio = median(calls, blocks),
                      .spread = interquartile_range(calls, blocks)};
    if (blocks > 0)
        emit(&row);
    s.stop(s.self);
}

void measure_rtt(const struct effort *effort) {
    struct plan plan = short_blocks(effort);
    struct regions regions = {.effort = effort};
    emit_scenes(&(struct scene){set_up, stop_pairs, &regions}, &plan);
    start_pairs(&regions);
    count_system_calls(&regions.pairs.c, effort);
    count_system_calls(&regions.pairs.go, effort);
    stop_pairs(&regions);
}
