/* The library, which learns when to look for the other side's word and has it fetched by then,
   against a build of both sides that does neither. One call at a time. */
#include "rows.h"

#include "calls/loaded.h"

enum { TWO_LINES = 96, BUFFER = 1024 };
#define MOST_BY_UNLEARNED 1.02 /* within chance of no loss */

/* Programs' names. */
struct guests {
    const char *language, *learning, *unlearned;
};

static const struct guests languages[] = {{"c", "bench_guest_c", "bench_guest_unlearned"},
                                          {"go", "bench_guest", "bench_guest_go_unlearned"}};

struct builds {
    const struct guests *guests;
    struct loaded *learning, *unlearned;
    size_t bytes;
};

static size_t set_up(void *builds, struct subject *subjects) {
    struct builds *b = builds;
    b->unlearned = loaded_start("bench_unlearned.so", b->guests->unlearned);
    b->learning = loaded_start("bench_learning.so", b->guests->learning);
    subjects[0] = loaded_calls(b->unlearned, "limit_unlearned", b->guests->language, b->bytes);
    subjects[1] = loaded_calls(b->learning, "learning", b->guests->language, b->bytes);
    subjects[1].target.ratio = MOST_BY_UNLEARNED;
    return 2;
}

static void take_down(void *builds) {
    struct builds *b = builds;
    loaded_stop(b->unlearned);
    loaded_stop(b->learning);
}

static void measure_size(size_t bytes, const struct effort *effort) {
    struct plan plan = short_blocks(effort);
    for (size_t i = 0; i < sizeof languages / sizeof *languages; i++) {
        struct builds builds = {.guests = &languages[i], .bytes = bytes};
        emit_scenes(&(struct scene){set_up, take_down, &builds}, &plan);
    }
}

void measure_learning(const struct effort *effort) {
    measure_size(SMALL, effort);
    if (!effort->quick) {
        measure_size(TWO_LINES, effort);
        measure_size(BUFFER, effort);
    }
}
