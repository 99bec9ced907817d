#define _GNU_SOURCE
#include "support/placement.h"

#include "support/child.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { OURS = 0, THEIRS = 1 };

static bool wanted; /* processes are to be pinned */
static bool pinned;
static cpu_set_t all; /* where this process may run */

/* Thread 0: this one. Another may have ended meanwhile. */
static void pin_thread(pid_t thread, int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)processor, &set);
    if (sched_setaffinity(thread, sizeof set, &set) != 0 && errno != ESRCH)
        die("pinning");
}

void pin_to(int processor) {
    pin_thread(0, processor);
}

static int their_processor(void) {
    return (int)(THEIRS % sysconf(_SC_NPROCESSORS_ONLN));
}

void pin_processes(void) {
    if (sched_getaffinity(0, sizeof all, &all) != 0)
        die("affinity");
    wanted = pinned = true;
    pin_to(OURS);
}

void pin_child(pid_t child) {
    if (pinned)
        pin_thread(child, their_processor());
}

static void pin_threads_of(pid_t child) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%ld/task", (long)child);
    DIR *tasks = opendir(path);
    if (!tasks)
        die(path);
    for (const struct dirent *task; (task = readdir(tasks)) != NULL;) {
        pid_t thread = (pid_t)strtol(task->d_name, NULL, 10);
        if (thread > 0) /* neither . nor .. */
            pin_thread(thread, their_processor());
    }
    closedir(tasks);
}

void pin_later(void) {
    if (pinned && sched_setaffinity(0, sizeof all, &all) != 0)
        die("affinity");
    pinned = false;
}

void pin_again(const pid_t *children, size_t count) {
    if (!wanted)
        return;
    pinned = true;
    pin_to(OURS);
    for (size_t i = 0; i < count; i++)
        pin_threads_of(children[i]);
}

static int next_in(const cpu_set_t *allowed, int processor) {
    do
        processor = (processor + 1) % CPU_SETSIZE;
    while (!CPU_ISSET((size_t)processor, allowed));
    return processor;
}

void change_processor(void) {
    cpu_set_t allowed;
    if (pinned || sched_getaffinity(0, sizeof allowed, &allowed) != 0)
        return;
    pin_to(next_in(&allowed, sched_getcpu()));
    if (sched_setaffinity(0, sizeof allowed, &allowed) != 0)
        die("affinity");
}
