/*
 * The transitions one by one, and what becomes of an actor that was paused in the meantime. Every
 * transition from every word is in tests/conformance; every order of steps in explore_*_test.c.
 */
#include "support/fixture.h"

#include "region/slot.h"

#define FIRST owner_make(3, 7)
#define SECOND_GUEST owner_make(4, 9)

static word put(struct slot *slot, enum slot_state state, uint64_t flags, owner o) {
    word w = word_with_owner(word_with(UINT64_C(0x0001000000000500), state, flags), o);
    exchange_seq_cst64(&slot->word, w);
    return w;
}

static word look(const struct slot *slot) {
    return slot_look(slot);
}

static word publish(struct slot *slot, word last, owner caller) {
    word published;
    must(slot_publish_request(slot, last, caller, 0, &published));
    must(look(slot) == published);
    return published;
}

static word take(struct slot *slot, word seen, owner responder) {
    word taken;
    must(shmi_slot_take(slot, seen, responder, &taken));
    must(look(slot) == taken);
    return taken;
}

static word give_up(struct slot *slot, word published, enum cancel_result expected) {
    word now;
    must_equal(shmi_slot_give_up(slot, published, &now), expected);
    must(look(slot) == now);
    return now;
}

/* ---- A whole exchange ---- */

static void a_host_slot_goes_round(void **state) {
    (void)state;
    struct slot slot = {.word = 0};
    word last = 0;
    for (int i = 0; i < 3; i++) {
        word published = publish(&slot, last, 0);
        assert_int_equal(word_owner(published), 0);
        word taken = take(&slot, published, FIRST);
        assert_true(word_owner(taken) == FIRST);
        assert_int_equal(shmi_slot_publish_response(&slot, taken, 0), ANSWER_DELIVERED);
        last = look(&slot);
        assert_int_equal(word_state(last), SLOT_RESPONSE);
        assert_true(word_same_sequence(last, published));
    }
}

static void a_guest_slot_goes_round(void **state) {
    (void)state;
    struct slot slot = {.word = 0};
    word seen = 0;
    assert_true(shmi_slot_claim(&slot, &seen, FIRST));
    for (int i = 0; i < 3; i++) {
        word published = publish(&slot, seen, FIRST);
        assert_true(word_owner(published) == FIRST);
        word taken = take(&slot, published, FIRST);
        assert_int_equal(shmi_slot_publish_response(&slot, taken, WORD_ERROR), ANSWER_DELIVERED);
        seen = look(&slot);
        assert_true((seen & WORD_FLAGS) == WORD_ERROR);
    }
    assert_true(shmi_slot_release(&slot, seen));
    assert_int_equal(word_state(look(&slot)), SLOT_FREE);
    assert_int_equal(word_owner(look(&slot)), 0);
    assert_true(word_same_sequence(look(&slot), seen));
}

/* ---- A responder that was paused ---- */

static void a_late_answer_frees_the_slot_and_no_more(void **state) {
    (void)state;
    struct slot slot = {.word = 0};
    word published = publish(&slot, 0, 0);
    word taken = take(&slot, published, FIRST);
    word cancelled = give_up(&slot, published, CANCEL_STARTED);
    assert_int_equal(word_state(cancelled), SLOT_CANCELLED);
    assert_int_equal(shmi_slot_publish_response(&slot, taken, 0), ANSWER_DISCARDED);
    assert_int_equal(word_state(look(&slot)), SLOT_FREE);
    assert_int_equal(word_owner(look(&slot)), 0);
    word again = publish(&slot, look(&slot), 0);
    assert_false(word_same_sequence(again, published));
}

/* The states repeat; the sequence does not. A responder paused since the first round changes
   nothing, in any state of the second in which it comes back. */
static void an_answer_to_an_earlier_request_changes_nothing(void **state) {
    (void)state;
    struct slot slot = {.word = 0};
    word first = publish(&slot, 0, 0);
    word stale = take(&slot, first, FIRST);
    give_up(&slot, first, CANCEL_STARTED);
    assert_int_equal(shmi_slot_publish_response(&slot, stale, 0), ANSWER_DISCARDED);

    word published = publish(&slot, look(&slot), 0);
    assert_int_equal(shmi_slot_publish_response(&slot, stale, 0), ANSWER_CORRUPT);
    assert_true(look(&slot) == published);
    word taken = take(&slot, published, FIRST);
    assert_int_equal(shmi_slot_publish_response(&slot, stale, 0), ANSWER_CORRUPT);
    assert_true(look(&slot) == taken);
    word cancelled = give_up(&slot, published, CANCEL_STARTED);
    assert_int_equal(shmi_slot_publish_response(&slot, stale, 0), ANSWER_CORRUPT);
    assert_true(look(&slot) == cancelled);
    assert_int_equal(shmi_slot_publish_response(&slot, taken, 0), ANSWER_DISCARDED);
    word freed = look(&slot);
    assert_int_equal(shmi_slot_publish_response(&slot, stale, 0), ANSWER_CORRUPT);
    assert_true(look(&slot) == freed);
}

static void another_guests_answer_changes_nothing(void **state) {
    (void)state;
    struct slot slot = {.word = 0};
    word published = publish(&slot, 0, 0);
    word taken = take(&slot, published, FIRST);
    word others = word_with_owner(taken, SECOND_GUEST);
    assert_int_equal(shmi_slot_publish_response(&slot, others, 0), ANSWER_CORRUPT);
    assert_true(look(&slot) == taken);
    word cancelled = give_up(&slot, published, CANCEL_STARTED);
    assert_int_equal(shmi_slot_publish_response(&slot, others, 0), ANSWER_CORRUPT);
    assert_true(look(&slot) == cancelled);
}

static void a_request_seen_before_it_was_given_up_cannot_be_taken(void **state) {
    (void)state;
    struct slot slot = {.word = 0};
    word taken;
    word seen = publish(&slot, 0, 0);
    word freed = give_up(&slot, seen, CANCEL_NEVER_STARTED);
    assert_false(shmi_slot_take(&slot, seen, FIRST, &taken));
    assert_true(look(&slot) == freed);
    word again = publish(&slot, freed, 0);
    assert_false(shmi_slot_take(&slot, seen, FIRST, &taken));
    assert_true(look(&slot) == again);
}

static void a_request_is_taken_once(void **state) {
    (void)state;
    struct slot slot = {.word = 0};
    word other;
    word published = publish(&slot, 0, 0);
    word taken = take(&slot, published, FIRST);
    assert_false(shmi_slot_take(&slot, published, SECOND_GUEST, &other));
    assert_true(look(&slot) == taken);
}

/* ---- A caller that was paused ---- */

static void a_free_slot_is_claimed_once(void **state) {
    (void)state;
    struct slot slot = {.word = 0};
    word first = 0;
    word second = 0;
    assert_true(shmi_slot_claim(&slot, &first, FIRST));
    assert_false(shmi_slot_claim(&slot, &second, SECOND_GUEST));
    assert_true(second == first);
    assert_true(word_owner(look(&slot)) == FIRST);
}

static void a_claim_of_an_earlier_freedom_fails(void **state) {
    (void)state;
    struct slot slot = {.word = 0};
    word stale = 0;
    word seen = 0;
    assert_true(shmi_slot_claim(&slot, &seen, FIRST));
    word published = publish(&slot, seen, FIRST);
    give_up(&slot, published, CANCEL_NEVER_STARTED);
    word freed = look(&slot);
    assert_false(shmi_slot_claim(&slot, &stale, SECOND_GUEST));
    assert_true(look(&slot) == freed);
}

static void giving_up_depends_on_what_has_become_of_the_request(void **state) {
    (void)state;
    struct slot slot = {.word = 0};
    word now;
    word published = publish(&slot, 0, 0);
    word taken = take(&slot, published, FIRST);
    assert_int_equal(shmi_slot_publish_response(&slot, taken, 0), ANSWER_DELIVERED);
    word answered = look(&slot);
    assert_true(give_up(&slot, published, CANCEL_ANSWERED) == answered);
    published = publish(&slot, answered, 0);
    assert_int_equal(word_state(give_up(&slot, published, CANCEL_NEVER_STARTED)), SLOT_FREE);
    assert_int_equal(shmi_slot_give_up(&slot, published, &now), CANCEL_CORRUPT);
}

static void withdrawing_takes_back_only_an_untaken_request(void **state) {
    (void)state;
    struct slot slot = {.word = 0};
    word published = publish(&slot, 0, 0);
    word seen = published;
    word taken = take(&slot, published, FIRST);
    assert_false(shmi_slot_withdraw(&slot, &seen));
    assert_true(look(&slot) == taken && seen == taken);
    assert_false(shmi_slot_withdraw(&slot, &seen));
    assert_true(look(&slot) == taken);
    assert_int_equal(shmi_slot_publish_response(&slot, taken, 0), ANSWER_DELIVERED);
    seen = publish(&slot, look(&slot), 0);
    assert_true(shmi_slot_withdraw(&slot, &seen));
    assert_true(look(&slot) == seen);
    assert_int_equal(word_state(seen), SLOT_FREE);
}

/* ---- Parking ---- */

static void a_parked_caller_is_woken_by_its_answer(void **state) {
    (void)state;
    struct slot slot = {.word = 0};
    word seen = publish(&slot, 0, 0);
    assert_true(shmi_slot_park(&slot, &seen));
    word taken = take(&slot, seen, FIRST);
    assert_true((taken & WORD_PARKED) != 0);
    assert_int_equal(shmi_slot_publish_response(&slot, taken, 0), ANSWER_DELIVERED_TO_SLEEPER);
    assert_true((look(&slot) & WORD_PARKED) == 0);
}

static void a_caller_that_parks_later_is_woken_too(void **state) {
    (void)state;
    struct slot slot = {.word = 0};
    word taken = take(&slot, publish(&slot, 0, 0), FIRST);
    word seen = taken;
    assert_true(shmi_slot_park(&slot, &seen));
    assert_int_equal(shmi_slot_publish_response(&slot, taken, 0), ANSWER_DELIVERED_TO_SLEEPER);
}

static void a_caller_does_not_park_on_an_answer(void **state) {
    (void)state;
    struct slot slot = {.word = 0};
    word published = publish(&slot, 0, 0);
    word taken = take(&slot, published, FIRST);
    word seen = taken;
    assert_int_equal(shmi_slot_publish_response(&slot, taken, 0), ANSWER_DELIVERED);
    assert_false(shmi_slot_park(&slot, &seen));
    assert_int_equal(word_state(seen), SLOT_RESPONSE);
    assert_true(look(&slot) == seen);
}

static void unparking_makes_the_sleepers_word_another(void **state) {
    (void)state;
    struct slot slot = {.word = 0};
    word seen = publish(&slot, 0, 0);
    assert_false(shmi_slot_unpark(&slot, 0));
    assert_true(shmi_slot_park(&slot, &seen));
    assert_true(shmi_slot_unpark(&slot, 0));
    assert_int_not_equal(load_relaxed32(shmi_slot_futex(&slot)), word_low(seen));
    assert_false(shmi_slot_unpark(&slot, 0));
    assert_true(look(&slot) == (seen & ~WORD_PARKED));
}

static void another_guests_sleeper_is_not_unparked(void **state) {
    (void)state;
    struct slot slot = {.word = 0};
    word seen = publish(&slot, 0, FIRST);
    assert_true(shmi_slot_park(&slot, &seen));
    assert_false(shmi_slot_unpark(&slot, SECOND_GUEST));
    assert_true(look(&slot) == seen);
    assert_true(shmi_slot_unpark(&slot, FIRST));
}

static void the_futex_is_the_half_with_state_and_flags(void **state) {
    (void)state;
    struct slot slot = {.word = 0};
    word w = put(&slot, SLOT_WORKING, WORD_PARKED, FIRST);
    assert_int_equal(load_relaxed32(shmi_slot_futex(&slot)), word_low(w));
}

/* ---- Reclaiming ---- */

static void a_reclaimer_that_was_paused_changes_nothing(void **state) {
    (void)state;
    struct slot slot = {.word = 0};
    word seen = take(&slot, publish(&slot, 0, 0), FIRST);
    assert_int_equal(shmi_slot_publish_response(&slot, seen, 0), ANSWER_DELIVERED);
    word taken = take(&slot, publish(&slot, look(&slot), 0), FIRST);
    assert_int_equal(shmi_slot_reclaim_responder(&slot, seen), RECLAIM_NOTHING);
    assert_true(look(&slot) == taken);
}

static void only_one_of_two_reclaimers_succeeds(void **state) {
    (void)state;
    struct slot slot = {.word = 0};
    word seen = put(&slot, SLOT_CANCELLED, 0, FIRST);
    assert_int_equal(shmi_slot_reclaim_responder(&slot, seen), RECLAIM_FREED);
    assert_int_equal(shmi_slot_reclaim_responder(&slot, seen), RECLAIM_NOTHING);
    seen = put(&slot, SLOT_WORKING, WORD_PARKED, FIRST);
    assert_int_equal(shmi_slot_reclaim_responder(&slot, seen), RECLAIM_ANSWERED_SLEEPER);
    assert_int_equal(shmi_slot_reclaim_responder(&slot, seen), RECLAIM_NOTHING);
    seen = put(&slot, SLOT_BUSY, 0, FIRST);
    assert_int_equal(shmi_slot_reclaim_caller(&slot, seen), RECLAIM_FREED);
    assert_int_equal(shmi_slot_reclaim_caller(&slot, seen), RECLAIM_NOTHING);
}

static void a_dead_callers_request_still_belongs_to_its_responder(void **state) {
    (void)state;
    struct slot slot = {.word = 0};
    word seen = 0;
    assert_true(shmi_slot_claim(&slot, &seen, FIRST));
    word taken = take(&slot, publish(&slot, seen, FIRST), FIRST);
    (void)shmi_slot_reclaim_caller(&slot, taken);
    assert_int_equal(word_state(look(&slot)), SLOT_CANCELLED);
    assert_int_equal(shmi_slot_publish_response(&slot, taken, 0), ANSWER_DISCARDED);
    assert_int_equal(word_state(look(&slot)), SLOT_FREE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_host_slot_goes_round),
        cmocka_unit_test(a_guest_slot_goes_round),
        cmocka_unit_test(a_late_answer_frees_the_slot_and_no_more),
        cmocka_unit_test(an_answer_to_an_earlier_request_changes_nothing),
        cmocka_unit_test(another_guests_answer_changes_nothing),
        cmocka_unit_test(a_request_seen_before_it_was_given_up_cannot_be_taken),
        cmocka_unit_test(a_request_is_taken_once),
        cmocka_unit_test(a_free_slot_is_claimed_once),
        cmocka_unit_test(a_claim_of_an_earlier_freedom_fails),
        cmocka_unit_test(giving_up_depends_on_what_has_become_of_the_request),
        cmocka_unit_test(withdrawing_takes_back_only_an_untaken_request),
        cmocka_unit_test(a_parked_caller_is_woken_by_its_answer),
        cmocka_unit_test(a_caller_that_parks_later_is_woken_too),
        cmocka_unit_test(a_caller_does_not_park_on_an_answer),
        cmocka_unit_test(unparking_makes_the_sleepers_word_another),
        cmocka_unit_test(another_guests_sleeper_is_not_unparked),
        cmocka_unit_test(the_futex_is_the_half_with_state_and_flags),
        cmocka_unit_test(a_reclaimer_that_was_paused_changes_nothing),
        cmocka_unit_test(only_one_of_two_reclaimers_succeeds),
        cmocka_unit_test(a_dead_callers_request_still_belongs_to_its_responder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
