/* Long jobs: the guest acknowledges at once, works, and calls back with the result. No call waits
   for the work, so no slot is held by it. */
#include <pthread.h>
#include <shmipc/shmipc.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { START = SHMIPC_TYPE_APPLICATION, DONE }; /* both carry a message */
enum { JOBS = 3, SECONDS = 10 };

struct message {
    uint64_t job;   /* which job: results come in any order */
    uint64_t value; /* START: a number; DONE: how many primes are below it */
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static uint64_t results[JOBS];
static int is_done[JOBS], done;

static int hear(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)context;
    struct message m = {.job = JOBS};
    if (request->type == DONE && request->length == sizeof m)
        memcpy(&m, request->data, sizeof m);
    if (m.job >= JOBS)
        return shmipc_fail(response, "this is no result of a job");
    pthread_mutex_lock(&lock);
    done += !is_done[m.job];
    is_done[m.job] = 1;
    results[m.job] = m.value;
    pthread_cond_signal(&changed);
    pthread_mutex_unlock(&lock);
    return 0;
}

static void *serve(void *host) {
    shmipc_serve(host, hear, NULL);
    return NULL;
}

static int start(shmipc_peer *host, uint64_t job) {
    struct message m = {.job = job, .value = 1000000 / (job + 1)};
    shmipc_request request = {.data = &m, .length = sizeof m, .type = START};
    return shmipc_call(host, &request, NULL, SHMIPC_TIMEOUT_DEFAULT);
}

/* A guest that died will never call back: that is what the time limit is for. */
static int wait_for_results(void) {
    struct timespec end = {.tv_sec = time(NULL) + SECONDS};
    int error = 0;
    pthread_mutex_lock(&lock);
    while (done < JOBS && !error)
        error = pthread_cond_timedwait(&changed, &lock, &end);
    for (int job = 0; job < JOBS; job++)
        printf("job %d: %llu primes\n", job, (unsigned long long)results[job]);
    pthread_mutex_unlock(&lock);
    return error ? SHMIPC_E_TIMEOUT : 0;
}

int main(int argc, char **argv) {
    shmipc_peer *host;
    pthread_t thread;
    int error = shmipc_host_create(argc > 1 ? argv[1] : "long_job", NULL, &host);
    if (error || pthread_create(&thread, NULL, serve, host))
        return fprintf(stderr, "cannot begin: %s\n", shmipc_last_error()), 1;
    error = shmipc_wait_guests(host, 1, SHMIPC_TIMEOUT_DEFAULT);
    for (uint64_t job = 0; job < JOBS && !error; job++)
        error = start(host, job);
    error = error ? error : wait_for_results();
    if (error)
        fprintf(stderr, "%s\n", shmipc_strerror(error));
    shmipc_shutdown(host, SHMIPC_TIMEOUT_DEFAULT);
    pthread_join(thread, NULL);
    shmipc_free(host);
    return error ? 1 : 0;
}
