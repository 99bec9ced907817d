/*
 * Running a handler: a poller hands over before a long one, and the library learns how long
 * handlers take.
 */
#ifndef SHMIPC_RUNNING_H
#define SHMIPC_RUNNING_H

#include "serve/worker_state.h"

/* run_handler's slow path: the handler may be long, or is measured, or the worker does not poll. */
int shmi_run_handler(shmipc_peer *peer, struct worker *worker, const shmipc_request *request,
                     shmipc_response *response);

/* Runs the handler and returns its result. */
static inline int run_handler(shmipc_peer *p, struct worker *worker, const shmipc_request *request,
                              shmipc_response *response) {
    if (worker->state == WORKER_POLLING && !worker->measures_next &&
        durations_are_short(&p->serving.durations))
        return worker->handler(worker->context, request, response);
    return shmi_run_handler(p, worker, request, response);
}

/* Called after each answered request. */
static inline void run_count(struct worker *worker) {
    worker->measures_next = duration_is_sampled(++worker->handlers);
}

#endif
