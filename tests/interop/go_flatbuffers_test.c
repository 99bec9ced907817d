/*
 * FlatBuffers that a guest in Go builds in place, in both directions, at every size around each
 * capacity: they arrive as they were built, and what they align is aligned where they arrive. This
 * host passes bytes on and knows nothing of what is in them.
 */
#include "flatbuffers_script.h"
#include "support/fixture.h"
#include "support/processes.h"

#include <stdio.h>
#include <string.h>

enum { CAPACITY_MAX = 4096, SPARE = 64 /* what a builder may ask for beyond what it needs */ };

struct stage {
    struct region_name name;
    shmipc_peer *host;
    struct server server;
    struct process guest;
    uint32_t capacity;
};

static bool ends_aligned(const void *data, size_t length) {
    return ((uintptr_t)data + length) % 64 == 0;
}

/* Only a message in place has an aligned end at any length. */
static int host_handler(void *context, const shmipc_request *request, shmipc_response *response) {
    if (request->type != FB_HOST_ECHO)
        return shmipc_fail(response, "the host does not do type %u", (unsigned)request->type);
    if (!ends_aligned(request->data, request->length))
        return shmipc_fail(response, "%zu bytes do not end aligned", request->length);
    return echo_handler(context, request, response);
}

static void stage_open(struct stage *stage, uint32_t capacity) {
    shmipc_host_config config = SHMIPC_HOST_CONFIG_INIT;
    config.host_slots = 2;
    config.guest_slots = 2;
    config.request_capacity = capacity;
    config.response_capacity = capacity;
    stage->capacity = (capacity + 63) / 64 * 64;
    stage->name = new_name();
    must_equal(shmipc_host_create(stage->name.text, &config, &stage->host), SHMIPC_OK);
    server_start(&stage->server, stage->host, host_handler, NULL);
    const char *const arguments[] = {GO_FLATBUFFERS_GUEST_PROGRAM, stage->name.text, NULL};
    stage->guest = process_start(arguments);
    must_equal(shmipc_wait_guests(stage->host, 1, 20 * SECOND), SHMIPC_OK);
}

static void stage_close(struct stage *stage) {
    must_equal(shmipc_shutdown(stage->host, 20 * SECOND), SHMIPC_OK);
    int served = server_join(&stage->server);
    /* CLOSED: its thread had not come to serve before everything was over. */
    must(served == SHMIPC_E_SHUTDOWN || served == SHMIPC_E_CLOSED);
    must_equal(process_wait(stage->guest), 0);
    shmipc_free(stage->host);
}

static int call(struct stage *stage, uint32_t type, const void *data, size_t length,
                shmipc_response *response) {
    const shmipc_request request = {.data = data, .length = length, .type = type};
    return shmipc_call(stage->host, &request, response, 20 * SECOND);
}

static void must_succeed(int error, uint32_t type, uint64_t id) {
    if (error != SHMIPC_OK) {
        print_message("type %u, message %#llx: %s\n", (unsigned)type, (unsigned long long)id,
                      shmipc_last_error());
        fail();
    }
}

/* Asks for a number about a number; the machine is little-endian. */
static uint64_t number(struct stage *stage, uint32_t type, uint64_t id) {
    uint64_t answer = 0;
    shmipc_response response = {.data = &answer, .capacity = sizeof answer};
    must_succeed(call(stage, type, &id, sizeof id, &response), type, id);
    assert_int_equal(response.length, sizeof answer);
    return answer;
}

/* The guest's calls are refused where they happen, and it says so. */
static void check_request(struct stage *stage, uint64_t id, uint64_t size) {
    if (size > stage->capacity) {
        char sizes[64];
        assert_int_equal(call(stage, FB_CALL_HOST, &id, sizeof id, NULL), SHMIPC_E_HANDLER);
        (void)snprintf(sizes, sizeof sizes, "(bytes %llu, limit %u)", (unsigned long long)size,
                       (unsigned)stage->capacity);
        assert_non_null(strstr(shmipc_last_error(), stage->capacity > 128 ? sizes : "shmipc"));
        return;
    }
    uint64_t spilled = number(stage, FB_CALL_HOST, id);
    if (size + SPARE < stage->capacity)
        assert_int_equal(spilled, 0);
    if (size == stage->capacity)
        assert_int_equal(spilled, 1);
}

static void check_answer(struct stage *stage, uint64_t id, uint64_t size) {
    shmipc_slot slot;
    shmipc_response response;
    assert_int_equal(shmipc_slot_claim(stage->host, 20 * SECOND, &slot), SHMIPC_OK);
    memcpy(shmipc_slot_buffer(slot, NULL), &id, sizeof id);
    assert_int_equal(shmipc_slot_send(slot, FB_BUILD, sizeof id, 0), SHMIPC_OK);
    int error = shmipc_slot_receive(slot, 20 * SECOND, &response);
    if (size > stage->capacity) {
        char sizes[64];
        assert_int_equal(error, SHMIPC_E_TOO_LARGE);
        (void)snprintf(sizes, sizeof sizes, "%llu", (unsigned long long)size);
        assert_non_null(strstr(shmipc_last_error(), sizes));
    } else {
        must_succeed(error, FB_BUILD, id);
        assert_int_equal(response.type, SHMIPC_TYPE_FLATBUFFER);
        assert_int_equal(response.length, size);
        assert_true(ends_aligned(response.data, response.length));
        must_succeed(call(stage, FB_CHECK, response.data, response.length, NULL), FB_CHECK, id);
    }
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
}

static void check_both(struct stage *stage, uint64_t id) {
    uint64_t size = number(stage, FB_SIZE, id);
    check_request(stage, id, size);
    check_answer(stage, id, size);
}

static const uint32_t capacities[] = {8, 64, 100, 128, 1000, 1024, 4095, CAPACITY_MAX};

static void test_messages_of_every_size_arrive(void **state) {
    (void)state;
    for (unsigned i = 0; i < sizeof capacities / sizeof *capacities; i++) {
        struct stage stage;
        stage_open(&stage, capacities[i]);
        for (uint64_t length = 0; length <= stage.capacity + 100; length++) {
            check_both(&stage, length);
            check_both(&stage, length | FB_ALIGNMENT(64));
        }
        for (uint64_t count = 1; count <= stage.capacity / 32 + 2; count++)
            check_both(&stage, FB_BLOCKS(count) | FB_TEXT | count);
        stage_close(&stage);
    }
}

/* A panic is the end of the request alone. */
static void test_malformed_messages_end_in_handler(void **state) {
    struct stage stage;
    uint8_t message[1024];
    uint8_t garbage[1024];
    const uint64_t id = UINT64_C(100) | FB_TEXT | FB_BLOCKS(2);
    (void)state;
    stage_open(&stage, sizeof message);
    shmipc_response response = {.data = message, .capacity = sizeof message};
    must_succeed(call(&stage, FB_BUILD, &id, sizeof id, &response), FB_BUILD, id);
    size_t size = response.length;
    response.capacity = 0;
    /* It ends with a text, its terminator and up to 3 bytes of padding, which nobody reads. */
    for (size_t length = 0; length < size - 4; length++) {
        assert_int_equal(call(&stage, FB_ECHO, message, length, &response), SHMIPC_E_HANDLER);
        assert_int_equal(call(&stage, FB_CHECK, message, length, NULL), SHMIPC_E_HANDLER);
    }
    memset(garbage, 0xff, sizeof garbage);
    assert_int_equal(call(&stage, FB_ECHO, garbage, sizeof garbage, NULL), SHMIPC_E_HANDLER);
    assert_non_null(strstr(shmipc_last_error(), "panic: runtime error"));
    assert_int_equal(call(&stage, FB_CHECK, garbage, sizeof garbage, NULL), SHMIPC_E_HANDLER);
    assert_non_null(strstr(shmipc_last_error(), ": shmipcfb: malformed FlatBuffer: "));
    response.capacity = sizeof message;
    must_succeed(call(&stage, FB_ECHO, message, size, &response), FB_ECHO, id);
    assert_int_equal(response.length, size);
    stage_close(&stage);
}

static void test_mistakes_with_a_builder_are_errors(void **state) {
    struct stage stage;
    uint8_t answer[1024];
    shmipc_response response = {.data = answer, .capacity = sizeof answer};
    (void)state;
    stage_open(&stage, sizeof answer);
    must_succeed(call(&stage, FB_MISUSE, NULL, 0, &response), FB_MISUSE, 0);
    must_succeed(call(&stage, FB_CHECK, answer, response.length, NULL), FB_CHECK, 0);
    assert_int_equal(call(&stage, FB_ALLOCATED + 1, NULL, 0, &response), SHMIPC_E_HANDLER);
    assert_non_null(strstr(shmipc_last_error(), ": no handler for message type 136"));
    stage_close(&stage);
}

static bool answers_allocate_nothing(struct stage *stage, uint64_t id) {
    uint8_t answer[1024];
    shmipc_response response = {.data = answer, .capacity = sizeof answer};
    uint64_t before = number(stage, FB_ALLOCATED, 0);
    uint64_t between = number(stage, FB_ALLOCATED, 0);
    for (unsigned i = 0; i < 200; i++)
        must_succeed(call(stage, FB_BUILD, &id, sizeof id, &response), FB_BUILD, id);
    return number(stage, FB_ALLOCATED, 0) - between <= between - before;
}

/* Go's runtime allocates too, at times of its own. */
static void test_messages_in_place_allocate_nothing(void **state) {
    struct stage stage;
    const uint64_t id = UINT64_C(300) | FB_TEXT | FB_BLOCKS(2) | FB_ALIGNMENT(64);
    (void)state;
    stage_open(&stage, 1024);
    eventually(number(&stage, FB_ALLOCATIONS, id) == 0);
    eventually(answers_allocate_nothing(&stage, id));
    stage_close(&stage);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(test_messages_of_every_size_arrive),
        watched_test(test_malformed_messages_end_in_handler),
        watched_test(test_mistakes_with_a_builder_are_errors),
        watched_test(test_messages_in_place_allocate_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
