#include "costs.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct costs costs_measured(void) {
    return (struct costs){
        .near = 16,
        .far = 68,
        .cluster = 8,
        .overlap = 0.25,
        .look = 0.5,
        .locked = 1.5,
        .pause = 24,
        .delay = 0.28,
        .clock = 23,
        .call = 3,
        .serve = 1,
        .yield = 510,
        .wake_nobody = 340,
        .wake = 800,
        .wake_idle = 6800,
        .wake_up = 12200,
        .sleep = 600,
        .resume = 1800,
        .queue_lock = 100,
        .pass_over = 5.5,
        .slice = 7e5,
        .balance = 4e6,
    };
}

#define COST(name)                                                                                 \
    { #name, offsetof(struct costs, name) }

static const struct {
    const char *name;
    size_t offset;
} names[] = {
    COST(near),        COST(far),       COST(cluster),   COST(overlap), COST(look),   COST(locked),
    COST(pause),       COST(delay),     COST(clock),     COST(call),    COST(serve),  COST(yield),
    COST(wake_nobody), COST(wake),      COST(wake_idle), COST(wake_up), COST(sleep),  COST(resume),
    COST(queue_lock),  COST(pass_over), COST(slice),     COST(balance), COST(usable),
};

enum { NAMES = sizeof names / sizeof *names };

static double *cost_of(struct costs *costs, size_t name) {
    return (double *)(void *)((char *)costs + names[name].offset);
}

bool costs_set(struct costs *costs, const char *setting) {
    const char *value = strchr(setting, '=');
    if (value == NULL)
        return false;
    for (size_t i = 0; i < NAMES; i++) {
        if (strncmp(names[i].name, setting, (size_t)(value - setting)) != 0 ||
            names[i].name[value - setting] != 0)
            continue;
        char *end;
        *cost_of(costs, i) = strtod(value + 1, &end);
        return end != value + 1 && *end == 0 && *cost_of(costs, i) >= 0;
    }
    return false;
}

void costs_print(const struct costs *costs) {
    struct costs copy = *costs;
    for (size_t i = 0; i < NAMES; i++)
        printf("%s%s=%g", i == 0 ? "" : " ", names[i].name, *cost_of(&copy, i));
    printf("\n");
}
