/* Counts primes by calls, range by range. Nothing here says whether a guest of this machine counts
   them, or a bridge hands the calls on to workers on others; the outcomes cover both. */
#include "outcome.h"
#include <stdio.h>
#include <time.h>

enum { RANGES = 20, LENGTH = 50000, ATTEMPTS = 20 };

struct range {
    uint64_t first, end;
};

/* Makes one call. `text` gets the answer, *answered its length; or the message of a handler that
   failed. */
static int ask(shmipc_peer *host, const void *data, size_t length, char *text, size_t size,
               size_t *answered) {
    shmipc_request request = {.data = data, .length = length};
    shmipc_response response = {.data = text, .capacity = size - 1};
    int error = shmipc_call(host, &request, &response, SHMIPC_TIMEOUT_DEFAULT);
    *answered = response.length;
    if (error && error != SHMIPC_E_HANDLER)
        snprintf(text, size, "%s", shmipc_last_error());
    else
        text[response.length < size ? response.length : size - 1] = '\0';
    return bridge_outcome(error, text, error ? strlen(text) : 0);
}

/* Repeats what has never started, for some seconds: a worker may be about to come. */
static int count(shmipc_peer *host, struct range range, uint64_t *sum) {
    char text[256];
    size_t length;
    uint64_t primes;
    int outcome = SHMIPC_E_TIMEOUT;
    for (int i = 0; i < ATTEMPTS && bridge_never_started(outcome); i++) {
        if (i > 0)
            nanosleep(&(struct timespec){.tv_nsec = 200000000}, NULL);
        outcome = ask(host, &range, sizeof range, text, sizeof text, &length);
    }
    if (outcome)
        return fprintf(stderr, "%s: %s\n", shmipc_strerror(outcome), text), outcome;
    if (length != sizeof primes)
        return fprintf(stderr, "an answer of %zu bytes is no count\n", length), SHMIPC_E_INVALID;
    memcpy(&primes, text, sizeof primes);
    *sum += primes;
    return 0;
}

static void fail(shmipc_peer *host) {
    char text[256];
    size_t length;
    int outcome = ask(host, "abc", 3, text, sizeof text, &length);
    printf("%s: %s\n", shmipc_strerror(outcome), text);
}

int main(int argc, char **argv) {
    shmipc_peer *host;
    uint64_t sum = 0;
    int error = shmipc_host_create(argc > 1 ? argv[1] : "nats_bridge", NULL, &host);
    if (!error)
        error = shmipc_wait_guests(host, 1, SHMIPC_TIMEOUT_DEFAULT);
    if (error)
        fprintf(stderr, "%s\n", shmipc_last_error());
    for (uint64_t i = 0; i < RANGES && !error; i++)
        error = count(host, (struct range){i * LENGTH, (i + 1) * LENGTH}, &sum);
    if (!error) {
        printf("%llu primes below %d\n", (unsigned long long)sum, RANGES * LENGTH);
        fail(host);
        shmipc_shutdown(host, SHMIPC_TIMEOUT_DEFAULT);
    }
    shmipc_free(host);
    return error ? 1 : 0;
}
