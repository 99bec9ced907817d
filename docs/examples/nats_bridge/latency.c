/* latency NAME CALLS [job]: the median round trip of a call with 16 bytes, or of storing a job with
   as many, in nanoseconds. */
#include "outcome.h"
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static int compare(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int call(shmipc_peer *host, int job) {
    const uint64_t words[4] = {1, job ? (uint64_t)now() : 2, 1, 2}; /* a range without work */
    char text[256];
    shmipc_request request = {.data = words, .length = sizeof words / 2};
    if (job) /* its id comes first */
        request = (shmipc_request){words, sizeof words, .type = BRIDGE_JOB_START};
    shmipc_response response = {.data = text, .capacity = sizeof text};
    int error = shmipc_call(host, &request, &response, SHMIPC_TIMEOUT_DEFAULT);
    return bridge_outcome(error, text, error == SHMIPC_E_HANDLER ? response.length : 0);
}

/* The first tenth is for warming up; until a worker has come, nothing counts. */
static int measure(shmipc_peer *host, int64_t *times, size_t calls, int job) {
    int error = shmipc_wait_guests(host, 1, SHMIPC_TIMEOUT_DEFAULT);
    for (int64_t end = now() + 10000000000; !error && bridge_never_started(call(host, job));)
        error = now() < end ? 0 : SHMIPC_E_TIMEOUT;
    for (size_t i = 0; i < calls / 10 + calls && !error; i++) {
        int64_t began = now();
        error = call(host, job);
        times[i < calls / 10 ? 0 : i - calls / 10] = now() - began;
    }
    return error;
}

int main(int argc, char **argv) {
    size_t calls = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    shmipc_peer *host;
    if (calls == 0)
        return fprintf(stderr, "usage: latency NAME CALLS [job]\n"), 1;
    int error = shmipc_host_create(argv[1], NULL, &host);
    if (error)
        return fprintf(stderr, "%s\n", shmipc_last_error()), 1;
    int64_t *times = calloc(calls, sizeof *times);
    error = times ? measure(host, times, calls, argc > 3) : SHMIPC_E_NO_MEMORY;
    if (error) {
        fprintf(stderr, "%s\n", shmipc_strerror(error));
    } else {
        qsort(times, calls, sizeof *times, compare);
        printf("%lld\n", (long long)times[calls / 2]);
    }
    shmipc_shutdown(host, SHMIPC_TIMEOUT_DEFAULT);
    shmipc_free(host);
    free(times);
    return error ? 1 : 0;
}
