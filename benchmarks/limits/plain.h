/*
 * The plain design of calls in parallel: a thread for each slot on each side, which sleeps until
 * the other one wakes it by futex. A slot is a cache line, with the message and a word each way.
 * Nothing spins, nothing is shared between slots, and no thread looks for work. The handler does
 * the job that the first bytes of the message tell, and answers the same bytes.
 */
#ifndef BENCHMARKS_PLAIN_H
#define BENCHMARKS_PLAIN_H

#include "support/job.h"
#include "support/subject.h"

struct plain;

/* `guest`: the serving process is in "c", with threads, or in "go", with goroutines. */
struct plain *plain_start(const char *guest, unsigned slots);
void plain_stop(struct plain *plain);

/* All slots are called at once, each by a thread of its own. The plain design must outlive the
   subject. */
struct subject plain_calls(const struct plain *plain, struct job job);

#endif
