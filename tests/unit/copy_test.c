#include "support/fixture.h"

#include "copy.h"

#include <stdlib.h>

enum { LARGEST = 48, MARGIN = 64 };

/* Heap blocks of exactly the length: the address sanitizer sees a byte read or written outside. */
static void every_length_is_copied_whole(void **state) {
    (void)state;
    for (size_t length = 0; length <= LARGEST; length++) {
        uint8_t *from = malloc(length + 1);
        uint8_t *to = malloc(length + 1);
        assert_non_null(from);
        assert_non_null(to);
        pattern_fill(from + 1, length, length);
        memset(to, 0xee, length + 1);
        copy_small(to + 1, from + 1, length);
        assert_true(pattern_holds(to + 1, length, length));
        assert_int_equal(to[0], 0xee);
        free(from);
        free(to);
    }
}

static bool all_are(const uint8_t *bytes, size_t length, uint8_t value) {
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != value)
            return false;
    }
    return true;
}

static void no_byte_outside_is_written(void **state) {
    (void)state;
    for (size_t length = 0; length <= LARGEST; length++) {
        for (size_t shift = 0; shift < 16; shift++) {
            uint8_t from[LARGEST];
            uint8_t to[MARGIN + LARGEST + MARGIN];
            uint8_t *target = to + MARGIN / 2 + shift;
            pattern_fill(from, sizeof from, length);
            memset(to, 0xee, sizeof to);
            copy_small(target, from, length);
            assert_true(pattern_holds(target, length, length));
            assert_true(all_are(to, (size_t)(target - to), 0xee));
            assert_true(all_are(target + length, (size_t)(to + sizeof to - target) - length, 0xee));
        }
    }
}

static void nothing_may_come_from_nowhere(void **state) {
    (void)state;
    copy_small(NULL, NULL, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_is_copied_whole),
        cmocka_unit_test(no_byte_outside_is_written),
        cmocka_unit_test(nothing_may_come_from_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
