/* Processes of the other side, memory shared with them, and the processor time all of us used. */
#ifndef BENCHMARKS_CHILD_H
#define BENCHMARKS_CHILD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Prints what and errno's text, and ends the program. */
_Noreturn void die(const char *what);

/* Runs `body` in a child, which dies with this process and ends when `body` returns. */
pid_t child_fork(void (*body)(void *context), void *context);

/* Runs a program, found on no path; NULL ends `arguments`. With `ends`, its standard input and
   output are pipes, of which these are our ends: [0] to read from, [1] to write to. */
pid_t child_program(char *const arguments[], int ends[2]);

/* Kills it if it still runs, and waits for its end. */
void child_stop(pid_t child);

/* Waits until it has ended by itself. */
void child_wait(pid_t child);

/* Zeroed, resident memory that children forked from now on share. Never given back. */
void *shared_memory(size_t bytes);

/* Nanoseconds of processor time, of this process and the children alive. */
uint64_t cpu_ns(void);

#endif
