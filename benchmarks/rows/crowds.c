#include "crowds.h"

#include "calls/threads.h"
#include "support/clock.h"
#include "support/wanted.h"

static void emit_records(struct subject *subjects, size_t count, const struct record *records,
                         const struct record *progress) {
    for (size_t i = 0; i < count; i++) {
        struct row row = row_of(&subjects[i], &progress[i], compare_speed(&records[i]));
        row.calls_per_s = (double)SECOND / call_ns(&records[i]);
        row.cpu_s = records[i].cpu_s;
        emit(&row);
        subjects[i].stop(subjects[i].self);
    }
}

/* A block is several times as long as it takes until all have had their turn: the threads begin it
   asleep, and end it one after the other. Lack of progress is looked for in a longer one still. */
void emit_crowds(struct subject *subjects, size_t count, const struct effort *effort) {
    const struct plan speed = {.rounds = rounds_of(effort, 9, 15), .loop_ns = 120 * MILLISECOND};
    const struct plan steady = {
        .rounds = 1, .times_ns = (effort->quick ? 500 : 1500) * MILLISECOND, .limit_once = true};
    const size_t wanted = keep_wanted(subjects, count);
    if (wanted == 0)
        return;
    struct record *records = alternate(subjects, wanted, &speed);
    struct record *progress = alternate(subjects, wanted, &steady);
    emit_records(subjects, wanted, records, progress);
    free_records(records, wanted);
    free_records(progress, wanted);
}

void measure_crowds(const struct pair *pair, const char *name, const char *variant,
                    const unsigned *threads, size_t count, struct target target,
                    const struct effort *effort) {
    struct subject subjects[CROWDS_MOST];
    for (size_t i = 0; i < count; i++) {
        subjects[i] = threads_start(pair, name, SMALL, threads[i]);
        subjects[i].label.variant = variant;
        if (i > 0)
            subjects[i].target = target;
    }
    emit_crowds(subjects, count, effort);
}
