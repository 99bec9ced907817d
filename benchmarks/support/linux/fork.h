/* Children as they can be had where there is fork. */
#ifndef BENCHMARKS_FORK_H
#define BENCHMARKS_FORK_H

#include <stddef.h>
#include <sys/types.h>

/* Runs `body` in a child, which dies with this process and ends when `body` returns. Memory of
   shared_memory is shared with it. */
pid_t child_fork(void (*body)(void *context), void *context);

/* Zeroed memory that a child can map from a file, its standard input, say. The caller unmaps the
   memory, and closes the file. */
int shared_file(void **memory, size_t bytes);

/* A child_program whose standard input is this file. */
pid_t child_on(char *const arguments[], int file);

/* A child_program whose standard input and output are pipes, of which these are our ends: [0] to
   read from, [1] to write to. */
pid_t child_piped(char *const arguments[], int ends[2]);

#endif
