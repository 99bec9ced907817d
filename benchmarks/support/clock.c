#define _GNU_SOURCE
#include "clock.h"

#include "statistics.h"

#include <errno.h>
#include <time.h>

uint64_t now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * SECOND + (uint64_t)now.tv_nsec;
}

void sleep_until(uint64_t ns) {
    const struct timespec at = {.tv_sec = (time_t)(ns / SECOND), .tv_nsec = (long)(ns % SECOND)};
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &at, NULL) == EINTR) {
    }
}

uint64_t clock_cost(void) {
    enum { READS = 10001 };
    static double costs[READS];
    static uint64_t cost;
    if (cost == 0) {
        uint64_t last = now_ns();
        for (int i = 0; i < READS; i++) {
            uint64_t now = now_ns();
            costs[i] = (double)(now - last);
            last = now;
        }
        cost = (uint64_t)median(costs, READS);
    }
    return cost;
}
