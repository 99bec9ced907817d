#define _GNU_SOURCE
#include "support/fixture.h"

#include "base/error.h"
#include "peer/peer.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { LAST_ERROR = -SHMIPC_E_NAME_LOST };

static void every_code_has_a_sentence_of_its_own(void **state) {
    (void)state;
    const char *unknown = shmipc_strerror(-(LAST_ERROR + 1));
    for (int i = 0; i <= LAST_ERROR; i++) {
        const char *sentence = shmipc_strerror(-i);
        assert_non_null(sentence);
        assert_true(strlen(sentence) >= 5);
        assert_string_not_equal(sentence, unknown);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(sentence, shmipc_strerror(-j));
    }
}

static void no_code_is_without_an_answer(void **state) {
    (void)state;
    const int others[] = {1, 2, 1000, INT32_MAX, -(LAST_ERROR + 1), -1000, INT32_MIN};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_string_equal(shmipc_strerror(others[i]), "unknown error");
}

static void *report_first_state(void *context) {
    bool *clean = context;
    *clean = strcmp(shmipc_last_error(), "") == 0 && shmipc_last_os_error() == 0;
    (void)shmi_fail_os(SHMIPC_E_SYSTEM, EIO, "another thread's");
    return NULL;
}

static void each_thread_has_its_own_last_error(void **state) {
    (void)state;
    bool clean = false;
    assert_int_equal(shmi_fail_os(SHMIPC_E_SYSTEM, ENOENT, "number %d", 17), SHMIPC_E_SYSTEM);
    thread_join(thread_start(report_first_state, &clean));
    assert_true(clean);
    assert_string_equal(shmipc_last_error(), "number 17");
    assert_int_equal(shmipc_last_os_error(), ENOENT);
}

static void the_system_has_no_part_in_our_own_refusals(void **state) {
    (void)state;
    (void)shmi_fail_os(SHMIPC_E_SYSTEM, ENOENT, "the system's");
    assert_int_equal(shmi_fail(SHMIPC_E_INVALID, "ours"), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_last_os_error(), 0);
    assert_string_equal(shmipc_last_error(), "ours");
}

static void long_texts_are_shortened(void **state) {
    (void)state;
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    (void)shmi_fail(SHMIPC_E_INVALID, "%s", text);
    size_t length = strlen(shmipc_last_error());
    assert_true(length > 100 && length < sizeof text);
    assert_memory_equal(shmipc_last_error(), text, length);
}

#define assert_says(part) assert_non_null(strstr(shmipc_last_error(), part))

static void refused_settings_are_named_with_value_and_limit(void **state) {
    (void)state;
    shmipc_peer *peer;
    shmipc_host_config config = test_host_config();
    config.host_slots = 5000;
    assert_int_equal(shmipc_host_create("x", &config, &peer), SHMIPC_E_INVALID);
    assert_says("5000");
    assert_says("4096");
    config = test_host_config();
    config.mode = 07777;
    assert_int_equal(shmipc_host_create("x", &config, &peer), SHMIPC_E_INVALID);
    assert_says("07777");
    assert_says("0777");
    config = test_host_config();
    config.flags = 6;
    assert_int_equal(shmipc_host_create("x", &config, &peer), SHMIPC_E_INVALID);
    assert_says("0x6");
    assert_says("0xb");
    config = test_host_config();
    config.size = 3;
    assert_int_equal(shmipc_host_create("x", &config, &peer), SHMIPC_E_INVALID);
    assert_says("3");
    assert_int_equal(shmipc_host_create("a/b", NULL, &peer), SHMIPC_E_NAME);
    assert_says("0x2f");
    assert_says("A-Za-z0-9_.-");
    assert_int_equal(shmipc_guest_attach("x", NULL, -5, &peer), SHMIPC_E_INVALID);
    assert_says("-5");
}

static void refused_messages_are_named_with_size_and_capacity(void **state) {
    (void)state;
    struct pair pair;
    char data[1025] = {0};
    const shmipc_request request = {.data = data, .length = sizeof data};
    const shmipc_request reserved = {.type = 77};
    pair_open(&pair, NULL);
    assert_int_equal(shmipc_call(pair.host, &request, NULL, 0), SHMIPC_E_TOO_LARGE);
    assert_says("1025");
    assert_says("1024");
    assert_int_equal(shmipc_call(pair.host, &reserved, NULL, 0), SHMIPC_E_TYPE);
    assert_says("77");
    assert_says("128");
    pair_close(&pair);
}

/* ---- The text stays until the next failure ---- */

static const char first_failure[] = "the first failure";

static void fail_first(void) {
    (void)shmi_fail_os(SHMIPC_E_SYSTEM, EIO, first_failure);
}

static void assert_kept(void) {
    assert_string_equal(shmipc_last_error(), first_failure);
    assert_int_equal(shmipc_last_os_error(), EIO);
}

static void giving_a_slot_back_keeps_the_text(void **state) {
    (void)state;
    struct pair pair;
    shmipc_slot slot;
    pair_open(&pair, NULL);
    for (int round = 0; round < 2; round++) {
        shmipc_peer *peer = round == 0 ? pair.host : pair.guest;
        assert_int_equal(shmipc_slot_claim(peer, SECOND, &slot), SHMIPC_OK);
        fail_first();
        assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
        assert_int_equal(shmipc_slot_release(slot), SHMIPC_E_STALE);
        assert_int_equal(shmipc_slot_cancel(slot), SHMIPC_E_STALE);
        assert_kept();
        /* A request that is given up ends without an answer. */
        assert_int_equal(shmipc_slot_claim(peer, SECOND, &slot), SHMIPC_OK);
        assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_OK);
        fail_first();
        assert_int_equal(shmipc_slot_cancel(slot), SHMIPC_OK);
        assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
        assert_kept();
    }
    pair_close(&pair);
}

/* A waiter is notified by going into the peer once more, which is closed by now. */
static void giving_a_slot_back_while_the_peer_closes_keeps_the_text(void **state) {
    (void)state;
    struct pair pair;
    shmipc_slot slot;
    pair_open(&pair, NULL);
    assert_int_equal(shmipc_slot_claim(pair.host, SECOND, &slot), SHMIPC_OK);
    store_relaxed32(&pair.host->calls.vacancies.waiters, 1);
    store_relaxed32(&pair.host->life.phase, PEER_CLOSED);
    fail_first();
    assert_int_equal(shmipc_slot_cancel(slot), SHMIPC_E_CLOSED);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    assert_kept();
    store_relaxed32(&pair.host->calls.vacancies.waiters, 0);
    store_relaxed32(&pair.host->life.phase, PEER_OPEN);
    pair_close(&pair);
}

static void closing_keeps_the_text(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, NULL);
    fail_first();
    shmipc_close(pair.guest);
    shmipc_close(pair.guest);
    shmipc_free(pair.guest);
    shmipc_free(pair.host);
    shmipc_free(NULL);
    assert_kept();
}

/* Until then the name is asked for in vain. */
static void *create_later(void *context) {
    shmipc_peer **host = context;
    const struct timespec pause = {0, 10 * MILLISECOND};
    const char *name = (const char *)(host + 1);
    (void)nanosleep(&pause, NULL);
    must_equal(shmipc_host_create(name, NULL, host), SHMIPC_OK);
    return NULL;
}

static void a_call_that_succeeds_in_the_end_keeps_the_text(void **state) {
    (void)state;
    struct {
        shmipc_peer *host;
        struct region_name name;
    } later = {.name = new_name()};
    shmipc_peer *guest;
    fail_first();
    pthread_t thread = thread_start(create_later, &later);
    assert_int_equal(shmipc_guest_attach(later.name.text, NULL, 20 * SECOND, &guest), SHMIPC_OK);
    thread_join(thread);
    assert_int_equal(shmipc_shutdown(guest, SECOND), SHMIPC_OK);
    assert_int_equal(shmipc_shutdown(later.host, SECOND), SHMIPC_OK);
    shmipc_free(guest);
    shmipc_free(later.host);
    assert_kept();
}

/* ---- What others wrote ---- */

static int fail_in_two_lines(void *context, const shmipc_request *request,
                             shmipc_response *response) {
    (void)context;
    (void)request;
    return shmipc_fail(response, "%s", "lost\nERROR disk full \xe2\x80\xae\xff");
}

static void a_handlers_message_is_one_line_of_the_sentence_and_raw_in_the_response(void **state) {
    (void)state;
    struct pair pair;
    struct server server;
    char message[100];
    const char raw[] = "lost\nERROR disk full \xe2\x80\xae\xff";
    const shmipc_request request = {.data = "x", .length = 1};
    shmipc_response response = {.data = message, .capacity = sizeof message};
    pair_open(&pair, NULL);
    server_start(&server, pair.guest, fail_in_two_lines, NULL);
    assert_int_equal(shmipc_call(pair.host, &request, &response, 20 * SECOND), SHMIPC_E_HANDLER);
    assert_int_equal(response.length, sizeof raw - 1);
    assert_memory_equal(message, raw, sizeof raw - 1);
    assert_string_equal(shmipc_last_error(), "the handler failed: lost\\nERROR disk full "
                                             "\\xe2\\x80\\xae\\xff");
    assert_int_equal(server_stop(&server), SHMIPC_E_WOKEN);
    pair_close(&pair);
}

static void note_line(void *context, shmipc_log_level level, const char *text) {
    (void)level;
    (void)snprintf(context, 256, "%s", text);
}

/* Such names are legal. */
static void a_name_with_a_line_separator_is_one_line(void **state) {
    (void)state;
    char name[100];
    char line[256] = "";
    shmipc_peer *host;
    shmipc_host_config config = test_host_config();
    config.log = note_line;
    config.log_context = line;
    (void)snprintf(name, sizeof name, "%s\xe2\x80\xa8x", new_name().text);
    assert_int_equal(shmipc_guest_attach(name, NULL, 0, &host), SHMIPC_E_NOT_FOUND);
    assert_null(strstr(shmipc_last_error(), "\xe2\x80\xa8"));
    assert_says("\\xe2\\x80\\xa8x");
    assert_int_equal(shmipc_host_create(name, &config, &host), SHMIPC_OK);
    assert_null(strstr(line, "\xe2\x80\xa8"));
    assert_non_null(strstr(line, "\\xe2\\x80\\xa8x"));
    shmipc_free(host);
}

static void the_version_is_that_of_the_header(void **state) {
    (void)state;
    assert_int_equal(shmipc_version(), SHMIPC_VERSION);
    assert_int_equal(SHMIPC_VERSION >> 16, SHMIPC_VERSION_MAJOR);
    assert_int_equal(SHMIPC_VERSION >> 8 & 0xff, SHMIPC_VERSION_MINOR);
    assert_int_equal(SHMIPC_VERSION & 0xff, SHMIPC_VERSION_PATCH);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_sentence_of_its_own),
        cmocka_unit_test(no_code_is_without_an_answer),
        watched_test(each_thread_has_its_own_last_error),
        cmocka_unit_test(the_system_has_no_part_in_our_own_refusals),
        cmocka_unit_test(long_texts_are_shortened),
        cmocka_unit_test(refused_settings_are_named_with_value_and_limit),
        watched_test(refused_messages_are_named_with_size_and_capacity),
        watched_test(giving_a_slot_back_keeps_the_text),
        watched_test(giving_a_slot_back_while_the_peer_closes_keeps_the_text),
        watched_test(closing_keeps_the_text),
        watched_test(a_call_that_succeeds_in_the_end_keeps_the_text),
        watched_test(a_handlers_message_is_one_line_of_the_sentence_and_raw_in_the_response),
        watched_test(a_name_with_a_line_separator_is_one_line),
        cmocka_unit_test(the_version_is_that_of_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
