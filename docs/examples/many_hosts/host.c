/* One host of many: it makes some calls, and says how long the first one took, from before the
   region was created. */
#include <shmipc/shmipc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PAUSE_MS = 20 };

static double ms_since(const struct timespec *begin) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - begin->tv_sec) * 1e3 +
           (double)(now.tv_nsec - begin->tv_nsec) / 1e6;
}

/* Waits for a guest, if none is there. */
static int call(shmipc_peer *host) {
    char text[16];
    shmipc_request request = {.data = "hello", .length = 5, .flags = SHMIPC_WAIT_READY};
    shmipc_response response = {.data = text, .capacity = sizeof text};
    int error = shmipc_call(host, &request, &response, SHMIPC_TIMEOUT_DEFAULT);
    if (error)
        fprintf(stderr, "%s\n", shmipc_last_error());
    else if (response.length != 5 || memcmp(text, "HELLO", 5) != 0)
        fprintf(stderr, "another answer: %.*s\n", (int)response.length, text);
    return error;
}

int main(int argc, char **argv) {
    const struct timespec pause = {.tv_nsec = PAUSE_MS * 1000000L};
    const char *name = argc > 1 ? argv[1] : "many_hosts.1";
    long calls = argc > 2 ? strtol(argv[2], NULL, 10) : 100;
    struct timespec begin;
    shmipc_peer *host;
    setvbuf(stdout, NULL, _IOLBF, 0);
    clock_gettime(CLOCK_MONOTONIC, &begin);
    if (shmipc_host_create(name, NULL, &host)) {
        fprintf(stderr, "%s\n", shmipc_last_error());
        return 1;
    }
    int error = call(host);
    if (!error)
        printf("%s: the first answer after %.1f ms\n", name, ms_since(&begin));
    for (long i = 1; !error && i < calls; i++) {
        nanosleep(&pause, NULL);
        error = call(host);
    }
    if (!error)
        printf("%s: %ld calls answered\n", name, calls);
    shmipc_shutdown(host, SHMIPC_TIMEOUT_DEFAULT);
    shmipc_free(host);
    return error ? 1 : 0;
}
