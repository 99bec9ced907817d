#include "load.h"

#include "processors.h"

#include "shmipc/shmipc.h"

#include <stdio.h>
#include <stdlib.h>

static struct {
    shmipc_peer *host, *guest;
    double handler_ns;
    uint64_t calls[PROCESSORS_MOST];
} run;

static void check(int error) {
    if (error == SHMIPC_OK)
        return;
    fprintf(stderr, "scaling: error %d: %s\n", error, shmipc_last_error());
    exit(1);
}

static int handle(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)context, (void)request;
    response->length = 0;
    processors_spend(ps_of(processors_costs()->serve));
    if (run.handler_ns > 0)
        processors_compute(ps_of(run.handler_ns));
    return 0;
}

static void work(void *argument) {
    (void)argument;
    check(shmipc_serve(run.guest, handle, NULL));
    abort();
}

static void call(void *argument) {
    uint64_t *calls = argument;
    for (;;) {
        shmipc_request request = {.data = NULL};
        shmipc_response response = {.data = NULL};
        processors_spend(ps_of(processors_costs()->call));
        check(shmipc_call(run.host, &request, &response, SHMIPC_TIMEOUT_DEFAULT));
        ++*calls;
    }
}

static void open_peers(uint32_t slots) {
    shmipc_host_config host = SHMIPC_HOST_CONFIG_INIT;
    const shmipc_guest_config guest = SHMIPC_GUEST_CONFIG_INIT;
    host.host_slots = slots;
    check(shmipc_host_create("scaling", &host, &run.host));
    check(shmipc_guest_attach("scaling", &guest, 0, &run.guest));
}

/* What has happened so far. */
struct count {
    uint64_t of[PROCESSORS_MOST];
    uint64_t calls;
    ps idle;
    struct processors_events events;
};

static struct count count_all(uint32_t callers) {
    struct count count = {.idle = processors_idle_time(), .events = processors_events()};
    for (uint32_t i = 0; i < callers; i++) {
        count.of[i] = run.calls[i];
        count.calls += run.calls[i];
    }
    return count;
}

static uint64_t fewest(const struct count *before, const struct count *after, uint32_t callers) {
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < callers; i++) {
        uint64_t calls = after->of[i] - before->of[i];
        least = calls < least ? calls : least;
    }
    return least;
}

static struct outcome compare(const struct count *before, const struct count *after,
                              const struct load *load) {
    const double calls = (double)(after->calls - before->calls);
    return (struct outcome){
        .calls_per_s = calls / load->measured_ms * 1e3,
        .idle = (double)(after->idle - before->idle) / (load->measured_ms * 1e9),
        .sleeps = (double)(after->events.sleeps - before->events.sleeps) / calls,
        .wakes = (double)(after->events.wakes - before->events.wakes) / calls,
        .fewest = (double)fewest(before, after, load->callers) * load->callers / calls,
    };
}

struct outcome load_run(const struct load *load, const struct costs *costs) {
    const ps begin = ps_of(load->warm_up_ms * 1e6), end = begin + ps_of(load->measured_ms * 1e6);
    processors_begin(load->processors, costs);
    run.handler_ns = load->handler_ns;
    open_peers(load->callers);
    for (uint32_t i = 0; i < load->callers; i++)
        processors_start(work, NULL);
    for (uint32_t i = 0; i < load->callers; i++)
        processors_start(call, &run.calls[i]);
    processors_run(begin);
    const struct count before = count_all(load->callers);
    processors_run(end);
    const struct count after = count_all(load->callers);
    return compare(&before, &after, load);
}
