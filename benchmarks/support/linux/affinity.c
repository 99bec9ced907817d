#define _GNU_SOURCE
#include "support/affinity.h"

#include "support/child.h"

#include <dirent.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static cpu_set_t before; /* where this thread could run when it was not bound */
static bool bound;

static void get_affinity(cpu_set_t *set) {
    if (sched_getaffinity(0, sizeof *set, set) != 0)
        die("affinity");
}

/* Thread 0: this one. Another may have ended meanwhile. */
static void bind_thread(pid_t thread, int processor) {
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET((size_t)processor, &set);
    if (sched_setaffinity(thread, sizeof set, &set) != 0 && errno != ESRCH)
        die("pinning");
}

void affinity_bind(int processor) {
    if (!bound)
        get_affinity(&before);
    bound = true;
    bind_thread(0, processor);
}

void affinity_release(void) {
    if (sched_setaffinity(0, sizeof before, &before) != 0)
        die("affinity");
    bound = false;
}

static void bind_threads_of(pid_t child, int processor) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/%ld/task", (long)child);
    DIR *tasks = opendir(path);
    if (!tasks)
        die(path);
    for (const struct dirent *task; (task = readdir(tasks)) != NULL;) {
        pid_t thread = (pid_t)strtol(task->d_name, NULL, 10);
        if (thread > 0) /* neither . nor .. */
            bind_thread(thread, processor);
    }
    closedir(tasks);
}

void affinity_bind_child(pid_t child, int processor) {
    if (child == 0)
        bind_thread(0, processor);
    else
        bind_threads_of(child, processor);
}

int affinity_next(void) {
    cpu_set_t allowed;
    int processor = sched_getcpu();
    get_affinity(&allowed);
    do
        processor = (processor + 1) % CPU_SETSIZE;
    while (!CPU_ISSET((size_t)processor, &allowed));
    return processor;
}

int affinity_processors(void) {
    return (int)sysconf(_SC_NPROCESSORS_ONLN);
}
