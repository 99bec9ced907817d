/* The processor time of two processes that share 64 slots and have nothing to do, by what 10 s of
   that may cost: 10 ms. */
#include "rows.h"

#include "calls/pair.h"
#include "support/child.h"
#include "support/clock.h"

#include <pthread.h>

static const double allowed = 0.001; /* of the time */

static int answer_nothing(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)context;
    (void)request;
    (void)response;
    return 0;
}

static void *serve(void *host) {
    (void)shmipc_serve(host, answer_nothing, NULL);
    return NULL;
}

static void emit_idle(const char *guest, double seconds, double cpu_s) {
    struct row row = {.label = {"idle", guest, 0, 1, 0, "64 slots"},
                      .limit_ns = allowed * seconds * (double)SECOND,
                      .ratio = cpu_s / (allowed * seconds),
                      .cpu_s = cpu_s};
    emit(&row);
}

static void measure_guest(const char *guest, const struct effort *effort) {
    uint64_t length = (effort->quick ? 2 : 10) * SECOND;
    struct pair pair = pair_start((struct pair_config){.guest = guest, .slots = 64});
    pthread_t server;
    if (pthread_create(&server, NULL, serve, pair.host) != 0)
        die("thread");
    sleep_until(now_ns() + SECOND / 2); /* what begins by spinning has come to rest */
    uint64_t begin = now_ns(), cpu = cpu_ns();
    sleep_until(begin + length);
    emit_idle(guest, (double)length / (double)SECOND, (double)(cpu_ns() - cpu) / (double)SECOND);
    pair_stop(&pair);
    pthread_join(server, NULL);
}

void measure_idle(const struct effort *effort) {
    measure_guest("c", effort);
    measure_guest("go", effort);
}
