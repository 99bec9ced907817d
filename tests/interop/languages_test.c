/*
 * A host in C and guests in C and in Go, alone, in pairs and mixed: the same calls, in both
 * directions, with the same results and the same errors.
 */
#include "cast.h"

#include <stdio.h>
#include <string.h>

enum { REQUEST_CAPACITY = 1024, RESPONSE_CAPACITY = 512 };

static const uint32_t lengths[] = {0,   1,   2,   7,   8,   15,  16,  31,
                                   32,  33,  47,  48,  49,  63,  64,  65,
                                   127, 128, 129, 255, 256, 257, 499, RESPONSE_CAPACITY};

static void requests_of_every_length_come_back(struct cast *cast) {
    uint8_t sent[REQUEST_CAPACITY];
    uint8_t got[REQUEST_CAPACITY];
    for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        pattern_fill(sent, lengths[i], i);
        assert_int_equal(ask(cast->host, SCRIPT_ECHO, sent, lengths[i], got, sizeof got),
                         lengths[i]);
        assert_true(pattern_holds(got, lengths[i], i));
    }
}

static void check_pattern(const uint8_t *bytes, uint32_t length) {
    for (uint32_t i = 0; i < length; i++)
        assert_int_equal(bytes[i], (uint8_t)(i * 7 + length));
}

static void answers_of_every_length_arrive(struct cast *cast) {
    uint8_t got[RESPONSE_CAPACITY];
    for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        for (uint32_t type = SCRIPT_PATTERN; type <= SCRIPT_AT_END; type++) {
            memset(got, 0xee, sizeof got);
            assert_int_equal(ask(cast->host, type, &lengths[i], sizeof lengths[i], got, sizeof got),
                             lengths[i]);
            check_pattern(got, lengths[i]);
        }
    }
}

static void requests_at_the_end_of_the_buffer_arrive(struct cast *cast) {
    for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        shmipc_slot slot;
        shmipc_response response;
        size_t capacity = 0;
        assert_int_equal(shmipc_slot_claim(cast->host, 20 * SECOND, &slot), SHMIPC_OK);
        uint8_t *buffer = shmipc_slot_buffer(slot, &capacity);
        pattern_fill(buffer + capacity - lengths[i], lengths[i], i);
        assert_int_equal(shmipc_slot_send(slot, SCRIPT_ECHO, lengths[i], SHMIPC_ALIGN_END),
                         SHMIPC_OK);
        assert_int_equal(shmipc_slot_receive(slot, 20 * SECOND, &response), SHMIPC_OK);
        assert_int_equal(response.length, lengths[i]);
        assert_true(pattern_holds(response.data, lengths[i], i));
        assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    }
}

static void guests_call_the_host(struct cast *cast) {
    uint8_t sent[RESPONSE_CAPACITY];
    uint8_t got[RESPONSE_CAPACITY];
    for (unsigned i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        pattern_fill(sent, lengths[i], i);
        assert_int_equal(ask(cast->host, SCRIPT_CALL_HOST, sent, lengths[i], got, sizeof got),
                         lengths[i]);
        assert_true(pattern_holds(got, lengths[i], i));
    }
}

static int call(struct cast *cast, uint32_t type, const void *data, size_t length,
                shmipc_response *response, int64_t timeout) {
    const shmipc_request request = {.data = data, .length = length, .type = type};
    return shmipc_call(cast->host, &request, response, timeout);
}

static bool contains(const char *bytes, size_t length, const char *text) {
    size_t wanted = strlen(text);
    for (size_t i = 0; i + wanted <= length; i++) {
        if (memcmp(bytes + i, text, wanted) == 0)
            return true;
    }
    return false;
}

static void the_host_is_told_each_error(struct cast *cast) {
    char text[200];
    char large[REQUEST_CAPACITY + 1] = {0};
    const uint32_t too_much = RESPONSE_CAPACITY + 1;
    shmipc_response response = {.data = text, .capacity = sizeof text};

    assert_int_equal(call(cast, SCRIPT_FAIL, "no such key", 11, &response, 20 * SECOND),
                     SHMIPC_E_HANDLER);
    assert_non_null(strstr(shmipc_last_error(), "no such key"));
    assert_true(contains(text, response.length, "no such key"));
    assert_int_equal(call(cast, SCRIPT_WRONG_TYPE, NULL, 0, NULL, 20 * SECOND), SHMIPC_E_TYPE);
    assert_int_equal(call(cast, 3, NULL, 0, NULL, 20 * SECOND), SHMIPC_E_TYPE);
    assert_int_equal(call(cast, SCRIPT_ECHO, large, sizeof large, NULL, 20 * SECOND),
                     SHMIPC_E_TOO_LARGE);
    assert_int_equal(call(cast, SCRIPT_PATTERN, &too_much, sizeof too_much, &response, 20 * SECOND),
                     SHMIPC_E_TOO_LARGE);
    assert_non_null(strstr(shmipc_last_error(), "513"));
    assert_non_null(strstr(shmipc_last_error(), "512"));
    assert_int_equal(call(cast, SCRIPT_AWAIT_ABANDONED, NULL, 0, NULL, 50 * MILLISECOND),
                     SHMIPC_E_TIMEOUT_STARTED);
}

static int32_t provoke(struct cast *cast, uint32_t provocation) {
    int32_t error = 1;
    assert_int_equal(
        ask(cast->host, SCRIPT_PROVOKE, &provocation, sizeof provocation, &error, sizeof error),
        sizeof error);
    return error;
}

static void the_guest_is_told_each_error(struct cast *cast) {
    assert_int_equal(provoke(cast, PROVOKE_NOTHING), SHMIPC_OK);
    assert_int_equal(provoke(cast, PROVOKE_TYPE), SHMIPC_E_TYPE);
    assert_int_equal(provoke(cast, PROVOKE_TOO_LARGE), SHMIPC_E_TOO_LARGE);
    assert_int_equal(provoke(cast, PROVOKE_HANDLER), SHMIPC_E_HANDLER);
    assert_int_equal(provoke(cast, PROVOKE_ANSWER), SHMIPC_E_TOO_LARGE);
    assert_int_equal(provoke(cast, PROVOKE_TIMEOUT), SHMIPC_E_TIMEOUT_STARTED);
    assert_int_equal(provoke(cast, PROVOKE_STALE), SHMIPC_E_STALE);
    assert_int_equal(provoke(cast, PROVOKE_STATE), SHMIPC_E_STATE);
    int32_t cancelled = provoke(cast, PROVOKE_CANCELLED);
    assert_true(cancelled == SHMIPC_E_CANCELLED || cancelled == SHMIPC_E_CANCELLED_STARTED);
}

static void both_sides_answer_heartbeats(struct cast *cast) {
    int64_t rtt = 0;
    assert_int_equal(shmipc_ping(cast->host, 20 * SECOND, &rtt), SHMIPC_OK);
    assert_true(rtt > 0);
    rtt = 0;
    assert_int_equal(ask(cast->host, SCRIPT_PING, NULL, 0, &rtt, sizeof rtt), sizeof rtt);
    assert_true(rtt > 0);
}

/* A killed guest's request ends at once, and others, or its successor, go on. */
static void a_guest_is_killed(struct cast *cast) {
    shmipc_slot slots[CAST_MAX];
    shmipc_response response;
    for (unsigned i = 0; i < cast->count; i++) { /* every guest is in a handler */
        assert_int_equal(shmipc_slot_claim(cast->host, 20 * SECOND, &slots[i]), SHMIPC_OK);
        assert_int_equal(shmipc_slot_send(slots[i], SCRIPT_HANG, 0, 0), SHMIPC_OK);
    }
    for (unsigned i = 0; i < cast->count; i++)
        cast_kill(cast, i);
    for (unsigned i = 0; i < cast->count; i++) {
        uint64_t begin = now_ns();
        int error = shmipc_slot_receive(slots[i], 20 * SECOND, &response);
        assert_true(error == SHMIPC_E_PEER_DIED || error == SHMIPC_E_NO_PEER);
        assert_true(now_ns() - begin < 5 * (uint64_t)SECOND);
    }
    for (unsigned i = 0; i < cast->count; i++)
        cast_replace(cast, i);
    cast_await(cast);
    requests_of_every_length_come_back(cast);
}

static void events_name_the_guests(struct cast *cast) {
    shmipc_event event;
    uint32_t pids[CAST_MAX] = {0};
    for (unsigned i = 0; i < cast->count; i++) {
        assert_int_equal(shmipc_next_event(cast->host, 20 * SECOND, &event), SHMIPC_OK);
        assert_int_equal(event.kind, SHMIPC_EVENT_ATTACHED);
        pids[i] = event.pid;
    }
    for (unsigned i = 0; i < cast->count; i++)
        assert_true(pids[0] == cast->guests[i].pid || pids[1] == cast->guests[i].pid);
    cast_kill(cast, 0);
    assert_int_equal(shmipc_next_event(cast->host, 20 * SECOND, &event), SHMIPC_OK);
    assert_int_equal(event.kind, SHMIPC_EVENT_DIED);
    cast_replace(cast, 0);
    cast_await(cast);
}

/* Another guest that answered would be found out: its name would be in the slot's word. */
static void each_guest_is_called_by_its_address(struct cast *cast) {
    uint64_t addresses[CAST_MAX] = {0};
    shmipc_request request = {.type = SCRIPT_ECHO, .data = "ping", .length = 4};
    char got[8];
    shmipc_response response = {.data = got, .capacity = sizeof got};
    for (unsigned i = 0; i < cast->count; i++) {
        shmipc_event event;
        assert_int_equal(shmipc_next_event(cast->host, 20 * SECOND, &event), SHMIPC_OK);
        addresses[i] = event.address;
    }
    for (unsigned n = 0; n < 300 * cast->count; n++) {
        request.to = addresses[n % cast->count];
        assert_int_equal(shmipc_call(cast->host, &request, &response, 20 * SECOND), SHMIPC_OK);
    }
    cast_kill(cast, 0);
    cast_replace(cast, 0);
    cast_await(cast);
    unsigned gone = 0;
    for (unsigned i = 0; i < cast->count; i++) {
        request.to = addresses[i];
        gone += shmipc_call(cast->host, &request, NULL, 20 * SECOND) == SHMIPC_E_NO_PEER;
    }
    assert_int_equal(gone, 1);
}

static const struct cast casts[] = {
    {.title = "a guest in C", .count = 1, .languages = {C_GUEST}},
    {.title = "a guest in Go", .count = 1, .languages = {GO_GUEST}},
    {.title = "two guests in Go", .count = 2, .languages = {GO_GUEST, GO_GUEST}},
    {.title = "guests in C and Go", .count = 2, .languages = {C_GUEST, GO_GUEST}},
};

static void with_each_cast(void (*scene)(struct cast *cast)) {
    for (unsigned i = 0; i < sizeof casts / sizeof *casts; i++) {
        struct cast cast = casts[i];
        print_message("  with %s\n", cast.title);
        cast_open(&cast);
        scene(&cast);
        cast_close(&cast);
    }
}

#define SCENE(name)                                                                                \
    static void test_##name(void **state) {                                                        \
        (void)state;                                                                               \
        with_each_cast(name);                                                                      \
    }

SCENE(requests_of_every_length_come_back)
SCENE(answers_of_every_length_arrive)
SCENE(requests_at_the_end_of_the_buffer_arrive)
SCENE(guests_call_the_host)
SCENE(the_host_is_told_each_error)
SCENE(the_guest_is_told_each_error)
SCENE(both_sides_answer_heartbeats)
SCENE(a_guest_is_killed)
SCENE(events_name_the_guests)
SCENE(each_guest_is_called_by_its_address)

/* ---- A host that dies, and its successor ---- */

/* What this program does in a process of its own. */
static int be_host(const char *name) {
    char got[8];
    shmipc_peer *host;
    shmipc_host_config config = test_host_config();
    must_equal(shmipc_host_create(name, &config, &host), SHMIPC_OK);
    must_equal(shmipc_wait_guests(host, 2, 20 * SECOND), SHMIPC_OK);
    must_equal(ask(host, SCRIPT_ECHO, "ping", 4, got, sizeof got), 4);
    const shmipc_request request = {.type = SCRIPT_HANG};
    (void)shmipc_call(host, &request, NULL, SHMIPC_FOREVER);
    return 1; /* it is killed in the call */
}

static bool both_guests_are_there(const char *name) {
    shmipc_peer *observer = NULL;
    shmipc_info info = {0};
    int error = shmipc_guest_attach(name, NULL, 0, &observer);
    if (error == SHMIPC_OK)
        error = shmipc_get_info(observer, &info);
    shmipc_free(observer);
    return error == SHMIPC_OK && info.guests == 3; /* two, and this one */
}

static const char *this_program;

static void test_guests_find_the_next_host(void **state) {
    (void)state;
    struct cast cast = {.count = 2, .languages = {C_GUEST, GO_GUEST}, .name = new_name()};
    const char *const arguments[] = {this_program, "host", cast.name.text, NULL};
    struct process host = process_start(arguments);
    for (unsigned i = 0; i < cast.count; i++)
        cast.guests[i] = guest_start(cast.languages[i], cast.name.text, true);
    eventually(both_guests_are_there(cast.name.text));
    process_kill(host);
    must_equal(process_wait(host), STATUS_KILLED);

    shmipc_host_config config = test_host_config();
    assert_int_equal(shmipc_host_create(cast.name.text, &config, &cast.host), SHMIPC_OK);
    server_start(&cast.server, cast.host, host_handler, NULL);
    /* The guest whose handler hangs does not come back: it is in the dead host's request. */
    assert_int_equal(shmipc_wait_guests(cast.host, 1, 20 * SECOND), SHMIPC_OK);
    requests_of_every_length_come_back(&cast);
    for (unsigned i = 0; i < cast.count; i++)
        cast_kill(&cast, i);
    assert_int_equal(server_stop(&cast.server), SHMIPC_E_WOKEN);
    shmipc_free(cast.host);
}

#define SCENE_TEST(name)                                                                           \
    cmocka_unit_test_setup_teardown(test_##name, watched_setup, watched_teardown)

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "host") == 0) {
        die_with_parent();
        return be_host(argv[2]);
    }
    this_program = argv[0];
    const struct CMUnitTest tests[] = {
        SCENE_TEST(requests_of_every_length_come_back),
        SCENE_TEST(answers_of_every_length_arrive),
        SCENE_TEST(requests_at_the_end_of_the_buffer_arrive),
        SCENE_TEST(guests_call_the_host),
        SCENE_TEST(the_host_is_told_each_error),
        SCENE_TEST(the_guest_is_told_each_error),
        SCENE_TEST(both_sides_answer_heartbeats),
        SCENE_TEST(a_guest_is_killed),
        SCENE_TEST(events_name_the_guests),
        SCENE_TEST(each_guest_is_called_by_its_address),
        SCENE_TEST(guests_find_the_next_host),
    };
    return cmocka_run_group_tests_name("languages", tests, NULL, NULL);
}
