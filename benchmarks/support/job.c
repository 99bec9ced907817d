#define _GNU_SOURCE
#include "job.h"

#include "clock.h"

#include <time.h>

enum { ROUNDS = 50, STEPS = 50000 /* some 60 us */ };

static double steps_per_ns;

/* Each step needs the result of the last one. As in go/job. */
static void compute(uint64_t steps) {
    uint64_t x = steps;
    while (steps-- > 0)
        x = x * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    __asm__ volatile("" ::"r"(x));
}

void job_calibrate(void) {
    for (int i = 0; i < ROUNDS; i++) {
        uint64_t begin = now_ns();
        compute(STEPS);
        double rate = STEPS / (double)(now_ns() - begin);
        if (rate > steps_per_ns)
            steps_per_ns = rate;
    }
}

void job_do(struct job job) {
    const struct timespec time = {.tv_nsec = (long)job.sleep_ns};
    if (job.compute_ns)
        compute((uint64_t)(job.compute_ns * steps_per_ns));
    if (job.sleep_ns)
        (void)nanosleep(&time, NULL);
}
