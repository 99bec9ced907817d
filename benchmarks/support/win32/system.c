#include "support/system.h"

#include "child.h"
#include "support/clock.h"

#include <stdbool.h>
#include <stdio.h>

/* ---- Processor time -------------------------------------------------------------------------- */

static double seconds(FILETIME time) {
    return (double)((uint64_t)time.dwHighDateTime << 32 | time.dwLowDateTime) / 1e7;
}

/* The kernel's time includes the time in which nothing was done. */
double all_busy_s(void) {
    FILETIME idle, kernel, user;
    if (!GetSystemTimes(&idle, &kernel, &user))
        return 0;
    return seconds(kernel) + seconds(user) - seconds(idle);
}

double our_busy_s(void) {
    return (double)ended_cpu_ns() / (double)SECOND;
}

/* ---- Facts ----------------------------------------------------------------------------------- */

static void read_registry(char fact[FACT], const char *key, const char *name) {
    DWORD size = FACT;
    if (RegGetValueA(HKEY_LOCAL_MACHINE, key, name, RRF_RT_REG_SZ, NULL, fact, &size) != 0)
        (void)snprintf(fact, FACT, "unknown");
}

static void find_system(char fact[FACT]) {
    char build[FACT];
    read_registry(build, "SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion", "CurrentBuild");
    bool wine = GetProcAddress(GetModuleHandleA("ntdll.dll"), "wine_get_version") != NULL;
    (void)snprintf(fact, FACT, "Windows, build %.200s%s", build, wine ? ", under Wine" : "");
}

static const char *architecture(WORD number) {
    switch (number) {
    case PROCESSOR_ARCHITECTURE_AMD64:
        return "x86_64";
    case PROCESSOR_ARCHITECTURE_ARM64:
        return "aarch64";
    default:
        return "unknown";
    }
}

/* "0-1,4", as Linux has it. */
static void print_list(char fact[FACT], ULONG_PTR mask) {
    const int most = 8 * sizeof mask;
    size_t used = 0;
    for (int i = 0; i < most; i++) {
        int first = i;
        if (!(mask >> i & 1))
            continue;
        while (i + 1 < most && mask >> (i + 1) & 1)
            i++;
        used += (size_t)snprintf(fact + used, FACT - used, "%s%d", used ? "," : "", first);
        if (i > first)
            used += (size_t)snprintf(fact + used, FACT - used, "-%d", i);
    }
}

static char *place_for(struct facts *facts, const SYSTEM_LOGICAL_PROCESSOR_INFORMATION *shared) {
    switch (shared->Relationship) {
    case RelationProcessorCore:
        return facts->same_core;
    case RelationProcessorPackage:
        return facts->same_package;
    case RelationCache:
        return shared->Cache.Level == 3 ? facts->same_cache : NULL;
    default:
        return NULL;
    }
}

static void find_topology(struct facts *facts) {
    SYSTEM_LOGICAL_PROCESSOR_INFORMATION all[FACT];
    DWORD size = sizeof all;
    if (!GetLogicalProcessorInformation(all, &size))
        return;
    for (size_t i = 0; i < size / sizeof *all; i++) {
        char *fact = place_for(facts, &all[i]);
        if (fact && all[i].ProcessorMask & 1)
            print_list(fact, all[i].ProcessorMask);
    }
}

void find_facts(struct facts *facts) {
    SYSTEM_INFO system;
    GetNativeSystemInfo(&system);
    *facts = (struct facts){.same_core = "unknown",
                            .same_cache = "unknown",
                            .same_package = "unknown",
                            .processors = (long)system.dwNumberOfProcessors};
    read_registry(facts->processor, "HARDWARE\\DESCRIPTION\\System\\CentralProcessor\\0",
                  "ProcessorNameString");
    (void)snprintf(facts->architecture, FACT, "%s", architecture(system.wProcessorArchitecture));
    find_system(facts->kernel);
    find_topology(facts);
}
