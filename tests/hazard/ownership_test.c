/* A slot belongs to one call at a time, on every path, even if either side is late. */
#define _GNU_SOURCE
#include "hazard/peers.h"
#include "hazard/questions.h"

#include "wire/layout.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Late answers ---- */

static uint64_t checksum(const shmipc_request *request) {
    const uint8_t *bytes = request->data;
    uint64_t sum = request->length;
    for (size_t i = 0; i < request->length; i++)
        sum = sum * 31 + bytes[i];
    return sum;
}

/* Answers late now and then. The request stays the same even if its caller has given up meanwhile.
   */
static int answer_late(void *context, const shmipc_request *request, shmipc_response *response) {
    atomic_uint *abandoned = context;
    uint64_t before = checksum(request);
    dawdle(draw(2) == 0 ? 2000000 : 20000);
    must(checksum(request) == before);
    if (shmipc_abandoned(request))
        atomic_fetch_add(abandoned, 1);
    return echo_handler(NULL, request, response);
}

static void *ask_impatiently(void *context) {
    struct asking *asking = context;
    for (unsigned i = 0; i < asking->rounds; i++) {
        struct question question = new_question();
        int error = ask(&asking->line, &question, draw(2) == 0 ? MILLISECOND / 2 : 20 * SECOND);
        must(error == SHMIPC_OK || error == SHMIPC_E_TIMEOUT || error == SHMIPC_E_TIMEOUT_STARTED);
        asking->answered += error == SHMIPC_OK;
        asking->given_up += error == SHMIPC_E_TIMEOUT_STARTED;
    }
    line_end(&asking->line);
    return NULL;
}

static void a_late_answer_reaches_nobody(bool host_calls, enum way way) {
    enum { CALLERS = 3 };
    atomic_uint *abandoned = shared_memory(sizeof *abandoned);
    struct scene scene = {.host_calls = host_calls,
                          .workers = 2,
                          .handler = answer_late,
                          .context = abandoned,
                          .config = config_with_slots(CALLERS)};
    struct asking asking[CALLERS];
    pthread_t threads[CALLERS];
    unsigned answered = 0;
    unsigned given_up = 0;
    scene_open(&scene);
    for (int i = 0; i < CALLERS; i++) {
        asking[i] =
            (struct asking){.line = {.peer = scene.caller, .way = way}, .rounds = scaled(150)};
        threads[i] = thread_start(ask_impatiently, &asking[i]);
    }
    for (int i = 0; i < CALLERS; i++) {
        thread_join(threads[i]);
        answered += asking[i].answered;
        given_up += asking[i].given_up;
    }
    must(answered > 0 && given_up > 0);
    must(atomic_load(abandoned) > 0);
    whole_pool_can_be_claimed(scene.caller);
    scene_close(&scene);
    shared_memory_free(abandoned, sizeof *abandoned);
}

static void test_a_late_answer_reaches_nobody(void **state) {
    (void)state;
    on_every_path(a_late_answer_reaches_nobody);
}

/* ---- The same, step by step ---- */

struct steps {
    struct gate entered;
    struct gate go_on;
};

static int answer_when_told(void *context, const shmipc_request *request,
                            shmipc_response *response) {
    struct steps *steps = context;
    uint64_t before = checksum(request);
    gate_pass(&steps->entered);
    unsigned turn = atomic_load(&steps->entered.passed);
    gate_await(&steps->go_on, turn);
    must(checksum(request) == before);
    return echo_handler(NULL, request, response);
}

/* Repeats the call until a handler has begun: a busy machine may need more than one try. */
static void ask_until_started(struct line *line) {
    struct question question = new_question();
    int error;
    do {
        error = ask(line, &question, 5 * MILLISECOND);
    } while (error == SHMIPC_E_TIMEOUT);
    must_equal(error, SHMIPC_E_TIMEOUT_STARTED);
}

static void *ask_patiently(void *context) {
    struct question question = new_question();
    must_equal(ask(context, &question, 30 * SECOND), 0);
    return NULL;
}

static void a_slot_given_up_waits_for_its_handler(bool host_calls, enum way way) {
    struct steps *steps = shared_memory(sizeof *steps);
    struct scene scene = {.host_calls = host_calls,
                          .handler = answer_when_told,
                          .context = steps,
                          .config = config_with_slots(1)};
    scene_open(&scene);
    struct line line = {.peer = scene.caller, .way = way};
    for (unsigned i = 1; i < 20; i += 2) {
        shmipc_slot slot;
        ask_until_started(&line);
        gate_await(&steps->entered, i);
        /* The one slot is not free while the handler of the abandoned request runs. */
        must_equal(shmipc_slot_claim(scene.caller, MILLISECOND, &slot), SHMIPC_E_TIMEOUT);
        pthread_t thread = thread_start(ask_patiently, &line);
        gate_pass(&steps->go_on);
        gate_await(&steps->entered, i + 1);
        gate_pass(&steps->go_on);
        thread_join(thread);
        line_end(&line);
    }
    scene_close(&scene);
    shared_memory_free(steps, sizeof *steps);
}

static void test_a_slot_given_up_waits_for_its_handler(void **state) {
    (void)state;
    on_every_path(a_slot_given_up_waits_for_its_handler);
}

/* ---- Stale handles ---- */

static uint8_t *read_region(const char *name, size_t *size) {
    char path[256];
    struct stat status;
    path_of(name, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0);
    must_equal(fstat(fd, &status), 0);
    *size = (size_t)status.st_size;
    uint8_t *bytes = malloc(*size);
    must(bytes != NULL);
    must_equal(read(fd, bytes, *size), (ssize_t)*size);
    must_equal(close(fd), 0);
    return bytes;
}

static void expect_refused(shmipc_slot slot) {
    shmipc_response response;
    size_t capacity = 77;
    must(shmipc_slot_buffer(slot, &capacity) == NULL);
    must_equal(capacity, 77);
    must_equal(shmipc_slot_send(slot, 0, 8, 0), SHMIPC_E_STALE);
    must_equal(shmipc_slot_ready(slot), SHMIPC_E_STALE);
    must_equal(shmipc_slot_receive(slot, SECOND, &response), SHMIPC_E_STALE);
    must_equal(shmipc_slot_cancel(slot), SHMIPC_E_STALE);
    must_equal(shmipc_slot_release(slot), SHMIPC_E_STALE);
}

static void expect_no_effect(const struct scene *scene, shmipc_slot slot) {
    size_t size;
    size_t size_after;
    uint8_t *before = read_region(scene->name.text, &size);
    expect_refused(slot);
    uint8_t *after = read_region(scene->name.text, &size_after);
    must_equal(size, size_after);
    /* Between header and slots lie the eventcounts and counters of peers that go on living. */
    must_equal(memcmp(before, after, sizeof(struct header)), 0);
    must_equal(memcmp(before + SLOTS_OFFSET, after + SLOTS_OFFSET, size - SLOTS_OFFSET), 0);
    free(before);
    free(after);
}

static void stale_handles_have_no_effect(bool host_calls) {
    struct steps *steps = shared_memory(sizeof *steps);
    struct scene scene = {.host_calls = host_calls,
                          .handler = answer_when_told,
                          .context = steps,
                          .config = config_with_slots(1)};
    shmipc_response view;
    shmipc_slot timed_out;
    shmipc_slot released;
    shmipc_slot again;
    scene_open(&scene);
    must_equal(shmipc_slot_claim(scene.caller, SECOND, &timed_out), 0);
    must_equal(shmipc_slot_send(timed_out, 0, 8, 0), 0);
    gate_await(&steps->entered, 1);
    must_equal(shmipc_slot_receive(timed_out, MILLISECOND, &view), SHMIPC_E_TIMEOUT_STARTED);
    expect_no_effect(&scene, timed_out);
    gate_pass(&steps->go_on);
    must_equal(shmipc_slot_claim(scene.caller, 20 * SECOND, &released), 0);
    must_equal(shmipc_slot_release(released), 0);
    expect_no_effect(&scene, released);
    /* Also when another caller has claimed the same slot again, and uses it. */
    must_equal(shmipc_slot_claim(scene.caller, SECOND, &again), 0);
    expect_no_effect(&scene, timed_out);
    expect_no_effect(&scene, released);
    must_equal(shmipc_slot_send(again, 0, 8, 0), 0);
    gate_await(&steps->entered, 2);
    expect_no_effect(&scene, timed_out);
    expect_no_effect(&scene, released);
    gate_pass(&steps->go_on);
    must_equal(shmipc_slot_receive(again, 20 * SECOND, &view), 0);
    must_equal(shmipc_slot_release(again), 0);
    expect_no_effect(&scene, (shmipc_slot){.peer = NULL});
    expect_no_effect(&scene, (shmipc_slot){.peer = scene.caller, .index = 99, .ticket = 1});
    scene_close(&scene);
    shared_memory_free(steps, sizeof *steps);
}

static void test_a_stale_handle_is_refused_and_changes_no_byte(void **state) {
    (void)state;
    stale_handles_have_no_effect(true);
    stale_handles_have_no_effect(false);
}

/* ---- Requests that no handler started ---- */

static int count_all(void *context, const shmipc_request *request, shmipc_response *response) {
    atomic_uint *runs = context;
    (void)request;
    (void)response;
    atomic_fetch_add(runs, 1);
    return 0;
}

/* The responder is attached but does not serve until the calls have timed out. */
static void an_unstarted_request_never_runs(bool host_calls, enum way way) {
    atomic_uint runs = 0;
    struct pair pair;
    struct server server;
    pair_open(&pair, NULL);
    struct line line = {.peer = host_calls ? pair.host : pair.guest, .way = way};
    for (int i = 0; i < 20; i++)
        must_equal(send_some_type(&line, 0, 8, 100000), SHMIPC_E_TIMEOUT);
    server_start(&server, host_calls ? pair.guest : pair.host, count_all, &runs);
    must_equal(shmipc_ping(line.peer, 20 * SECOND, NULL), 0);
    must_equal(atomic_load(&runs), 0);
    must_equal(send_some_type(&line, 0, 8, 20 * SECOND), 0);
    must_equal(atomic_load(&runs), 1);
    line_end(&line);
    must_equal(server_stop(&server), SHMIPC_E_WOKEN);
    pair_close(&pair);
}

static void test_a_request_that_timed_out_unstarted_never_runs(void **state) {
    (void)state;
    on_every_path(an_unstarted_request_never_runs);
}

HAZARD_MAIN("ownership", hazard_test(test_a_late_answer_reaches_nobody),
            hazard_test(test_a_slot_given_up_waits_for_its_handler),
            hazard_test(test_a_stale_handle_is_refused_and_changes_no_byte),
            hazard_test(test_a_request_that_timed_out_unstarted_never_runs))
