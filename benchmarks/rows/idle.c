/* The processor time of two processes that share 64 slots and have nothing to do, by what 10 s of
   that may cost: 10 ms. */
#include "rows.h"

#include "calls/pair.h"
#include "support/child.h"
#include "support/clock.h"
#include "support/statistics.h"
#include "support/wanted.h"

#include <pthread.h>

/* Of these the spread is taken. */
enum { PARTS = 5 };

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

/* The share of the allowed time that was used until `end`. */
static double idle_until(uint64_t end, double *cpu_s) {
    uint64_t begin = now_ns(), cpu = cpu_ns();
    sleep_until(end);
    double used = (double)(cpu_ns() - cpu);
    *cpu_s += used / (double)SECOND;
    return used / (allowed * (double)(now_ns() - begin));
}

static struct label label_of(const char *guest) {
    return (struct label){"idle", guest, 0, 1, 0, "64 slots"};
}

static void emit_idle(const char *guest, uint64_t length) {
    struct row row = {.label = label_of(guest), .limit_ns = allowed * (double)length};
    double ratios[PARTS];
    uint64_t begin = now_ns();
    for (unsigned i = 0; i < PARTS; i++)
        ratios[i] = idle_until(begin + length * (i + 1) / PARTS, &row.cpu_s);
    row.ratio = row.cpu_s * (double)SECOND / row.limit_ns;
    row.spread = interquartile_range(ratios, PARTS);
    emit(&row);
}

static void measure_guest(const char *guest, const struct effort *effort) {
    const struct label label = label_of(guest);
    if (!is_label_wanted(&label))
        return;
    uint64_t length = (effort->quick ? 2 : 10) * SECOND;
    struct pair pair = pair_start((struct pair_config){.guest = guest, .slots = 64});
    pthread_t server;
    if (pthread_create(&server, NULL, serve, pair.host) != 0)
        die("thread");
    sleep_until(now_ns() + SECOND / 2); /* what begins by spinning has come to rest */
    emit_idle(guest, length);
    pair_stop(&pair);
    pthread_join(server, NULL);
}

void measure_idle(const struct effort *effort) {
    measure_guest("c", effort);
    measure_guest("go", effort);
}
