/*
 * Round trips by size: a host in C calls a guest in C, which answers the same bytes. The sizes take
 * turns in short blocks, so that a machine that changes its speed does so for all of them; a line
 * of JSON for each size says the median over the blocks, and that as a multiple of the smallest's.
 */
#define _GNU_SOURCE
#include <shmipc/shmipc.h>

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { BLOCKS = 51, CALLS = 2000, LARGEST = 65536 };

static const size_t sizes[] = {0, 8, 32, 48, 64, 128, 1024, 4096, 16384, LARGEST};

enum { SIZES = sizeof sizes / sizeof *sizes };

static double now_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return 1e9 * (double)now.tv_sec + (double)now.tv_nsec;
}

static int echo(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)context;
    memcpy(response->data, request->data, request->length);
    response->length = request->length;
    return 0;
}

static _Noreturn void be_guest(const char *name) {
    shmipc_peer *guest;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (shmipc_guest_attach(name, NULL, SHMIPC_TIMEOUT_DEFAULT, &guest) == SHMIPC_OK) {
        (void)shmipc_serve(guest, echo, NULL);
        shmipc_free(guest);
    }
    _exit(0);
}

static double time_block(shmipc_peer *host, size_t size) {
    static char there[LARGEST];
    static char back[LARGEST];
    const shmipc_request request = {.data = there, .length = size};
    double begin = now_ns();
    for (int i = 0; i < CALLS; i++) {
        shmipc_response response = {.data = back, .capacity = sizeof back};
        if (shmipc_call(host, &request, &response, SHMIPC_TIMEOUT_DEFAULT)) {
            (void)fprintf(stderr, "sizes: %s\n", shmipc_last_error());
            exit(EXIT_FAILURE);
        }
    }
    return (now_ns() - begin) / CALLS;
}

static int ascending(const void *a, const void *b) {
    double x = *(const double *)a;
    double y = *(const double *)b;
    return (x > y) - (x < y);
}

static void measure(shmipc_peer *host) {
    static double ns[SIZES][BLOCKS];
    static double ratio[SIZES][BLOCKS];
    for (int block = 0; block < BLOCKS; block++) {
        for (int i = 0; i < SIZES; i++)
            ns[i][block] = time_block(host, sizes[i]);
        for (int i = 0; i < SIZES; i++)
            ratio[i][block] = ns[i][block] / ns[0][block];
    }
    for (int i = 0; i < SIZES; i++) {
        qsort(ns[i], BLOCKS, sizeof **ns, ascending);
        qsort(ratio[i], BLOCKS, sizeof **ratio, ascending);
        printf("{\"name\":\"rtt\",\"guest\":\"c\",\"bytes\":%zu,\"ns_p50\":%.1f,\"ratio\":%.2f}\n",
               sizes[i], ns[i][BLOCKS / 2], ratio[i][BLOCKS / 2]);
    }
}

int main(void) {
    char name[32];
    shmipc_peer *host;
    shmipc_host_config config = SHMIPC_HOST_CONFIG_INIT;
    config.request_capacity = config.response_capacity = LARGEST;
    (void)snprintf(name, sizeof name, "sizes.%ld", (long)getpid());
    pid_t child = fork();
    if (child == 0)
        be_guest(name);
    if (shmipc_host_create(name, &config, &host) ||
        shmipc_wait_guests(host, 1, SHMIPC_TIMEOUT_DEFAULT)) {
        (void)fprintf(stderr, "sizes: %s\n", shmipc_last_error());
        return EXIT_FAILURE;
    }
    measure(host);
    shmipc_shutdown(host, SHMIPC_TIMEOUT_DEFAULT);
    shmipc_free(host);
    waitpid(child, NULL, 0);
    return EXIT_SUCCESS;
}
