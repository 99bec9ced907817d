/*
 * Messages of 1 MiB: copied, as a share of the bandwidth of the same copies by memcpy; and in place
 * and untouched, against a call of 64 bytes.
 */
#include "rows.h"

#include "calls/copying.h"
#include "calls/in_place.h"
#include "limits/copies.h"
#include "support/clock.h"

enum { MIB = 1 << 20, LINE = 64 };

/* A plan of blocks that hold some calls of a millisecond. */
static struct plan long_blocks(const struct effort *effort) {
    return (struct plan){.rounds = rounds_of(effort, 9, 101),
                         .awake = true,
                         .warm_up_ns = 10 * MILLISECOND,
                         .loop_ns = 10 * MILLISECOND,
                         .times_ns = 5 * MILLISECOND};
}

static void measure_copies(const struct pairs *p, struct subject limit, const char *variant,
                           const struct effort *effort) {
    struct plan plan = long_blocks(effort);
    struct subject subjects[] = {limit, copying_start(&p->c, "copy", MIB),
                                 copying_start(&p->go, "copy", MIB)};
    for (int i = 0; i < 3; i++)
        subjects[i].label.variant = variant;
    emit_speeds(subjects, 3, &plan);
}

void measure_copy(const struct effort *effort) {
    struct pairs p = pairs_start((struct pair_config){.capacity = MIB});
    measure_copies(&p, copies_by_two_start(MIB), "memcpy by two processes", effort);
    measure_copies(&p, copies_by_one_start(MIB), "memcpy by one process", effort);
    pairs_stop(&p);
}

static size_t set_up_zero_copy(void *pair, struct subject *subjects) {
    struct pair *p = pair;
    *p = pair_start((struct pair_config){.guest = p->guest, .capacity = MIB});
    subjects[0] = copying_start(p, "zero_copy", LINE);
    subjects[0].label.variant = "a copying call";
    subjects[1] = in_place_start(p, LINE);
    subjects[2] = in_place_start(p, MIB);
    return 3;
}

static void take_down(void *pair) {
    pair_stop(pair);
}

static void measure_zero_copy_of(const char *guest, const struct effort *effort) {
    struct plan plan = short_blocks(effort);
    struct pair pair = {.guest = guest};
    emit_scenes(&(struct scene){set_up_zero_copy, take_down, &pair}, &plan);
}

void measure_zero_copy(const struct effort *effort) {
    measure_zero_copy_of("c", effort);
    measure_zero_copy_of("go", effort);
}
