/*
 * Keeps every processor from going idle between two blocks. A virtual machine's idle processor is
 * taken away and comes back elsewhere, nearer to the other ones or farther from them: with each
 * sleep the machine would be another one. Processes of the lowest priority run where nothing else
 * does. In a block they sleep: a subject that yields must not yield to them.
 */
#ifndef BENCHMARKS_AWAKE_H
#define BENCHMARKS_AWAKE_H

void awake_start(void);
void awake_stop(void);

/* Without effect unless started. */
void keep_awake(void);
void let_sleep(void);

#endif
