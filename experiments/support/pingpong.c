#include "pingpong.h"

#include "support/blocks.h"
#include "support/child.h"
#include "support/clock.h"
#include "support/partner.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

enum { PATIENCE = 1000 };

struct pingpong {
    const struct way *way;
    struct shared *shared;
    uint64_t sent;
    struct partner *partner;
};

void be_patient(unsigned *looks) {
    if (++*looks % PATIENCE == 0)
        sched_yield();
}

static void answer_block(void *self) {
    const struct pingpong *p = self;
    p->way->answer(p->shared);
}

static const struct role answering = {"pingpong", answer_block};

static void begin(void *self) {
    struct pingpong *p = self;
    p->sent = 0;
    partner_wake(p->partner);
}

static void run(void *self, uint64_t calls) {
    struct pingpong *p = self;
    p->sent = p->way->call(p->shared, p->sent, calls);
}

static void end(void *self) {
    const struct pingpong *p = self;
    publish(&p->shared->word, STOP);
    (void)await_change(&p->shared->word, STOP);
}

static void stop(void *self) {
    struct pingpong *p = self;
    partner_stop(p->partner);
    free(p);
}

static struct subject start(const struct way *way) {
    struct pingpong *p = calloc(1, sizeof *p);
    if (!p)
        die("memory");
    *p = (struct pingpong){.way = way, .shared = shared_memory(sizeof *p->shared)};
    p->partner = partner_start(&answering, p);
    return (struct subject){.label = {.name = way->name},
                            .self = p,
                            .spins = true,
                            .unit = 1,
                            .begin = begin,
                            .run = run,
                            .end = end,
                            .stop = stop};
}

int compare_ways(const char *question, const struct way *ways, size_t count) {
    const struct plan plan = {
        .rounds = 151, .awake = true, .warm_up_ns = 10 * MILLISECOND, .loop_ns = 3 * MILLISECOND};
    struct subject *subjects = calloc(count, sizeof *subjects);
    if (!subjects)
        die("memory");
    for (size_t i = 0; i < count; i++)
        subjects[i] = start(&ways[i]);
    struct record *records = alternate(subjects, count, &plan);
    printf("%s\n%-52s %8s %8s %8s\n", question, "", "ns", "ratio", "spread");
    for (size_t i = 0; i < count; i++) {
        struct comparison c = compare(&records[i]);
        printf("%-52s %8.1f %8.3f %8.3f\n", ways[i].name, call_ns(&records[i]), c.ratio, c.spread);
        subjects[i].stop(subjects[i].self);
    }
    free_records(records, count);
    free(subjects);
    return 0;
}
