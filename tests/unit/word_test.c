#include "support/fixture.h"

#include "wire/word.h"

#define SEQUENCE_BITS 40

static word with_sequence(uint64_t sequence) {
    return (sequence & 0xffffff) << 8 | (sequence >> 24) << 48;
}

static void fields_fill_the_word_without_overlapping(void **state) {
    (void)state;
    assert_true((WORD_STATE ^ WORD_FLAGS ^ WORD_OWNER ^ WORD_SEQUENCE) == UINT64_MAX);
    assert_true((WORD_STATE | WORD_FLAGS | WORD_OWNER | WORD_SEQUENCE) == UINT64_MAX);
    assert_true((WORD_PARKED ^ WORD_ERROR ^ WORD_RECLAIMED ^ WORD_ALIGN_END) == WORD_FLAGS);
    assert_true((WORD_PARKED | WORD_ERROR | WORD_RECLAIMED | WORD_ALIGN_END) == WORD_FLAGS);
}

static void owner_comes_back_from_the_word(void **state) {
    (void)state;
    for (uint32_t index = 0; index < 16; index++) {
        for (uint32_t epoch = 0; epoch <= EPOCH_MAX; epoch++) {
            word w = word_with_owner(UINT64_MAX, owner_make(index, epoch));
            assert_int_equal(owner_index(word_owner(w)), index);
            assert_int_equal(owner_epoch(word_owner(w)), epoch);
            assert_true((w | WORD_OWNER) == UINT64_MAX);
        }
    }
}

static void epochs_follow_each_other_and_skip_zero(void **state) {
    (void)state;
    assert_int_equal(epoch_next(0), 1);
    assert_int_equal(epoch_next(1), 2);
    assert_int_equal(epoch_next(4095), 4096);
    assert_int_equal(epoch_next(UINT32_MAX), 1);
    assert_int_equal(epoch_in_word(4095), 4095);
    assert_int_equal(epoch_in_word(4096), 1);
}

static void sequence_counts_through_every_carry(void **state) {
    (void)state;
    const uint64_t last = (UINT64_C(1) << SEQUENCE_BITS) - 1;
    for (int bit = 0; bit < SEQUENCE_BITS; bit++) {
        uint64_t before = (UINT64_C(1) << bit) - 1;
        assert_true(word_next_sequence(with_sequence(before)) == with_sequence(before + 1));
        assert_true(word_next_sequence(with_sequence(before + 1)) ==
                    with_sequence((before + 2) & last));
    }
    assert_true(word_next_sequence(with_sequence(last)) == 0);
}

static void next_sequence_is_nothing_but_the_sequence(void **state) {
    (void)state;
    word w = with_sequence(0x123456789a) | WORD_OWNER | WORD_FLAGS | WORD_STATE;
    assert_true(word_next_sequence(w) == with_sequence(0x123456789b));
}

static void sequences_are_told_apart_by_each_bit(void **state) {
    (void)state;
    word w = with_sequence(0x123456789a);
    assert_true(word_same_sequence(w, w | WORD_OWNER | WORD_FLAGS | WORD_STATE));
    for (int bit = 0; bit < SEQUENCE_BITS; bit++)
        assert_false(word_same_sequence(w, w ^ with_sequence(UINT64_C(1) << bit)));
}

static void another_state_clears_the_flags_and_keeps_the_rest(void **state) {
    (void)state;
    word w = word_with(UINT64_MAX, SLOT_RESPONSE, WORD_ERROR);
    assert_int_equal(word_state(w), SLOT_RESPONSE);
    assert_true((w & WORD_FLAGS) == WORD_ERROR);
    assert_true((w & (WORD_OWNER | WORD_SEQUENCE)) == (WORD_OWNER | WORD_SEQUENCE));
}

/* A sleeper must see every transition, also from one request to the next, in its half. */
static void low_half_shows_state_flags_and_the_next_request(void **state) {
    (void)state;
    word w = word_with(with_sequence(0x123456789a) | owner_make(3, 7), SLOT_REQUEST, 0);
    assert_int_equal(word_low(w), (uint32_t)w);
    assert_int_not_equal(word_low(w), word_low(word_with(w, SLOT_WORKING, 0)));
    assert_int_not_equal(word_low(w), word_low(w | WORD_PARKED));
    assert_int_not_equal(word_low(w), word_low(word_next_sequence(w) | SLOT_REQUEST));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_fill_the_word_without_overlapping),
        cmocka_unit_test(owner_comes_back_from_the_word),
        cmocka_unit_test(epochs_follow_each_other_and_skip_zero),
        cmocka_unit_test(sequence_counts_through_every_carry),
        cmocka_unit_test(next_sequence_is_nothing_but_the_sequence),
        cmocka_unit_test(sequences_are_told_apart_by_each_bit),
        cmocka_unit_test(another_state_clears_the_flags_and_keeps_the_rest),
        cmocka_unit_test(low_half_shows_state_flags_and_the_next_request),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
