/* The processors are those that one mask can name. */
#include "support/placement.h"

#include "child.h"
#include "support/child.h"

#include <stdbool.h>

enum { OURS = 0, THEIRS = 1, PROCESSORS = 8 * sizeof(DWORD_PTR) };

static bool wanted; /* processes are to be pinned */
static bool pinned;

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

void pin_to(int processor) {
    set_affinity((DWORD_PTR)1 << processor);
}

void pin_processes(void) {
    wanted = pinned = true;
    pin_to(OURS);
}

static void pin_process(pid_t child) {
    SYSTEM_INFO system;
    GetSystemInfo(&system);
    if (!SetProcessAffinityMask(process_of(child),
                                (DWORD_PTR)1 << THEIRS % system.dwNumberOfProcessors))
        die("affinity");
}

void pin_child(pid_t child) {
    if (pinned)
        pin_process(child);
}

void pin_later(void) {
    if (pinned)
        set_affinity(allowed());
    pinned = false;
}

void pin_again(const pid_t *children, size_t count) {
    if (!wanted)
        return;
    pinned = true;
    pin_to(OURS);
    for (size_t i = 0; i < count; i++)
        pin_process(children[i]);
}

static int next_in(DWORD_PTR mask, int processor) {
    do
        processor = (processor + 1) % PROCESSORS;
    while (!(mask >> processor & 1));
    return processor;
}

void change_processor(void) {
    if (pinned)
        return;
    DWORD_PTR mask = allowed();
    pin_to(next_in(mask, (int)GetCurrentProcessorNumber()));
    set_affinity(mask);
}
