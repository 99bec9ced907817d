/* The judge says no to each kind of call that is wrong, and to no other. */
#include "chaos/judge.h"

#include "chaos/question.h"

#include <stdlib.h>

enum { KILLED = 1, LIVING = 2, SEEN_ALL = SEEN_STARTED | SEEN_FINISHED };

/* Judges one call that is entered so. */
static const char *judged(struct call call, bool final) {
    static struct ledger ledger;
    if (call.caller == 0)
        call.caller = LIVING;
    ledger.killed[KILLED] = 1;
    return judge(&ledger, &call, final);
}

static struct call ended(int outcome, unsigned started, unsigned finished) {
    return (struct call){.phase = CALL_ENDED,
                         .outcome = outcome,
                         .started = started,
                         .finished = finished,
                         .server = LIVING,
                         .seen = SEEN_ALL};
}

#define assert_right(...) assert_null(judged(__VA_ARGS__))
#define assert_wrong(...) assert_non_null(judged(__VA_ARGS__))

static void test_an_answered_call_ran_once_and_finished(void **state) {
    struct call call = ended(SHMIPC_OK, 1, 1);
    (void)state;
    assert_right(call, false);
    assert_right(call, true);
    assert_wrong(ended(SHMIPC_OK, 0, 0), false);
    assert_wrong(ended(SHMIPC_OK, 1, 0), false);
    assert_wrong(ended(SHMIPC_OK, 2, 1), false);
    assert_wrong(ended(SHMIPC_OK, 2, 2), false);
    call.seen = SEEN_STARTED; /* the handler finished later */
    assert_wrong(call, false);
    call.seen = SEEN_ALL | SEEN_WRONG_ANSWER;
    assert_wrong(call, false);
    call.seen = SEEN_ALL;
    call.wish = WISH_FAIL;
    assert_wrong(call, false);
}

static void test_a_failed_call_ran_once_and_was_to_fail(void **state) {
    struct call call = ended(SHMIPC_E_HANDLER, 1, 1);
    (void)state;
    assert_wrong(call, false);
    call.wish = WISH_FAIL;
    assert_right(call, true);
    assert_wrong(ended(SHMIPC_E_HANDLER, 0, 0), false);
}

static void test_what_never_started_never_runs(void **state) {
    static const int outcomes[] = {SHMIPC_E_TIMEOUT, SHMIPC_E_CANCELLED, SHMIPC_E_NO_PEER,
                                   SHMIPC_E_CLOSED, SHMIPC_E_SHUTDOWN};
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        assert_right(ended(outcomes[i], 0, 0), true);
        assert_wrong(ended(outcomes[i], 1, 0), false);
        assert_wrong(ended(outcomes[i], 1, 1), true);
    }
}

static void test_what_started_runs_once_at_most(void **state) {
    static const int outcomes[] = {SHMIPC_E_TIMEOUT_STARTED, SHMIPC_E_CANCELLED_STARTED,
                                   SHMIPC_E_CLOSED_STARTED, SHMIPC_E_PEER_DIED, OUTCOME_ABANDONED};
    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        assert_right(ended(outcomes[i], 0, 0), true);
        assert_right(ended(outcomes[i], 1, 0), false);
        assert_right(ended(outcomes[i], 1, 1), true);
        assert_wrong(ended(outcomes[i], 2, 1), false);
        assert_wrong(ended(outcomes[i], 1, 2), false);
    }
}

static void test_other_outcomes_are_wrong(void **state) {
    (void)state;
    assert_wrong(ended(SHMIPC_E_CORRUPT, 0, 0), false);
    assert_wrong(ended(SHMIPC_E_STALE, 0, 0), false);
    assert_wrong(ended(SHMIPC_E_STATE, 1, 1), false);
}

static void test_only_a_killed_caller_never_hears_of_its_call(void **state) {
    struct call call = {.phase = CALL_BEGUN, .caller = LIVING, .started = 1, .finished = 1};
    (void)state;
    assert_right(call, false);
    assert_wrong(call, true);
    call.caller = KILLED;
    assert_right(call, true);
    call.started = 2;
    assert_wrong(call, true);
}

static void test_only_a_killed_process_never_finishes_its_handler(void **state) {
    struct call call = ended(SHMIPC_E_TIMEOUT_STARTED, 1, 0);
    (void)state;
    assert_right(call, false);
    assert_wrong(call, true);
    call.server = KILLED;
    assert_right(call, true);
}

static void test_no_handler_runs_for_a_call_that_was_not_made(void **state) {
    (void)state;
    assert_right((struct call){.phase = CALL_UNUSED}, true);
    assert_wrong((struct call){.phase = CALL_UNUSED, .started = 1}, false);
}

static void test_all_are_judged_and_the_first_offender_is_named(void **state) {
    struct ledger *ledger = calloc(1, sizeof *ledger + 4 * sizeof(struct call));
    (void)state;
    assert_non_null(ledger);
    for (int i = 0; i < 4; i++)
        ledger->calls[i] = ended(i < 2 ? SHMIPC_OK : SHMIPC_E_TIMEOUT, i < 2, i < 2);
    atomic_store(&ledger->next, 4);
    struct verdict verdict = judge_all(ledger, 0, true);
    assert_null(verdict.what);
    assert_int_equal(verdict.offender, 4);
    assert_int_equal(verdict.promised[PROMISES_ANSWER], 2);
    assert_int_equal(verdict.promised[PROMISES_NOTHING], 2);
    ledger->calls[2].started = 1;
    assert_int_equal(judge_all(ledger, 0, false).offender, 2);
    assert_int_equal(judge_all(ledger, 3, false).offender, 4);
    free(ledger);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_an_answered_call_ran_once_and_finished),
        cmocka_unit_test(test_a_failed_call_ran_once_and_was_to_fail),
        cmocka_unit_test(test_what_never_started_never_runs),
        cmocka_unit_test(test_what_started_runs_once_at_most),
        cmocka_unit_test(test_other_outcomes_are_wrong),
        cmocka_unit_test(test_only_a_killed_caller_never_hears_of_its_call),
        cmocka_unit_test(test_only_a_killed_process_never_finishes_its_handler),
        cmocka_unit_test(test_no_handler_runs_for_a_call_that_was_not_made),
        cmocka_unit_test(test_all_are_judged_and_the_first_offender_is_named)};
    return cmocka_run_group_tests_name("judge", tests, NULL, NULL);
}
