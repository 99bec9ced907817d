/* Processes of the other side, memory shared with them, and the processor time all of us used. */
#ifndef BENCHMARKS_CHILD_H
#define BENCHMARKS_CHILD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Prints what and the system's last error, and ends the program. */
_Noreturn void die(const char *what);

/* Runs a program, found on no path; NULL ends `arguments`. It dies with this process. */
pid_t child_program(char *const arguments[]);

/* Kills it if it still runs, and waits for its end. */
void child_stop(pid_t child);

/* Waits until it has ended by itself. */
void child_wait(pid_t child);

/* Zeroed, resident memory that partners started from now on can share. Never given back. */
void *shared_memory(size_t bytes);

/* Nanoseconds of processor time, of this process and the children alive. */
uint64_t cpu_ns(void);

#endif
