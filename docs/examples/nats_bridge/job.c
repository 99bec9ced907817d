/* Jobs: each is stored before its start is answered, so it outlives the bridge, the workers and,
   with replicas, servers. The host asks for the results when it likes. */
#include "outcome.h"
#include <stdio.h>
#include <time.h>

enum { JOBS = 3, SECONDS = 60 };

struct job {
    uint64_t id[2]; /* of no other job, ever: here the time and a number */
    uint64_t first, end;
};

/* Makes one call, again and again while it may yet succeed: the id says which job is meant, so both
   requests may be repeated whatever has become of them. NULL: the answer is empty. */
static int ask(shmipc_peer *host, uint32_t type, const struct job *job, size_t length,
               uint64_t *answer) {
    char text[256];
    int outcome = SHMIPC_E_TIMEOUT;
    for (time_t end = time(NULL) + SECONDS; time(NULL) < end;) {
        shmipc_request request = {.data = job, .length = length, .type = type};
        shmipc_response response = {.data = text, .capacity = sizeof text};
        int error = shmipc_call(host, &request, &response, SHMIPC_TIMEOUT_DEFAULT);
        outcome = bridge_outcome(error, text, error == SHMIPC_E_HANDLER ? response.length : 0);
        if (outcome == SHMIPC_E_HANDLER || outcome == SHMIPC_E_TOO_LARGE)
            return fprintf(stderr, "%s\n", shmipc_last_error()), outcome;
        if (outcome == 0 && response.type != BRIDGE_JOB_PENDING) {
            size_t expected = answer ? sizeof *answer : 0;
            if (response.length != expected)
                return fprintf(stderr, "answer: %zu bytes, not %zu\n", response.length, expected),
                       SHMIPC_E_INVALID;
            if (answer)
                memcpy(answer, text, sizeof *answer);
            return 0;
        }
        if (outcome)
            fprintf(stderr, "again: %s\n", shmipc_last_error());
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    }
    return outcome ? outcome : SHMIPC_E_TIMEOUT;
}

int main(int argc, char **argv) {
    shmipc_peer *host;
    struct job jobs[JOBS];
    int error = shmipc_host_create(argc > 1 ? argv[1] : "nats_bridge", NULL, &host);
    if (!error)
        error = shmipc_wait_guests(host, 1, SHMIPC_TIMEOUT_DEFAULT);
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    for (uint64_t i = 0; i < JOBS && !error; i++) {
        jobs[i] = (struct job){
            .id = {(uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec, i},
            .end = 1000000 / (i + 1),
        };
        error = ask(host, BRIDGE_JOB_START, &jobs[i], sizeof jobs[i], NULL);
    }
    for (uint64_t i = 0; i < JOBS && !error; i++) {
        uint64_t primes = 0;
        error = ask(host, BRIDGE_JOB_RESULT, &jobs[i], sizeof jobs[i].id, &primes);
        if (!error)
            printf("job %d: %llu primes\n", (int)i, (unsigned long long)primes);
    }
    if (error)
        fprintf(stderr, "%s\n", shmipc_strerror(error));
    shmipc_shutdown(host, SHMIPC_TIMEOUT_DEFAULT);
    shmipc_free(host);
    return error ? 1 : 0;
}
