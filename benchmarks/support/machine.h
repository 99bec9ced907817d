/* The machine, where its processors are, and what was built. */
#ifndef BENCHMARKS_MACHINE_H
#define BENCHMARKS_MACHINE_H

#include <stdio.h>

/* What only the caller knows: the commit, and whether processes are pinned. */
void set_commit(const char *text);
void set_placement(const char *text);

/* Begins to watch what else runs here. Says on standard error, when the machine is described, if it
   was so much that the results mean little. */
void watch_others(void);

/* The processors' model. */
const char *processor_model(void);

/* One JSON object, one line. */
void describe_machine(FILE *file);

#endif
