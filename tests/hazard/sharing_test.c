/* Many threads in few slots: no answer is mixed up, no request runs twice, and no slot is lost. */
#define _GNU_SOURCE
#include "hazard/peers.h"
#include "hazard/questions.h"

#include <string.h>

/* ---- More threads than slots ---- */

static void *ask_many(void *context) {
    struct asking *asking = context;
    for (unsigned i = 0; i < asking->rounds; i++) {
        struct question question = new_question();
        must_equal(ask(&asking->line, &question, 60 * SECOND), 0);
        if (draw(4) == 0)
            line_end(&asking->line);
    }
    line_end(&asking->line);
    return NULL;
}

static void threads_share_fewer_slots(bool host_calls, enum way way) {
    enum { THREADS = 8 };
    struct scene scene = {.host_calls = host_calls,
                          .workers = 2,
                          .handler = echo_handler,
                          .config = config_with_slots(3)};
    struct asking asking[THREADS];
    pthread_t threads[THREADS];
    scene_open(&scene);
    for (int i = 0; i < THREADS; i++) {
        asking[i] =
            (struct asking){.line = {.peer = scene.caller, .way = way}, .rounds = scaled(400)};
        threads[i] = thread_start(ask_many, &asking[i]);
    }
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    scene_close(&scene);
}

static void test_threads_share_fewer_slots_without_mixing_answers(void **state) {
    (void)state;
    on_every_path(threads_share_fewer_slots);
}

/* A slow reader of an answer keeps its slot: the bytes do not change meanwhile. */
static void *read_slowly(void *context) {
    struct asking *asking = context;
    for (unsigned i = 0; i < asking->rounds; i++) {
        struct question question = new_question();
        shmipc_response view;
        shmipc_slot slot;
        must_equal(shmipc_slot_claim(asking->line.peer, 60 * SECOND, &slot), 0);
        memcpy(shmipc_slot_buffer(slot, NULL), question.bytes, question.length);
        must_equal(shmipc_slot_send(slot, 130, question.length, 0), 0);
        must_equal(shmipc_slot_receive(slot, 60 * SECOND, &view), 0);
        dawdle(100000);
        must_equal(view.length, question.length);
        must(pattern_holds(view.data, view.length, question.seed));
        must_equal(shmipc_slot_release(slot), 0);
    }
    return NULL;
}

static void slow_readers_share_slots(bool host_calls) {
    enum { THREADS = 6 };
    struct scene scene = {.host_calls = host_calls,
                          .workers = 2,
                          .handler = echo_handler,
                          .config = config_with_slots(2)};
    struct asking asking[THREADS];
    pthread_t threads[THREADS];
    scene_open(&scene);
    for (int i = 0; i < THREADS; i++) {
        asking[i] = (struct asking){.line = {.peer = scene.caller}, .rounds = scaled(300)};
        threads[i] = thread_start(read_slowly, &asking[i]);
    }
    for (int i = 0; i < THREADS; i++)
        thread_join(threads[i]);
    scene_close(&scene);
}

static void test_an_answer_stays_until_its_slow_reader_releases_it(void **state) {
    (void)state;
    slow_readers_share_slots(true);
    slow_readers_share_slots(false);
}

/* ---- Exactly once ---- */

enum { REQUESTS = 4000, ASKERS = 8 };

static int count_run(void *context, const shmipc_request *request, shmipc_response *response) {
    atomic_uchar *runs = context;
    uint32_t number;
    memcpy(&number, request->data, sizeof number);
    atomic_fetch_add(&runs[number], 1);
    dawdle(2000);
    return echo_handler(NULL, request, response);
}

struct numbers {
    struct line line;
    uint32_t first;
};

static void *ask_numbers(void *context) {
    const struct numbers *numbers = context;
    struct line line = numbers->line;
    for (uint32_t i = numbers->first; i < REQUESTS; i += ASKERS) {
        uint32_t answer = 0;
        const shmipc_request request = {.data = &i, .length = sizeof i};
        shmipc_response response = {.data = &answer, .capacity = sizeof answer};
        must_equal(line_call(&line, &request, &response, 60 * SECOND), 0);
        must_equal(answer, i);
    }
    line_end(&line);
    return NULL;
}

/* Two processes of four workers each, or one of eight: only a host may have several guests. */
static void each_request_runs_once(bool host_calls, enum way way) {
    atomic_uchar *runs = shared_memory(REQUESTS);
    struct scene scene = {.host_calls = host_calls,
                          .processes = host_calls ? 2 : 1,
                          .workers = host_calls ? 4 : 8,
                          .handler = count_run,
                          .context = runs,
                          .config = config_with_slots(ASKERS)};
    struct numbers numbers[ASKERS];
    pthread_t threads[ASKERS];
    scene_open(&scene);
    for (uint32_t i = 0; i < ASKERS; i++) {
        numbers[i] = (struct numbers){{.peer = scene.caller, .way = way}, i};
        threads[i] = thread_start(ask_numbers, &numbers[i]);
    }
    for (int i = 0; i < ASKERS; i++)
        thread_join(threads[i]);
    scene_close(&scene);
    for (int i = 0; i < REQUESTS; i++)
        must_equal(atomic_load(&runs[i]), 1);
    shared_memory_free(runs, REQUESTS);
}

static void test_eight_workers_run_each_request_exactly_once(void **state) {
    (void)state;
    on_every_path(each_request_runs_once);
}

/* ---- Nothing leaks ---- */

static int fail_in_every_way(void *context, const shmipc_request *request,
                             shmipc_response *response) {
    (void)context;
    switch (request->type) {
    case 201:
        response->length = response->capacity + 1;
        return 0;
    case 202:
        return shmipc_fail(response, "no");
    case 203:
        response->type = 5; /* reserved */
        return 0;
    case 204:
        dawdle(100000);
        return 0;
    default:
        return 0;
    }
}

static void no_error_costs_a_slot(bool host_calls, enum way way) {
    struct scene scene = {.host_calls = host_calls,
                          .workers = 2,
                          .handler = fail_in_every_way,
                          .config = config_with_slots(2)};
    unsigned timeouts = 0;
    scene_open(&scene);
    struct line line = {.peer = scene.caller, .way = way};
    for (unsigned i = 0; i < 1250; i++) { /* 10^4 over all paths */
        int error = send_some_type(&line, 204, 8, draw(60000));
        must(error == SHMIPC_OK || error == SHMIPC_E_TIMEOUT || error == SHMIPC_E_TIMEOUT_STARTED);
        timeouts += error != SHMIPC_OK;
        if (i % 10 != 0)
            continue;
        must_equal(send_some_type(&line, 201, 8, 20 * SECOND), SHMIPC_E_TOO_LARGE);
        must_equal(send_some_type(&line, 202, 8, 20 * SECOND), SHMIPC_E_HANDLER);
        must_equal(send_some_type(&line, 203, 8, 20 * SECOND), SHMIPC_E_TYPE);
        must_equal(send_some_type(&line, 5, 8, 20 * SECOND), SHMIPC_E_TYPE);
        line_end(&line);
        must_equal(send_some_type(&line, 200, BYTES + 1, 20 * SECOND), SHMIPC_E_TOO_LARGE);
        line_end(&line);
    }
    line_end(&line);
    must(timeouts > 0);
    whole_pool_can_be_claimed(scene.caller);
    scene_close(&scene);
}

static void test_no_time_out_and_no_error_costs_a_slot(void **state) {
    (void)state;
    on_every_path(no_error_costs_a_slot);
}

HAZARD_MAIN("sharing", hazard_test(test_threads_share_fewer_slots_without_mixing_answers),
            hazard_test(test_an_answer_stays_until_its_slow_reader_releases_it),
            hazard_test(test_eight_workers_run_each_request_exactly_once),
            hazard_test(test_no_time_out_and_no_error_costs_a_slot))
