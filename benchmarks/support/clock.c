#include "clock.h"

#include "statistics.h"

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
