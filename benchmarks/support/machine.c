#define _GNU_SOURCE
#include "machine.h"

#include <shmipc/shmipc.h>
#include <string.h>
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
    print_text(file, "commit", commit);
    print_text(file, "compiler", __VERSION__);
    print_time(file);
    (void)fprintf(file, "\"version\":\"%d.%d.%d\"}\n", SHMIPC_VERSION_MAJOR, SHMIPC_VERSION_MINOR,
                  SHMIPC_VERSION_PATCH);
}
