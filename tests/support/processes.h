/*
 * Programs as processes of their own, on any system. They die with the process that started them.
 */
#ifndef SHMIPC_TESTS_PROCESSES_H
#define SHMIPC_TESTS_PROCESSES_H

#include <stdint.h>

struct process {
    intptr_t handle;
    uint32_t pid;
};

enum { STATUS_KILLED = 137 };

/* `arguments` begin with the program's path and end with NULL; none has a space. */
struct process process_start(const char *const arguments[]);

/* The exit status, STATUS_KILLED after a kill, or another that is not 0 after a crash. */
int process_wait(struct process process);

/* Kills the process at once; process_wait must still be called. */
void process_kill(struct process process);

/* For a program that was started so, first of all. */
void die_with_parent(void);

#endif
