/*
 * bench [--quick] [--pin] [--out FILE] [--compare FILE] [--programs DIRECTORY] [--commit TEXT]
 *       [--rounds MOST] [--guest LANGUAGE] [--only TEXT] [--threads COUNT] [ROW...]
 * bench --list
 *
 * Measures the rows named, all if none is, and prints a JSON object for each. Of these rows only
 * those with this guest, with TEXT in their variant, or of so many threads, each with its limit.
 * --list prints the names that rows have.
 */
#include "calls/pair.h"
#include "limits/lines.h"
#include "limits/wakes.h"
#include "rows/system.h"
#include "support/clock.h"
#include "support/machine.h"
#include "support/placement.h"
#include "support/wanted.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_wanted(const char *name, char *const *wanted) {
    if (!*wanted)
        return true;
    for (; *wanted; wanted++) {
        if (strcmp(*wanted, name) == 0)
            return true;
    }
    return false;
}

static void measure_rows(const struct effort *effort, char *const *wanted) {
    uint64_t begin = now_ns();
    for (const struct named_row *row = system_rows; row->name; row++) {
        if (!is_wanted(row->name, wanted))
            continue;
        (void)fprintf(stderr, "bench: %3.0f s: %s\n", (double)(now_ns() - begin) / (double)SECOND,
                      row->name);
        row->measure(effort);
    }
    (void)fprintf(stderr, "bench: %3.0f s: done\n", (double)(now_ns() - begin) / (double)SECOND);
}

static _Noreturn void list_rows(void) {
    for (const struct named_row *row = system_rows; row->name; row++)
        puts(row->name);
    exit(EXIT_SUCCESS);
}

static _Noreturn void usage(const char *program) {
    (void)fprintf(stderr,
                  "usage: %s [--quick] [--pin] [--out FILE] [--compare FILE] "
                  "[--programs DIRECTORY] [--commit TEXT] [--rounds MOST] [--guest LANGUAGE] "
                  "[--only TEXT] [--threads COUNT] [ROW...]\n",
                  program);
    exit(2);
}

static void pin(void) {
    pin_processes();
    set_placement("host on processor 0, the other side on processor 1");
}

int main(int argc, char **argv) {
    static const struct option options[] = {
        {"quick", no_argument, NULL, 'q'},          {"pin", no_argument, NULL, 'p'},
        {"out", required_argument, NULL, 'o'},      {"compare", required_argument, NULL, 'c'},
        {"programs", required_argument, NULL, 'd'}, {"commit", required_argument, NULL, 'v'},
        {"rounds", required_argument, NULL, 'r'},   {"guest", required_argument, NULL, 'g'},
        {"only", required_argument, NULL, 'y'},     {"threads", required_argument, NULL, 't'},
        {"list", no_argument, NULL, 'l'},           {NULL, 0, NULL, 0},
    };
    static const struct role *const roles[] = {&lines_role, &wakes_role, NULL};
    struct effort effort = {.quick = false};
    const char *out = NULL, *compare = NULL;
    partner_play(argc, argv, roles);
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) >= 0;) {
        switch (option) {
        case 'q':
            effort.quick = true;
            break;
        case 'p':
            pin();
            break;
        case 'o':
            out = optarg;
            break;
        case 'c':
            compare = optarg;
            break;
        case 'd':
            set_program_directory(optarg);
            break;
        case 'v':
            set_commit(optarg);
            break;
        case 'r':
            effort.rounds = (unsigned)strtoul(optarg, NULL, 10);
            break;
        case 'g':
            want_guest(optarg);
            break;
        case 'y':
            want_variants_with(optarg);
            break;
        case 't':
            want_threads((unsigned)strtoul(optarg, NULL, 10));
            break;
        case 'l':
            list_rows();
        default:
            usage(argv[0]);
        }
    }
    be_punctual();
    watch_others();
    measure_rows(&effort, argv + optind);
    if (out)
        write_results(out);
    report_missed();
    if (compare)
        compare_results(compare);
    return EXIT_SUCCESS;
}
