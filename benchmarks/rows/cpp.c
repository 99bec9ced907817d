/* The same calls in C and in C++, in the same regions, against one word on one line. */
#include "rows.h"

#include "calls/copying.h"
#include "calls/cpp.h"
#include "limits/lines.h"

enum { CAPACITY = 65536 };

struct regions {
    struct cpp_pair *c, *go;
};

static size_t add_pair(struct cpp_pair *pair, struct subject *subjects) {
    const struct pair *in_c = cpp_pair_in_c(pair);
    size_t n = 0;
    subjects[n++] = copying_start(in_c, "cpp", SMALL);
    subjects[n++] = cpp_start(pair, "cpp", SMALL);
    subjects[n++] = copying_start_held(in_c, "cpp", SMALL);
    subjects[n++] = cpp_start_held(pair, "cpp", SMALL);
    subjects[n++] = copying_start(in_c, "cpp", 4096);
    subjects[n++] = cpp_start(pair, "cpp", 4096);
    return n;
}

static size_t set_up(void *regions, struct subject *subjects) {
    struct regions *r = regions;
    r->c = cpp_pair_start((struct pair_config){.guest = "c", .capacity = CAPACITY});
    r->go = cpp_pair_start((struct pair_config){.guest = "go", .capacity = CAPACITY});
    size_t n = 0;
    subjects[n++] = lines_start(1);
    n += add_pair(r->c, subjects + n);
    n += add_pair(r->go, subjects + n);
    return n;
}

static void take_down(void *regions) {
    const struct regions *r = regions;
    cpp_pair_stop(r->c);
    cpp_pair_stop(r->go);
}

void measure_cpp(const struct effort *effort) {
    struct plan plan = short_blocks(effort);
    struct regions regions;
    emit_scenes(&(struct scene){set_up, take_down, &regions}, &plan);
}
