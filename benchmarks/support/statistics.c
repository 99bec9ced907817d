#include "statistics.h"

#include <stdlib.h>

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static int by_time(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

double median(double *values, size_t count) {
    qsort(values, count, sizeof *values, by_value);
    return count ? values[count / 2] : 0;
}

double interquartile_range(double *values, size_t count) {
    qsort(values, count, sizeof *values, by_value);
    return count ? values[count * 3 / 4] - values[count / 4] : 0;
}

void sort_times(uint32_t *times, size_t count) {
    qsort(times, count, sizeof *times, by_time);
}

double percentile(const uint32_t *times, size_t count, double share) {
    if (count == 0)
        return 0;
    size_t index = (size_t)(share * (double)count);
    return times[index < count ? index : count - 1];
}
