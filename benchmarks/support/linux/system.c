#define _GNU_SOURCE
#include "support/system.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <unistd.h>

/* ---- Processor time -------------------------------------------------------------------------- */

/* From the line "cpu user nice system idle waiting interrupts...". */
double all_busy_s(void) {
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

double our_busy_s(void) {
    static const int whose[] = {RUSAGE_SELF, RUSAGE_CHILDREN};
    double sum = 0;
    for (int i = 0; i < 2; i++) {
        struct rusage usage;
        if (getrusage(whose[i], &usage) == 0)
            sum += seconds(usage.ru_utime) + seconds(usage.ru_stime);
    }
    return sum;
}

/* ---- Facts ----------------------------------------------------------------------------------- */

static void set(char fact[FACT], const char *text) {
    (void)snprintf(fact, FACT, "%s", text);
}

static void read_file(char fact[FACT], const char *path) {
    FILE *source = fopen(path, "r");
    if (!source || !fgets(fact, FACT, source))
        set(fact, "unknown");
    if (source)
        (void)fclose(source);
}

static void find_processor(char fact[FACT]) {
    char line[512];
    const char *model = NULL;
    FILE *source = fopen("/proc/cpuinfo", "r");
    while (source && !model && fgets(line, sizeof line, source)) {
        if (strncmp(line, "model name", strlen("model name")) == 0)
            model = strchr(line, ':');
    }
    if (source)
        (void)fclose(source);
    set(fact, model ? model + 2 : "unknown");
}

void find_facts(struct facts *facts) {
#define FIRST "/sys/devices/system/cpu/cpu0/"
    struct utsname system;
    (void)uname(&system);
    find_processor(facts->processor);
    set(facts->architecture, system.machine);
    set(facts->kernel, system.release);
    read_file(facts->same_core, FIRST "topology/thread_siblings_list");
    read_file(facts->same_cache, FIRST "cache/index3/shared_cpu_list");
    read_file(facts->same_package, FIRST "topology/package_cpus_list");
    facts->processors = sysconf(_SC_NPROCESSORS_ONLN);
#undef FIRST
}
