/* Children as Windows alone has them. */
#ifndef BENCHMARKS_WIN32_CHILD_H
#define BENCHMARKS_WIN32_CHILD_H

#include <stdint.h>
#include <sys/types.h>
#include <windows.h>

/* 0 is this process. */
HANDLE process_of(pid_t child);

/* Nanoseconds of processor time, of this process and the children that have ended. */
uint64_t ended_cpu_ns(void);

#endif
