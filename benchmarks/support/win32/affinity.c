/* The processors are those that one mask can name. */
#include "support/affinity.h"

#include "child.h"
#include "support/child.h"

enum { PROCESSORS = 8 * sizeof(DWORD_PTR) };

static DWORD_PTR allowed(void) {
    DWORD_PTR ours;
    DWORD_PTR all;
    if (!GetProcessAffinityMask(GetCurrentProcess(), &ours, &all))
        die("affinity");
    return ours;
}

static void set_affinity(DWORD_PTR mask) {
    if (!SetThreadAffinityMask(GetCurrentThread(), mask))
        die("affinity");
}

void affinity_bind(int processor) {
    set_affinity((DWORD_PTR)1 << processor);
}

void affinity_release(void) {
    set_affinity(allowed());
}

void affinity_bind_child(pid_t child, int processor) {
    if (!SetProcessAffinityMask(process_of(child), (DWORD_PTR)1 << processor))
        die("affinity");
}

int affinity_next(void) {
    DWORD_PTR mask = allowed();
    int processor = (int)GetCurrentProcessorNumber();
    do
        processor = (processor + 1) % PROCESSORS;
    while (!(mask >> processor & 1));
    return processor;
}

int affinity_processors(void) {
    SYSTEM_INFO system;
    GetSystemInfo(&system);
    return (int)system.dwNumberOfProcessors;
}
