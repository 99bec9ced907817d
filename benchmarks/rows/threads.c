/* Threads that call at the same time, all together against one thread alone. */
#include "rows.h"

#include "calls/threads.h"
#include "support/clock.h"
#include "support/wanted.h"

enum { SUBJECTS = 8 };

static void emit_threads(struct subject *subjects, size_t count, const struct record *records,
                         const struct record *progress) {
    for (size_t i = 0; i < count; i++) {
        struct row row = row_of(&subjects[i], &progress[i], compare_speed(&records[i]));
        row.calls_per_s = (double)SECOND / call_ns(&records[i]);
        row.cpu_s = records[i].cpu_s;
        emit(&row);
    }
}

/* Lack of progress is looked for in a long block: in short ones none could be seen. */
static void measure_subjects(struct subject *subjects, size_t all, const struct effort *effort) {
    size_t count = keep_wanted(subjects, all);
    if (count == 0)
        return;
    const struct plan speed = {.rounds = rounds_of(effort, 9, 15), .loop_ns = 40 * MILLISECOND};
    const struct plan steady = {
        .rounds = 1, .times_ns = (effort->quick ? 500 : 1500) * MILLISECOND, .limit_once = true};
    struct record *records = alternate(subjects, count, &speed);
    struct record *progress = alternate(subjects, count, &steady);
    emit_threads(subjects, count, records, progress);
    free_records(records, count);
    free_records(progress, count);
    for (size_t i = 0; i < count; i++)
        subjects[i].stop(subjects[i].self);
}

static void measure_guest(const char *guest, uint32_t slots, const char *variant,
                          const struct effort *effort) {
    static const unsigned quick[] = {1, 8, 64};
    static const unsigned all[] = {1, 2, 8, 16, 64};
    const unsigned *threads = effort->quick ? quick : all;
    size_t count = effort->quick ? sizeof quick / sizeof *quick : sizeof all / sizeof *all;
    struct subject subjects[SUBJECTS];
    struct pair pair = pair_start((struct pair_config){.guest = guest, .slots = slots});
    for (size_t i = 0; i < count; i++) {
        subjects[i] = threads_start(&pair, SMALL, threads[i]);
        subjects[i].label.variant = variant;
    }
    measure_subjects(subjects, count, effort);
    pair_stop(&pair);
}

void measure_threads(const struct effort *effort) {
    measure_guest("c", 64, "64 slots", effort);
    measure_guest("go", 64, "64 slots", effort);
    if (!effort->quick) {
        measure_guest("c", 4, "4 slots", effort);
        measure_guest("go", 4, "4 slots", effort);
    }
}
