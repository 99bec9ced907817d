/* Shared memory by name, and events that go with it. */
#ifndef BENCHMARKS_WIN32_MEMORY_H
#define BENCHMARKS_WIN32_MEMORY_H

#include <windows.h>

/* By which another process can open what is of shared_memory here, or of memory_open. */
const char *memory_name(const void *memory);
void *memory_open(const char *name);

/* An event that resets itself: the same one for all processes that share the memory. */
HANDLE memory_event(const void *memory, const char *name);

#endif
