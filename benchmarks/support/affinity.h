/* How a system binds threads to processors: what placement.c needs of each. */
#ifndef BENCHMARKS_AFFINITY_H
#define BENCHMARKS_AFFINITY_H

#include <sys/types.h>

/* Keeps this thread, and what it starts, on one processor. */
void affinity_bind(int processor);

/* Lets this thread run where it could before it was bound. */
void affinity_release(void);

/* Binds all threads that a child has; 0: this process is one, and has one. */
void affinity_bind_child(pid_t child, int processor);

/* The processor behind this thread's, of those that it may run on. */
int affinity_next(void);

int affinity_processors(void);

#endif
