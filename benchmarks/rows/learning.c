/* The library, which learns when to look for the other side's word and has it fetched by then,
   against a build of it that does neither. One call at a time. */
#include "rows.h"

#include "calls/loaded.h"

enum { TWO_LINES = 96, BUFFER = 1024 };

struct builds {
    struct loaded *learning, *unlearned;
    size_t bytes;
};

static size_t set_up(void *builds, struct subject *subjects) {
    struct builds *b = builds;
    b->unlearned = loaded_start("bench_unlearned.so", "bench_guest_unlearned");
    b->learning = loaded_start("bench_learning.so", "bench_guest_c");
    subjects[0] = loaded_calls(b->unlearned, "limit_unlearned", b->bytes);
    subjects[1] = loaded_calls(b->learning, "learning", b->bytes);
    return 2;
}

static void take_down(void *builds) {
    struct builds *b = builds;
    loaded_stop(b->unlearned);
    loaded_stop(b->learning);
}

static void measure_size(size_t bytes, const struct effort *effort) {
    struct plan plan = short_blocks(effort);
    struct builds builds = {.bytes = bytes};
    emit_scenes(&(struct scene){set_up, take_down, &builds}, &plan);
}

void measure_learning(const struct effort *effort) {
    measure_size(SMALL, effort);
    if (!effort->quick) {
        measure_size(TWO_LINES, effort);
        measure_size(BUFFER, effort);
    }
}
