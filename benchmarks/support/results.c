#define _GNU_SOURCE
#include "results.h"

#include "child.h"
#include "clock.h"
#include "machine.h"

#include <float.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 512, LINE = 1024 }; /* a row has about 300 bytes */

static char lines[ROWS][LINE];
static struct row rows[ROWS]; /* of which the labels' texts may be gone */
static size_t count;

struct row row_of(const struct subject *subject, const struct record *record, struct comparison c) {
    return (struct row){
        .label = subject->label,
        .ns_p50 = time_of(record, 0.5),
        .ns_p99 = time_of(record, 0.99),
        .ns_p999 = time_of(record, 0.999),
        .ns_max = time_of(record, 1),
        .calls_per_s = (double)SECOND / call_ns(record),
        .limit_ns = c.limit_ns,
        .ratio = c.ratio,
        .spread = c.spread,
        .cpu_s = record->cpu_s,
        .is_speed = c.is_speed,
        .target = subject->target,
    };
}

/* The key ends where the figures begin. */
static int print_key(char *line, const struct label *l) {
    return snprintf(line, LINE,
                    "{\"name\":\"%s\",\"guest\":\"%s\",\"bytes\":%zu,\"threads\":%u,"
                    "\"in_flight\":%u,\"variant\":\"%s\",",
                    l->name, l->guest, l->bytes, l->threads, l->in_flight, l->variant);
}

/* What could not be measured is no number. */
static int print_number(char *line, const char *name, int digits, double value) {
    if (!(fabs(value) <= DBL_MAX))
        return snprintf(line, LINE / 16, "\"%s\":null", name);
    return snprintf(line, LINE / 16, "\"%s\":%.*f", name, digits, value);
}

static int print_numbers(char *line, const struct row *row) {
    const struct {
        const char *name;
        int digits;
        double value;
    } numbers[] = {
        {"ns_p50", 0, row->ns_p50},
        {"ns_p99", 0, row->ns_p99},
        {"ns_p999", 0, row->ns_p999},
        {"ns_max", 0, row->ns_max},
        {"calls_per_s", 1, row->calls_per_s},
        {"limit_ns", 1, row->limit_ns},
        {"ratio", 3, row->ratio},
        {"spread", 3, row->spread},
        {"cpu_s", 4, row->cpu_s},
    };
    enum { NUMBERS = sizeof numbers / sizeof *numbers };
    const char *begin = line;
    for (int i = 0; i < NUMBERS; i++) {
        line += print_number(line, numbers[i].name, numbers[i].digits, numbers[i].value);
        *line++ = ',';
    }
    return (int)(line - begin);
}

static bool misses_ratio(const struct row *row) {
    double target = row->target.ratio;
    return target > 0 && (row->is_speed ? row->ratio < target : row->ratio > target);
}

static bool misses_longest(const struct row *row) {
    return row->target.longest_ns > 0 && row->ns_max > (double)row->target.longest_ns;
}

/* A row without a target has these fields too, so that all have the same. A figure means little
   without the processor that it is of. */
static void print_rest(char *line, const struct row *row) {
    const struct target *t = &row->target;
    (void)snprintf(line, LINE / 2,
                   "\"better\":\"%s\",\"target\":%.2f,\"longest_target\":%llu,\"missed\":%s,"
                   "\"processor\":\"%s\"}",
                   row->is_speed ? "more" : "less", t->ratio, (unsigned long long)t->longest_ns,
                   misses_ratio(row) || misses_longest(row) ? "true" : "false", processor_model());
}

void emit(const struct row *row) {
    if (count == ROWS)
        die("too many rows");
    rows[count] = *row;
    char *line = lines[count++];
    char *end = line + print_key(line, &row->label);
    end += print_numbers(end, row);
    print_rest(end, row);
    puts(line);
    fflush(stdout);
}

void write_results(const char *path) {
    FILE *file = fopen(path, "w");
    if (!file)
        die(path);
    describe_machine(file);
    for (size_t i = 0; i < count; i++)
        (void)fprintf(file, "%s\n", lines[i]);
    if (fclose(file) != 0)
        die(path);
}

static double field(const char *line, const char *name) {
    const char *at = strstr(line, name);
    return at ? strtod(at + strlen(name), NULL) : NAN;
}

static size_t key_length(const char *line) {
    const char *end = strstr(line, "\"ns_p50\"");
    return end ? (size_t)(end - line) : 0;
}

/* ---- Targets ---- */

static void report_one(const char *line, const char *what, double found, double target) {
    (void)fprintf(stderr, "missed: %.*s}: %s %.3f, target %.3f\n", (int)key_length(line) - 1, line,
                  what, found, target);
}

void report_missed(void) {
    for (size_t i = 0; i < count; i++) {
        const struct row *row = &rows[i];
        if (misses_ratio(row))
            report_one(lines[i], "ratio", row->ratio, row->target.ratio);
        if (misses_longest(row))
            report_one(lines[i], "longest time in ms", row->ns_max / (double)MILLISECOND,
                       (double)row->target.longest_ns / (double)MILLISECOND);
    }
}

/* ---- Comparing ---- */

static const char *find_row(const char *line, size_t key) {
    for (size_t i = 0; i < count; i++) {
        if (strncmp(lines[i], line, key) == 0)
            return lines[i];
    }
    return NULL;
}

/* A row of the file that was not measured is not a difference: perhaps it was not asked for. */
static bool compare_row(const char *then, const char *now, size_t key) {
    double before = field(then, "\"ratio\":"), after = field(now, "\"ratio\":");
    double spread = fmax(field(then, "\"spread\":"), field(now, "\"spread\":"));
    if (!(fabs(after - before) > spread))
        return false;
    (void)fprintf(stderr, "moved: %.*s}: ratio %.3f, was %.3f, spread %.3f\n", (int)key - 1, then,
                  after, before, spread);
    return true;
}

static void compare_processor(const char *then) {
    static const char field[] = "\"processor\":\"";
    const char *at = strstr(then, field), *now = processor_model();
    if (!at)
        return;
    at += strlen(field);
    if (strncmp(at, now, strlen(now)) != 0 || at[strlen(now)] != '"')
        (void)fprintf(stderr, "measured on another processor then: %.*s, now %s\n",
                      (int)strcspn(at, "\""), at, now);
}

void compare_results(const char *path) {
    char then[LINE];
    size_t compared = 0, moved = 0;
    FILE *file = fopen(path, "r");
    if (!file)
        die(path);
    while (fgets(then, sizeof then, file)) {
        size_t key = key_length(then);
        const char *now = key ? find_row(then, key) : NULL;
        if (key == 0)
            compare_processor(then);
        if (now) {
            compared++;
            moved += compare_row(then, now, key);
        }
    }
    (void)fclose(file);
    (void)fprintf(stderr, "%zu of %zu ratios moved by more than the spread, against %s\n", moved,
                  compared, path);
}
