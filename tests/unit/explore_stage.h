/*
 * A stage for the explore tests: a host and a guest of one region, and what their callers and
 * workers do.
 */
#ifndef SHMIPC_TESTS_EXPLORE_STAGE_H
#define SHMIPC_TESTS_EXPLORE_STAGE_H

#include "support/explore.h"
#include "support/fixture.h"

#include "peer/peer.h"

/* Runs in orders drawn by lot, beyond those gone through one by one. */
enum { DRAWN = 1200 };

struct stage {
    struct pair pair;
    bool host_calls;
    shmipc_peer *caller;
    shmipc_peer *responder;
    shmipc_peer *another; /* responder, if there are two */
    shmipc_host_config config;
    uint32_t request;     /* a number for each, all runs together */
    uint32_t running;     /* handlers that run now */
    uint32_t served;      /* of this run */
    uint32_t calls_to_go; /* of this run */
    uint32_t late;        /* runs whose first call was given up while its handler ran */
    atomic_u32 met;       /* futex of the handlers that wait for each other */
    shmipc_slot slot;
    int result;
};

void open_stage(struct stage *s, bool host_calls, uint32_t slots);
void close_stage(struct stage *s);

/* Answers with the request's number, and notices if the request changes under it. */
int number_handler(void *context, const shmipc_request *request, shmipc_response *response);

/* With a number of its own; checks the answer. */
int call_once(struct stage *s, int64_t timeout);

/* The last of the callers sends the server home. */
void finish_call(struct stage *s);
void call_and_finish(void *context);
void serve_until_woken(void *context);

/* ---- What begins and ends a run ---- */

/* So many calls in this run. */
void expect_calls(struct stage *s, uint32_t count);
void assert_pool_is_free(struct stage *s);
void begin_one(void *context);
void begin_two(void *context);
void end_two(void *context);

/* ---- Runs ---- */

/* On one stage for all runs, with so many slots in each direction. */
void run_on_stage(bool host_calls, uint32_t slots, struct scenario scenario);
void begin_nothing(void *context);

/* With a claimed slot in the stage. */
void begin_claimed(void *context);
void cancel_slot(void *context);

/* Nobody serves: only the cancel can end the call. */
void end_cancelled_unstarted(void *context);
void end_closed(void *context);

/* The scenario opens and closes a stage in each run. */
void run_closing(bool host_calls, struct scenario scenario);

#endif
