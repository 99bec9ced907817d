#include "load.h"

#include <stdio.h>
#include <stdlib.h>

int main(int count, char **arguments) {
    struct costs costs = costs_measured();
    struct load load = {.processors = (uint32_t)atoi(arguments[1]),
                        .callers = (uint32_t)atoi(arguments[2]),
                        .handler_ns = atof(arguments[3]) * 1000,
                        .warm_up_ms = atof(arguments[4]),
                        .measured_ms = atof(arguments[5])};
    for (int i = 6; i < count; i++)
        if (!costs_set(&costs, arguments[i]))
            return 1;
    struct outcome o = load_run(&load, &costs);
    printf("p %u c %u h %g: %.0f calls/s idle %.2f\n", load.processors, load.callers, load.handler_ns, o.calls_per_s, o.idle);
    return 0;
}
