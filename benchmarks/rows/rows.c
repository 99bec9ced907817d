#include "rows.h"

#include "support/clock.h"
#include "support/wanted.h"

unsigned rounds_of(const struct effort *effort, unsigned quick, unsigned thorough) {
    unsigned rounds = effort->quick ? quick : thorough;
    return effort->rounds && effort->rounds < rounds ? effort->rounds : rounds;
}

struct plan short_blocks(const struct effort *effort) {
    return (struct plan){.rounds = rounds_of(effort, 30, 96),
                         .most_ns = (effort->quick ? 6 : 40) * SECOND,
                         .awake = true,
                         .warm_up_ns = 10 * MILLISECOND,
                         .loop_ns = 3 * MILLISECOND,
                         .times_ns = MILLISECOND};
}

typedef struct comparison (*comparing)(const struct record *record);

static void emit_records(const struct subject *subjects, const struct record *records, size_t count,
                         comparing compare_one) {
    for (size_t i = 0; i < count; i++) {
        struct row row = row_of(&subjects[i], &records[i], compare_one(&records[i]));
        emit(&row);
    }
}

static void stop_all(struct subject *subjects, size_t count) {
    for (size_t i = 0; i < count; i++)
        subjects[i].stop(subjects[i].self);
}

static void emit_compared(struct subject *subjects, size_t all, const struct plan *plan,
                          comparing compare_one) {
    size_t count = keep_wanted(subjects, all);
    if (count == 0)
        return;
    struct record *records = alternate(subjects, count, plan);
    emit_records(subjects, records, count, compare_one);
    free_records(records, count);
    stop_all(subjects, count);
}

void emit_all(struct subject *subjects, size_t count, const struct plan *plan) {
    emit_compared(subjects, count, plan, compare);
}

void emit_speeds(struct subject *subjects, size_t count, const struct plan *plan) {
    emit_compared(subjects, count, plan, compare_speed);
}

void emit_scenes(const struct scene *scene, const struct plan *plan) {
    enum { ROUNDS_A_SCENE = 6 };
    unsigned scenes = (plan->rounds + ROUNDS_A_SCENE - 1) / ROUNDS_A_SCENE;
    struct plan part = *plan;
    struct subject subjects[SUBJECTS_MOST];
    struct record *records = NULL;
    size_t count = 0;
    part.rounds = plan->rounds / scenes;
    part.most_ns = plan->most_ns / scenes;
    for (unsigned i = 0; i < scenes; i++) {
        count = keep_wanted(subjects, scene->set_up(scene->self, subjects));
        if (count > 0) {
            records = records ? records : new_records(count, plan);
            add_rounds(records, subjects, count, &part);
            stop_all(subjects, count);
        }
        if (scene->take_down)
            scene->take_down(scene->self);
        if (count == 0)
            return;
    }
    finish_records(records, count);
    emit_records(subjects, records, count, compare);
    free_records(records, count);
}
