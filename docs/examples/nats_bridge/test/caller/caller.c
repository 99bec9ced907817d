/* caller NAME THREADS: makes the calls that it reads, and says what has become of each.
   A line in is "TYPE ID WORK TIMEOUT_MS PADDING", a line out "ID OUTCOME TYPE VALUE MESSAGE". */
#include "../../outcome.h"
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { THREADS_MAX = 64, CAPACITY = 2 << 20 };

static pthread_mutex_t reading = PTHREAD_MUTEX_INITIALIZER;

struct call {
    uint32_t type;
    uint64_t id, work;
    int64_t timeout_ms;
    size_t padding; /* bytes between a job's id and what the handler reads */
};

static int next(struct call *call) {
    char line[128];
    pthread_mutex_lock(&reading);
    const char *read = fgets(line, sizeof line, stdin);
    pthread_mutex_unlock(&reading);
    return read && sscanf(line, "%" SCNu32 " %" SCNu64 " %" SCNu64 " %" SCNd64 " %zu", &call->type,
                          &call->id, &call->work, &call->timeout_ms, &call->padding) == 5;
}

static int send(shmipc_peer *host, const struct call *call, shmipc_response *response) {
    const uint64_t words[] = {call->id, 0, call->id, call->work};
    size_t half = sizeof words / 2, length = sizeof words + call->padding;
    char *data = calloc(1, length);
    if (!data)
        return SHMIPC_E_NO_MEMORY;
    memcpy(data, words, half);
    memcpy(data + length - half, words + 2, half);
    shmipc_request request = {.data = data, .length = length, .type = call->type};
    int error = shmipc_call(host, &request, response, call->timeout_ms * 1000000);
    free(data);
    return error;
}

static void make(shmipc_peer *host, const struct call *call) {
    char text[256] = "";
    uint64_t value = 0;
    shmipc_response response = {.data = text, .capacity = sizeof text - 1};
    int error = send(host, call, &response);
    size_t length = response.length < sizeof text ? response.length : sizeof text - 1;
    if (error && error != SHMIPC_E_HANDLER)
        length = 0;
    int outcome = bridge_outcome(error, text, length);
    if (!error)
        memcpy(&value, text, length < sizeof value ? length : sizeof value);
    text[error ? length : 0] = '\0';
    printf("%" PRIu64 " %d %" PRIu32 " %" PRIu64 " %s\n", call->id, outcome, response.type, value,
           text);
    if (outcome) /* the next may end as soon as this */
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

static void *run(void *host) {
    struct call call;
    while (next(&call))
        make(host, &call);
    return NULL;
}

int main(int argc, char **argv) {
    int threads = argc > 2 ? atoi(argv[2]) : 0;
    pthread_t thread[THREADS_MAX];
    shmipc_host_config config = SHMIPC_HOST_CONFIG_INIT;
    shmipc_peer *host;
    if (threads < 1 || threads > THREADS_MAX)
        return fprintf(stderr, "usage: caller NAME THREADS\n"), 1;
    config.host_slots = (uint32_t)threads;
    config.request_capacity = CAPACITY;
    config.flags = SHMIPC_LAZY;
    if (shmipc_host_create(argv[1], &config, &host))
        return fprintf(stderr, "%s\n", shmipc_last_error()), 1;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (int i = 0; i < threads; i++)
        if (pthread_create(&thread[i], NULL, run, host))
            return fprintf(stderr, "cannot start a thread\n"), 1;
    for (int i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    shmipc_shutdown(host, SHMIPC_TIMEOUT_DEFAULT);
    shmipc_free(host);
    return 0;
}
