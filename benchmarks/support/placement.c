#include "placement.h"

#include "affinity.h"

#include <stdbool.h>

enum { OURS = 0, THEIRS = 1 };

static bool wanted; /* processes are to be pinned */
static bool pinned;

static void pin_theirs(pid_t child) {
    affinity_bind_child(child, THEIRS % affinity_processors());
}

void pin_processes(void) {
    wanted = pinned = true;
    affinity_bind(OURS);
}

void pin_child(pid_t child) {
    if (pinned)
        pin_theirs(child);
}

void pin_later(void) {
    if (pinned)
        affinity_release();
    pinned = false;
}

void pin_again(const pid_t *children, size_t count) {
    if (!wanted)
        return;
    pinned = true;
    affinity_bind(OURS);
    for (size_t i = 0; i < count; i++)
        pin_theirs(children[i]);
}

void change_processor(void) {
    if (pinned)
        return;
    affinity_bind(affinity_next());
    affinity_release();
}
