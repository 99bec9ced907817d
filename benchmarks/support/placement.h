/* Which processors the benchmarks' processes run on. */
#ifndef BENCHMARKS_PLACEMENT_H
#define BENCHMARKS_PLACEMENT_H

#include <stddef.h>
#include <sys/types.h>

/* Keeps this process on one processor and each child on another. Before any child is started. */
void pin_processes(void);

/* Gives a child that has not begun yet its processor; 0: this process is one. Without effect unless
   processes are pinned. */
void pin_child(pid_t child);

/* What is created between these two is not pinned until pin_again: a library that finds itself on
   one processor would not spin. pin_again pins this thread, and all threads of the children. */
void pin_later(void);
void pin_again(const pid_t *children, size_t count);

/* Moves this thread to the next processor, where it may stay or not, as the system likes. Without
   effect once pinned. */
void change_processor(void);

#endif
