/*
 * What a handler does that takes its time, on either side and in either language: it computes, or
 * it sleeps. A job is told by the first bytes of a request, so that one handler does all of them.
 */
#ifndef BENCHMARKS_JOB_H
#define BENCHMARKS_JOB_H

#include <stdint.h>

struct job {
    uint32_t compute_ns, sleep_ns;
};

/*
 * Finds out how many steps of the arithmetic this process makes in a nanosecond: the most in
 * several rounds, each too short to be interrupted often. From then on a job of so many nanoseconds
 * is so many steps, whoever has the processor meanwhile: a loop that looked at the clock would
 * count the time in which it did not run. go/job does the same. Before the first job of this
 * process and of those that it forks.
 */
void job_calibrate(void);

void job_do(struct job job);

#endif
