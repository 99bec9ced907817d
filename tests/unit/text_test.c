#include "support/fixture.h"

#include "base/text.h"

#include <string.h>

/* The same vectors as in go/internal/base/text_test.go. */
static const struct {
    const char *from;
    const char *to;
} vectors[] = {
    {"", ""},
    {"no such key: \"fish\" \\n", "no such key: \"fish\" \\n"},
    {"a\nb\r\nc\td", "a\\nb\\r\\nc\\td"},
    {"\x01\x1b[31m\x7f", "\\x01\\x1b[31m\\x7f"},
    {"caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x90\x9f", "caf\xc3\xa9 \xe6\x97\xa5 \xf0\x9f\x90\x9f"},
    {"\xc2\x85\xc2\x9f\xc2\xa0", "\\xc2\\x85\\xc2\\x9f\xc2\xa0"},
    {"\xe2\x80\xa7\xe2\x80\xa8\xe2\x80\xa9\xe2\x80\xaf",
     "\xe2\x80\xa7\\xe2\\x80\\xa8\\xe2\\x80\\xa9\xe2\x80\xaf"},
    {"\xd8\x9c\xe2\x80\x8e\xe2\x80\xae\xe2\x81\xa9",
     "\\xd8\\x9c\\xe2\\x80\\x8e\\xe2\\x80\\xae\\xe2\\x81\\xa9"},
    {"\xff\xc3(\xe2\x82", "\\xff\\xc3(\\xe2\\x82"},
    {"\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80", "\\xc0\\xaf\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80"},
};

static void characters_that_end_or_disturb_a_line_are_escaped(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        char text[200];
        shmi_text_escape(text, sizeof text, vectors[i].from, strlen(vectors[i].from));
        assert_string_equal(text, vectors[i].to);
    }
}

static void a_byte_of_0_is_escaped_too(void **state) {
    (void)state;
    char text[20];
    shmi_text_escape(text, sizeof text, "a\0b", 3);
    assert_string_equal(text, "a\\x00b");
}

static void no_character_and_no_escape_is_cut(void **state) {
    (void)state;
    const char from[] = "a\n\xe6\x97\xa5\xff";
    const char *const at_capacity[] = {"", "a", "a", "a\\n", "a\\n", "a\\n", "a\\n\xe6\x97\xa5"};
    for (size_t i = 0; i < sizeof at_capacity / sizeof *at_capacity; i++) {
        char text[20];
        memset(text, 'x', sizeof text);
        shmi_text_escape(text, i + 1, from, sizeof from - 1);
        assert_string_equal(text, at_capacity[i]);
        assert_int_equal(text[i + 1], 'x');
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters_that_end_or_disturb_a_line_are_escaped),
        cmocka_unit_test(a_byte_of_0_is_escaped_too),
        cmocka_unit_test(no_character_and_no_escape_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
