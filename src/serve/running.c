#include "serve/running.h"

#include "base/unwind.h"
#include "serve/home.h"
#include "serve/poller.h"

/* The run of a handler that is expected to be long. */
struct run {
    shmipc_peer *peer; /* NULL: it has ended */
    struct worker *worker;
};

/* Also if the handler does not return, but throws an exception or ends its thread. */
static void end_run(struct run *run) {
    shmipc_peer *p = run->peer;
    if (p == NULL)
        return;
    run->peer = NULL;
    run->worker->state = WORKER_SEARCHING;
    shmi_crowd_leave(&p->serving.long_handlers);
    shmi_home_come_back(p, run->worker);
}

/* The worker goes out before it hands over, so that the hand-over passes on each request left to
   it. */
static void begin_run(struct run *run, uint32_t slot) {
    shmipc_peer *p = run->peer;
    shmi_home_go_out(p, run->worker, slot);
    if (run->worker->state == WORKER_POLLING)
        shmi_poller_hand_over(p, run->worker);
    run->worker->state = WORKER_RUNNING;
    run->worker->ran_long = true;
    run->worker->keeps_home = run->worker->home != NO_HOME;
    shmi_crowd_enter(&p->serving.long_handlers);
}

static int measure(shmipc_peer *p, const struct worker *worker, const shmipc_request *request,
                   shmipc_response *response) {
    const uint32_t type = request->type;
    uint64_t begin = shmi_clock_now();
    int failed = worker->handler(worker->context, request, response);
    shmi_duration_learn(&p->serving.durations, type, shmi_clock_now() - begin);
    return failed;
}

static int run_long(shmipc_peer *p, struct worker *worker, const shmipc_request *request,
                    shmipc_response *response) {
    struct run run UNDONE_BY(end_run) = {.peer = p, .worker = worker};
    begin_run(&run, request->slot - p->serves.first);
    int failed = measure(p, worker, request, response);
    end_run(&run);
    return failed;
}

static int run_short(shmipc_peer *p, const struct worker *worker, const shmipc_request *request,
                     shmipc_response *response) {
    if (worker->measures_next)
        return measure(p, worker, request, response);
    return worker->handler(worker->context, request, response);
}

/* A worker whose handler does not return needs no shmi_home_come_back: it moves out when it
   ends. */
int shmi_run_handler(shmipc_peer *p, struct worker *worker, const shmipc_request *request,
                     shmipc_response *response) {
    if (duration_is_long(&p->serving.durations, request->type))
        return run_long(p, worker, request, response);
    if (worker->state != WORKER_POLLING)
        shmi_home_go_out(p, worker, request->slot - p->serves.first);
    int failed = run_short(p, worker, request, response);
    shmi_home_come_back(p, worker);
    return failed;
}
