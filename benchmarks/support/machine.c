#define _GNU_SOURCE
#include "machine.h"

#include "clock.h"

#include <shmipc/shmipc.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

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

/* Seconds of processor time that all processes together have used, from the line "cpu user nice
   system idle waiting interrupts...". */
static double all_busy_s(void) {
    unsigned long long user = 0, nice = 0, system = 0;
    FILE *file = fopen("/proc/stat", "r");
    if (file) {
        if (fscanf(file, "cpu %llu %llu %llu", &user, &nice, &system) != 3)
            user = nice = system = 0;
        (void)fclose(file);
    }
    return (double)(user + nice + system) / (double)sysconf(_SC_CLK_TCK);
}

static double seconds(struct timeval time) {
    return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

/* Of this process, and of its children that have ended: here, all of them. */
static double our_busy_s(void) {
    static const int whose[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
    double sum = 0;
    for (int i = 0; i < 2; i++) {
        struct rusage usage;
        if (getrusage(whose[i], &usage) == 0)
            sum += seconds(usage.ru_utime) + seconds(usage.ru_stime);
    }
    return sum;
}

void watch_others(void) {
    began = (double)now_ns() / (double)SECOND;
    busy_before = all_busy_s() - our_busy_s();
}

/* In processors. */
static double others_load(void) {
    static const double much = 0.1;
    double took = (double)now_ns() / (double)SECOND - began;
    double load = (all_busy_s() - our_busy_s() - busy_before) / took;
    if (load > much)
        (void)fprintf(stderr, "bench: other processes kept %.2f processors busy meanwhile\n", load);
    return load > 0 ? load : 0; /* the clocks' ticks differ */
}

/* ---- The description ------------------------------------------------------------------------- */

static void print_text(FILE *file, const char *name, const char *text) {
    (void)fprintf(file, "\"%s\":\"", name);
    for (; *text && *text != '\n'; text++) {
        if (*text != '"' && *text != '\\')
            (void)fputc(*text, file);
    }
    (void)fputs("\",", file);
}

static void print_file(FILE *file, const char *name, const char *path) {
    char text[256] = "unknown";
    FILE *source = fopen(path, "r");
    if (source) {
        if (!fgets(text, sizeof text, source))
            text[0] = 0;
        (void)fclose(source);
    }
    print_text(file, name, text);
}

static void print_processor(FILE *file) {
    char line[512];
    const char *model = NULL;
    FILE *source = fopen("/proc/cpuinfo", "r");
    while (source && !model && fgets(line, sizeof line, source)) {
        if (strncmp(line, "model name", strlen("model name")) == 0)
            model = strchr(line, ':');
    }
    if (source)
        (void)fclose(source);
    print_text(file, "processor", model ? model + 2 : "unknown");
}

static void print_time(FILE *file) {
    char text[32];
    time_t now = time(NULL);
    struct tm utc;
    (void)strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &utc));
    print_text(file, "time", text);
}

/* Which processors share a core, a last-level cache and a package with the first. */
static void print_topology(FILE *file) {
#define FIRST "/sys/devices/system/cpu/cpu0/"
    print_file(file, "same_core", FIRST "topology/thread_siblings_list");
    print_file(file, "same_cache", FIRST "cache/index3/shared_cpu_list");
    print_file(file, "same_package", FIRST "topology/package_cpus_list");
#undef FIRST
}

void describe_machine(FILE *file) {
    struct utsname system;
    (void)uname(&system);
    (void)fprintf(file, "{\"machine\":{");
    print_processor(file);
    print_text(file, "architecture", system.machine);
    print_text(file, "kernel", system.release);
    print_topology(file);
    (void)fprintf(file, "\"processors\":%ld},", sysconf(_SC_NPROCESSORS_ONLN));
    print_text(file, "placement", placement);
    (void)fprintf(file, "\"others_load\":%.2f,", others_load());
    print_text(file, "commit", commit);
    print_text(file, "compiler", __VERSION__);
    print_time(file);
    (void)fprintf(file, "\"version\":\"%d.%d.%d\"}\n", SHMIPC_VERSION_MAJOR, SHMIPC_VERSION_MINOR,
                  SHMIPC_VERSION_PATCH);
}
