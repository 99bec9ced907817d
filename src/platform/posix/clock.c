#define _GNU_SOURCE
#include "platform/platform.h"

#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

uint64_t shmi_clock_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint32_t shmi_process_id(void) {
    return (uint32_t)getpid();
}

/* exit runs its handlers while all other threads go on. */
bool shmi_process_ends(void) {
    return false;
}

uint64_t shmi_random_nonce(void) {
    uint64_t nonce;
    if (getrandom(&nonce, sizeof nonce, GRND_NONBLOCK) != (ssize_t)sizeof nonce)
        nonce = shmi_clock_now() ^ (uint64_t)shmi_process_id()
                                       << 40; /* early boot: still unlike another */
    return nonce;
}
