/*
 * Real processes that call each other: in both directions, and in every way there is to make a
 * call. What all the tests of this directory share.
 */
#ifndef SHMIPC_TESTS_PEERS_H
#define SHMIPC_TESTS_PEERS_H

#include "support/fixture.h"

/* SHMIPC_HAZARD_SCALE multiplies the rounds of tests that look for rare interleavings. */
unsigned scaled(unsigned rounds);

/* 0 to below - 1; each thread and process draws its own sequence. */
uint32_t draw(uint32_t below);

/* Passes up to `ns`, by spinning or sleeping, whichever is drawn. */
void dawdle(uint32_t ns);

/* Like watched_test, with the time that a slow machine with sanitizers may need. */
int hazard_setup(void **state);
#define hazard_test(test) cmocka_unit_test_setup_teardown(test, hazard_setup, watched_teardown)

/* As main: the first argument may be a pattern of the tests to run, like "*_may_fail". */
#define HAZARD_MAIN(name, ...)                                                                     \
    int main(int argc, char **argv) {                                                              \
        const struct CMUnitTest tests[] = {__VA_ARGS__};                                           \
        if (argc > 1)                                                                              \
            cmocka_set_test_filter(argv[1]);                                                       \
        return cmocka_run_group_tests_name(name, tests, NULL, NULL);                               \
    }

/* A call without bytes. */
int call_empty(shmipc_peer *peer, int64_t timeout);

/* ---- The ways to make a call ---- */

enum way { WAY_POOLED, WAY_HELD, WAY_HELD_COPYING, WAY_ZERO_COPY, WAY_ASYNCHRONOUS, WAYS };

const char *way_name(enum way way);

/* One caller: a peer and a way. One thread at a time. */
struct line {
    shmipc_peer *peer;
    enum way way;
    shmipc_slot slot; /* WAY_HELD...: kept from call to call */
    bool holding;
};

/* A call of any way, with the meaning of shmipc_call; the answer is copied out before the slot is
   given back. */
int line_call(struct line *line, const shmipc_request *request, shmipc_response *response,
              int64_t timeout);

/* Gives back a slot that the line still holds. */
void line_end(struct line *line);

/* ---- A caller here, responders in processes of their own ---- */

struct scene {
    bool host_calls;           /* else: this process is a guest, and the child is the host */
    unsigned processes;        /* of responders; 0 is 1. More than one only if host_calls */
    unsigned workers;          /* threads that serve in each; 0 is 1 */
    shmipc_host_config config; /* size 0: test_host_config */
    shmipc_handler handler;
    void *context; /* in shared_memory, if the test reads the handler's writes */

    struct region_name name;
    shmipc_peer *caller;
    struct scene_stage *stage;
};

void scene_open(struct scene *scene);
/* Ends all peers gracefully and checks that each responder ended well. */
void scene_close(struct scene *scene);
pid_t scene_responder(const struct scene *scene, unsigned index);
/* After the test has killed a responder: it is not waited for any more. */
void scene_forget(struct scene *scene, unsigned index);

const char *direction_name(bool host_calls);

/* Runs a test in both directions, and in each for every way to call. */
void on_every_path(void (*test)(bool host_calls, enum way way));

/* Slots of the calling direction. */
uint32_t calling_slots(shmipc_peer *peer);

/* Claims every slot of the calling direction, within a generous time each, and releases them. */
void whole_pool_can_be_claimed(shmipc_peer *peer);

/* Whether a thread of this process sleeps; `thread` is from gettid, and 0 is none. */
bool thread_is_asleep(int thread);

#endif
