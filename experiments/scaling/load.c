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

static uint64_t total(uint32_t callers) {
    uint64_t sum = 0;
    for (uint32_t i = 0; i < callers; i++)
        sum += run.calls[i];
    return sum;
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
    const uint64_t before = total(load->callers);
    const ps idle = processors_idle_time();
    processors_run(end);
    return (struct outcome){
        .calls_per_s = (double)(total(load->callers) - before) / load->measured_ms * 1e3,
        .idle = (double)(processors_idle_time() - idle) / (double)(end - begin),
    };
}
