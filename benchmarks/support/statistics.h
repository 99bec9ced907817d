/* Order statistics. The values get sorted. */
#ifndef BENCHMARKS_STATISTICS_H
#define BENCHMARKS_STATISTICS_H

#include <stddef.h>
#include <stdint.h>

double median(double *values, size_t count);

/* The distance between the first and the third quartile: half of the values lie within it. */
double interquartile_range(double *values, size_t count);

void sort_times(uint32_t *times, size_t count);

/* Of sorted times: the one that `share` (0 to 1) of them do not exceed. 0 if there are none. */
double percentile(const uint32_t *times, size_t count, double share);

#endif
