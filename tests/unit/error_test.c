#define _GNU_SOURCE
#include "support/fixture.h"

#include "error.h"

#include <errno.h>
#include <string.h>

enum { LAST_ERROR = -SHMIPC_E_WOKEN };

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
    assert_says("0x3");
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
        cmocka_unit_test(the_version_is_that_of_the_header),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
