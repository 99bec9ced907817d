#include "machine.h"

#include "clock.h"
#include "system.h"

#include <shmipc/shmipc.h>
#include <time.h>

static const char *commit = "unknown";
static const char *placement = "not pinned";

void set_commit(const char *text) {
    commit = text;
}

void set_placement(const char *text) {
    placement = text;
}

/* ---- What else runs -------------------------------------------------------------------------- */

static double began, busy_before;

void watch_others(void) {
    began = (double)now_ns() / (double)SECOND;
    busy_before = all_busy_s() - our_busy_s();
}

/* In processors. All children have ended. */
static double others_load(void) {
    static const double much = 0.1;
    double took = (double)now_ns() / (double)SECOND - began;
    double load = (all_busy_s() - our_busy_s() - busy_before) / took;
    if (load > much)
        (void)fprintf(stderr, "bench: other processes kept %.2f processors busy meanwhile\n", load);
    return load > 0 ? load : 0; /* the clocks' ticks differ */
}

/* ---- The description ------------------------------------------------------------------------- */

/* Without what would have to be escaped. */
static void make_plain(char *text) {
    char *end = text;
    for (; *text && *text != '\n'; text++) {
        if (*text != '"' && *text != '\\')
            *end++ = *text;
    }
    *end = 0;
}

const char *processor_model(void) {
    static struct facts facts;
    if (!*facts.processor) {
        find_facts(&facts);
        make_plain(facts.processor);
    }
    return facts.processor;
}

static void print_text(FILE *file, const char *name, const char *text) {
    char plain[FACT];
    (void)snprintf(plain, sizeof plain, "%s", text);
    make_plain(plain);
    (void)fprintf(file, "\"%s\":\"%s\",", name, plain);
}

static void print_time(FILE *file) {
    char text[32];
    time_t now = time(NULL);
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime(&now));
    print_text(file, "time", text);
}

static void print_facts(FILE *file) {
    struct facts facts;
    find_facts(&facts);
    print_text(file, "processor", facts.processor);
    print_text(file, "architecture", facts.architecture);
    print_text(file, "kernel", facts.kernel);
    print_text(file, "same_core", facts.same_core);
    print_text(file, "same_cache", facts.same_cache);
    print_text(file, "same_package", facts.same_package);
    (void)fprintf(file, "\"processors\":%ld", facts.processors);
}

void describe_machine(FILE *file) {
    (void)fputs("{\"machine\":{", file);
    print_facts(file);
    (void)fputs("},", file);
    print_text(file, "placement", placement);
    (void)fprintf(file, "\"others_load\":%.2f,", others_load());
    print_text(file, "commit", commit);
    print_text(file, "compiler", __VERSION__);
    print_time(file);
    (void)fprintf(file, "\"version\":\"%d.%d.%d\"}\n", SHMIPC_VERSION_MAJOR, SHMIPC_VERSION_MINOR,
                  SHMIPC_VERSION_PATCH);
}
