#include "rows.h"

#include "support/clock.h"

unsigned rounds_of(const struct effort *effort, unsigned quick, unsigned thorough) {
    unsigned rounds = effort->quick ? quick : thorough;
    return effort->rounds && effort->rounds < rounds ? effort->rounds : rounds;
}

struct plan short_blocks(const struct effort *effort) {
    return (struct plan){.rounds = rounds_of(effort, 31, 101),
                         .most_ns = (effort->quick ? 6 : 40) * SECOND,
                         .awake = true,
                         .warm_up_ns = 10 * MILLISECOND,
                         .loop_ns = 3 * MILLISECOND,
                         .times_ns = MILLISECOND};
}

void emit_all(struct subject *subjects, size_t count, const struct plan *plan) {
    struct record *records = alternate(subjects, count, plan);
    for (size_t i = 0; i < count; i++) {
        struct row row = row_of(&subjects[i], &records[i], compare(&records[i]));
        emit(&row);
    }
    free_records(records, count);
    for (size_t i = 0; i < count; i++)
        subjects[i].stop(subjects[i].self);
}
