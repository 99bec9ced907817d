#include "support/fixture.h"

#include "region/copy.h"

#include <stdlib.h>
#include <string.h>

enum { MARGIN = 64 };

typedef void copier(uint8_t *to, const uint8_t *from, size_t length);

static void small(uint8_t *to, const uint8_t *from, size_t length) {
    copy_small(to, from, length);
}

static void in(uint8_t *to, const uint8_t *from, size_t length) {
    copy_in(to, 0, from, length);
}

/* Shifted, so that the message ends with the payload: both lines have some of it. */
static void in_at_end(uint8_t *to, const uint8_t *from, size_t length) {
    size_t offset = inline_offset(length, true);
    copy_in(to - offset, offset, from, length);
}

static void out(uint8_t *to, const uint8_t *from, size_t length) {
    copy_out(to, from, length);
}

static const struct {
    copier *copy;
    size_t largest;
} copies[] = {
    {small, FIRST_LINE_SIZE}, {in, INLINE_SIZE}, {in_at_end, INLINE_SIZE}, {out, INLINE_SIZE}};

enum { COPIES = sizeof copies / sizeof *copies };

/* Heap blocks of exactly the length: the address sanitizer sees a byte read or written outside. */
static void copy_between_blocks(copier *copy, size_t length) {
    uint8_t *from = malloc(length + 1);
    uint8_t *to = malloc(length + 1);
    assert_non_null(from);
    assert_non_null(to);
    pattern_fill(from + 1, length, length);
    memset(to, 0xee, length + 1);
    copy(to + 1, from + 1, length);
    assert_true(pattern_holds(to + 1, length, length));
    assert_int_equal(to[0], 0xee);
    free(from);
    free(to);
}

static void every_length_is_copied_whole(void **state) {
    (void)state;
    for (int i = 0; i < COPIES; i++) {
        for (size_t length = 0; length <= copies[i].largest; length++)
            copy_between_blocks(copies[i].copy, length);
    }
}

static bool all_are(const uint8_t *bytes, size_t length, uint8_t value) {
    for (size_t i = 0; i < length; i++) {
        if (bytes[i] != value)
            return false;
    }
    return true;
}

static void copy_at(copier *copy, size_t length, size_t shift) {
    uint8_t from[INLINE_SIZE];
    uint8_t to[MARGIN + INLINE_SIZE + MARGIN];
    uint8_t *target = to + MARGIN / 2 + shift;
    pattern_fill(from, sizeof from, length);
    memset(to, 0xee, sizeof to);
    copy(target, from, length);
    assert_true(pattern_holds(target, length, length));
    assert_true(all_are(to, (size_t)(target - to), 0xee));
    assert_true(all_are(target + length, (size_t)(to + sizeof to - target) - length, 0xee));
}

static void no_byte_outside_is_written(void **state) {
    (void)state;
    for (int i = 0; i < COPIES; i++) {
        for (size_t length = 0; length <= copies[i].largest; length++) {
            for (size_t shift = 0; shift < 16; shift++)
                copy_at(copies[i].copy, length, shift);
        }
    }
}

static void a_message_at_the_end_ends_with_a_line(void **state) {
    (void)state;
    const size_t begin = offsetof(struct slot, payload);
    for (size_t length = 0; length <= INLINE_SIZE; length++) {
        size_t end = begin + inline_offset(length, true) + length;
        assert_int_equal(end, length <= FIRST_LINE_SIZE ? CACHE_LINE : 2 * CACHE_LINE);
        assert_int_equal(inline_offset(length, false), 0);
    }
}

/* An object's size is a multiple of its alignment. */
static void a_copy_is_aligned_as_an_object_of_its_size_may_be(void **state) {
    (void)state;
    const size_t begin = offsetof(struct slot, payload);
    for (size_t length = 1; length <= INLINE_SIZE; length++) {
        size_t at = begin + inline_offset(length, belongs_at_end(length));
        for (size_t alignment = 1; alignment <= CACHE_LINE; alignment *= 2)
            assert_true(length % alignment != 0 || at % alignment == 0);
        assert_true(at % 16 == 0);
    }
}

/* The slot is always somewhere; the user's message, or place for one, need not be. */
static void nothing_may_come_from_nowhere(void **state) {
    (void)state;
    uint8_t payload[INLINE_SIZE];
    for (int i = 0; i < COPIES; i++)
        copies[i].copy(payload, NULL, 0);
    copy_out(NULL, payload, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length_is_copied_whole),
        cmocka_unit_test(no_byte_outside_is_written),
        cmocka_unit_test(a_message_at_the_end_ends_with_a_line),
        cmocka_unit_test(a_copy_is_aligned_as_an_object_of_its_size_may_be),
        cmocka_unit_test(nothing_may_come_from_nowhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
