/* Calls from an epoll loop: by the peer's descriptor, without and with a spin before it is armed;
   by a thread that wakes the loop; by a Unix socket instead. Back to back they are compared with
   one word on one line, at a slower pace with two processes that sleep and wake each other. */
#include "rows.h"

#include "alternatives/socket_loop.h"
#include "calls/loop.h"
#include "calls/paced.h"
#include "limits/lines.h"
#include "limits/wakes.h"
#include "support/clock.h"

#include <stdio.h>

/* For each way a region of its own, and in it a guest in C or in Go. */
struct regions {
    struct pairs descriptor, spinning, thread;
};

static struct regions start_regions(unsigned depth) {
    const struct pair_config config = {.slots = depth};
    return (struct regions){pairs_start(config), pairs_start(config), pairs_start(config)};
}

static void stop_regions(struct regions *r) {
    pairs_stop(&r->descriptor);
    pairs_stop(&r->spinning);
    pairs_stop(&r->thread);
}

static size_t start_all(struct subject limit, struct subject *subjects, const struct regions *r,
                        unsigned depth) {
    size_t n = 0;
    subjects[n] = limit;
    subjects[n++].label.variant = "beside loops";
    subjects[n++] = loop_start_descriptor(&r->descriptor.c, SMALL, depth);
    subjects[n++] = loop_start_descriptor(&r->descriptor.go, SMALL, depth);
    subjects[n++] = loop_start_spinning(&r->spinning.c, SMALL, depth);
    subjects[n++] = loop_start_spinning(&r->spinning.go, SMALL, depth);
    subjects[n++] = loop_start_thread(&r->thread.c, SMALL, depth);
    subjects[n++] = loop_start_thread(&r->thread.go, SMALL, depth);
    subjects[n++] = socket_loop_start("c", SMALL, depth);
    subjects[n++] = socket_loop_start("go", SMALL, depth);
    return n;
}

struct scene_of_depth {
    struct regions regions;
    unsigned depth;
};

static size_t set_up(void *scene, struct subject *subjects) {
    struct scene_of_depth *s = scene;
    s->regions = start_regions(s->depth);
    return start_all(lines_start(1), subjects, &s->regions, s->depth);
}

static void take_down(void *scene) {
    struct scene_of_depth *s = scene;
    stop_regions(&s->regions);
}

static void measure_depth(unsigned depth, const struct effort *effort) {
    struct plan plan = short_blocks(effort);
    struct scene_of_depth scene = {.depth = depth};
    emit_scenes(&(struct scene){set_up, take_down, &scene}, &plan);
}

static void measure_pace(const struct effort *effort) {
    static char variants[SUBJECTS_MOST][64]; /* rows are kept */
    struct subject subjects[SUBJECTS_MOST];
    const struct plan plan = {
        .rounds = rounds_of(effort, 9, 51), .times_ns = 30 * MILLISECOND, .share = 0.5};
    struct regions regions = start_regions(1);
    size_t count = start_all(wakes_start(), subjects, &regions, 1);
    for (size_t i = 0; i < count; i++) {
        subjects[i] = paced_start(subjects[i], MILLISECOND);
        (void)snprintf(variants[i], sizeof variants[i], "%s, 1000 calls a second",
                       subjects[i].label.variant);
        subjects[i].label.variant = variants[i];
    }
    emit_all(subjects, count, &plan);
    stop_regions(&regions);
}

void measure_loop(const struct effort *effort) {
    measure_depth(1, effort);
    measure_depth(16, effort);
    measure_pace(effort);
}
