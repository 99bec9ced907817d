/*
 * How calls scale from 2 to 64 processors, which this machine does not have: the library runs on
 * virtual ones. Each cell runs in a child, since it begins with a fresh library.
 *
 *     experiment_scaling measure           the costs of this machine
 *     experiment_scaling [SETTING...]      all cells; a SETTING is name=number: a cost (costs.h),
 *                                          or handler (us), processors or callers of the only cells
 */
#define _GNU_SOURCE
#include "bounds.h"
#include "load.h"
#include "measure.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const double handlers_us[] = {0, 1, 10, 100};
static const uint32_t processor_counts[] = {2, 4, 8, 16, 32, 64};
static const uint32_t caller_counts[] = {1, 2, 4, 8, 16, 32, 64};

#define COUNT(array) (sizeof(array) / sizeof *(array))

enum { WARM_UP_MS = 20, MEASURED_MS = 40 };

struct choice {
    double handler_us; /* below 0: all */
    uint32_t processors, callers;
};

static struct outcome run_in_child(const struct load *load, const struct costs *costs) {
    int ends[2];
    struct outcome outcome;
    (void)fflush(stdout);
    if (pipe(ends) != 0) {
        perror("pipe");
        exit(1);
    }
    pid_t child = fork();
    if (child == 0) {
        outcome = load_run(load, costs);
        _exit(write(ends[1], &outcome, sizeof outcome) == sizeof outcome ? 0 : 1);
    }
    (void)close(ends[1]);
    bool whole = read(ends[0], &outcome, sizeof outcome) == sizeof outcome;
    (void)close(ends[0]);
    (void)waitpid(child, NULL, 0);
    if (!whole) {
        fprintf(stderr, "scaling: no outcome for %u callers on %u processors\n", load->callers,
                load->processors);
        exit(1);
    }
    return outcome;
}

static void run_cell(const struct load *load, const struct costs *costs) {
    const struct outcome o = run_in_child(load, costs);
    const double machine = bound_of_machine(load, costs), worker = bound_of_worker(load, costs);
    printf("%g %u %u %.0f %.0f %.3f %.0f %.3f %.2f %.2f %.2f %.2f\n", load->handler_ns / 1000,
           load->processors, load->callers, o.calls_per_s, machine, o.calls_per_s / machine, worker,
           o.calls_per_s / worker, o.idle, o.sleeps, o.wakes, o.fewest);
}

static bool is_chosen(const struct choice *choice, const struct load *load) {
    return (choice->handler_us < 0 || choice->handler_us * 1000 == load->handler_ns) &&
           (choice->processors == 0 || choice->processors == load->processors) &&
           (choice->callers == 0 || choice->callers == load->callers);
}

static void run_cells(const struct choice *choice, const struct costs *costs) {
    struct load load = {.warm_up_ms = WARM_UP_MS, .measured_ms = MEASURED_MS};
    printf("# handler_us processors callers calls_per_s machine ratio worker ratio idle sleeps "
           "wakes fewest\n");
    for (size_t h = 0; h < COUNT(handlers_us); h++) {
        load.handler_ns = handlers_us[h] * 1000;
        for (size_t p = 0; p < COUNT(processor_counts); p++) {
            load.processors = processor_counts[p];
            for (size_t c = 0; c < COUNT(caller_counts); c++) {
                load.callers = caller_counts[c];
                if (is_chosen(choice, &load))
                    run_cell(&load, costs);
            }
        }
    }
}

static bool choose(struct choice *choice, const char *setting) {
    char name[16];
    double value;
    if (sscanf(setting, "%15[a-z]=%lf", name, &value) != 2 || value < 0)
        return false;
    if (strcmp(name, "handler") == 0)
        choice->handler_us = value;
    else if (strcmp(name, "processors") == 0)
        choice->processors = (uint32_t)value;
    else if (strcmp(name, "callers") == 0)
        choice->callers = (uint32_t)value;
    else
        return false;
    return true;
}

int main(int count, char **arguments) {
    struct costs costs = costs_measured();
    struct choice choice = {.handler_us = -1};
    if (count == 2 && strcmp(arguments[1], "measure") == 0) {
        measure_costs();
        return 0;
    }
    for (int i = 1; i < count; i++) {
        if (!choose(&choice, arguments[i]) && !costs_set(&costs, arguments[i])) {
            fprintf(stderr, "scaling: %s is no setting\n", arguments[i]);
            return 1;
        }
    }
    printf("# ");
    costs_print(&costs);
    run_cells(&choice, &costs);
    return 0;
}
