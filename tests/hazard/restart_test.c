/* Calls that wait for a guest outlive its restarts. */
#define _GNU_SOURCE
#include "hazard/peers.h"

struct caller {
    shmipc_peer *host;
    enum way way;
    atomic_uint answered;
    atomic_uint started; /* calls whose guest died over them */
    atomic_bool stopping;
};

static void *call_on(void *context) {
    struct caller *c = context;
    struct line line = {.peer = c->host, .way = c->way};
    while (!atomic_load(&c->stopping)) {
        uint32_t question = draw(1u << 30);
        uint32_t answer = 0;
        const shmipc_request request = {.data = &question, .length = sizeof question};
        shmipc_response response = {.data = &answer, .capacity = sizeof answer};
        int error = line_call(&line, &request, &response, 60 * SECOND);
        if (error == SHMIPC_OK) {
            must_equal(answer, question);
            atomic_fetch_add(&c->answered, 1);
        } else {
            must_equal(error, SHMIPC_E_PEER_DIED);
            atomic_fetch_add(&c->started, 1);
        }
    }
    line_end(&line);
    return NULL;
}

static int serve_until_killed(void *context) {
    const char *name = context;
    shmipc_peer *guest;
    must_equal(shmipc_guest_attach(name, NULL, 20 * SECOND, &guest), 0);
    return shmipc_serve(guest, echo_handler, NULL);
}

/* Killed at any moment; between two guests there is none for longer than a tick, now and then. */
static void test_calls_that_wait_outlive_a_guests_restarts(void **state) {
    struct region_name name = new_name();
    shmipc_host_config config = test_host_config();
    struct caller callers[2] = {{.way = WAY_POOLED}, {.way = WAY_ASYNCHRONOUS}};
    pthread_t threads[2];
    (void)state;
    config.flags |= SHMIPC_WAIT_READY;
    must_equal(shmipc_host_create(name.text, &config, &callers[0].host), 0);
    callers[1].host = callers[0].host;
    for (int i = 0; i < 2; i++)
        threads[i] = thread_start(call_on, &callers[i]);
    for (unsigned round = 0; round < scaled(20); round++) {
        unsigned before = atomic_load(&callers[0].answered);
        unsigned other = atomic_load(&callers[1].answered);
        pid_t guest = child_start(serve_until_killed, name.text);
        eventually(atomic_load(&callers[0].answered) > before + 10 &&
                   atomic_load(&callers[1].answered) > other + 10);
        dawdle(2000000);
        child_kill(guest);
        if (round % 5 == 0)
            dawdle(250000000);
    }
    pid_t last = child_start(serve_until_killed, name.text);
    for (int i = 0; i < 2; i++)
        atomic_store(&callers[i].stopping, true);
    for (int i = 0; i < 2; i++)
        thread_join(threads[i]);
    child_kill(last);
    shmipc_free(callers[0].host);
}

HAZARD_MAIN("restart", hazard_test(test_calls_that_wait_outlive_a_guests_restarts))
