/* Creating and attaching to regions of growing sizes. A row's ratio is its time per byte by that of
   a region a fourth of its size: 1 where the cost is linear. */
#include "rows.h"

#include "calls/pair.h"
#include "support/child.h"
#include "support/clock.h"
#include "support/statistics.h"
#include "support/wanted.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { SLOTS = 4, TRIES = 15, MIB = 1 << 20 };

struct costs {
    double create[TRIES], attach[TRIES];
};

static void create_and_attach(uint32_t capacity, int try, struct costs *costs) {
    shmipc_host_config config = SHMIPC_HOST_CONFIG_INIT;
    shmipc_peer *host, *guest;
    char name[64];
    (void)snprintf(name, sizeof name, "create.%ld", (long)getpid());
    config.host_slots = SLOTS;
    config.guest_slots = 0;
    config.request_capacity = config.response_capacity = capacity;
    uint64_t begin = now_ns();
    check(shmipc_host_create(name, &config, &host));
    uint64_t created = now_ns();
    check(shmipc_guest_attach(name, NULL, SHMIPC_TIMEOUT_DEFAULT, &guest));
    costs->attach[try] = (double)(now_ns() - created);
    costs->create[try] = (double)(created - begin);
    shmipc_free(guest);
    shmipc_free(host);
}

static double emit_cost(const char *name, size_t bytes, double *ns, double smaller) {
    double middle = median(ns, TRIES);
    struct row row = {.label = {name, "c", bytes, 1, 0, ""},
                      .ns_p50 = middle,
                      .ns_max = ns[TRIES - 1],
                      .calls_per_s = (double)SECOND / middle,
                      .limit_ns = 4 * smaller,
                      .ratio = smaller > 0 ? middle / (4 * smaller) : 1,
                      .spread = interquartile_range(ns, TRIES) / middle};
    if (is_label_wanted(&row.label))
        emit(&row);
    return middle;
}

void measure_create(const struct effort *effort) {
    double create = 0, attach = 0;
    size_t largest = effort->quick ? 16 * MIB : 256 * MIB;
    for (size_t bytes = MIB; bytes <= largest; bytes *= 4) {
        struct costs costs;
        for (int i = 0; i < TRIES; i++)
            create_and_attach((uint32_t)(bytes / 2 / SLOTS), i, &costs);
        create = emit_cost("create", bytes, costs.create, create);
        attach = emit_cost("attach", bytes, costs.attach, attach);
    }
}
