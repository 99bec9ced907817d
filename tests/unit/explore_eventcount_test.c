/* An eventcount alone, in thousands of orders of the steps of its waiters and its notifier. */
#include "support/explore.h"
#include "support/fixture.h"
#include "unit/explore_stage.h"

/* Two waiters of one peer, each with an event of its own, and a notifier of another peer. */
struct sole_eventcount {
    struct eventcount eventcount;
    struct local_eventcount waiters;
    struct local_eventcount notifier;
    atomic_u32 happened[2];
};

static void begin_sole_eventcount(void *context) {
    struct sole_eventcount *b = context;
    *b = (struct sole_eventcount){.eventcount = {.generation = 0}};
    b->waiters = (struct local_eventcount){.shared = &b->eventcount, .bit = 1 << 1};
    b->notifier = (struct local_eventcount){.shared = &b->eventcount, .bit = 1};
}

static void await_event(struct sole_eventcount *b, const atomic_u32 *happened) {
    while (load_seq_cst32(happened) == 0) {
        uint32_t generation = shmi_eventcount_prepare(&b->waiters);
        if (load_seq_cst32(happened) == 0)
            shmi_eventcount_commit(&b->waiters, generation, CLOCK_NEVER);
        shmi_eventcount_cancel(&b->waiters);
    }
}

static void await_first(void *context) {
    struct sole_eventcount *b = context;
    await_event(b, &b->happened[0]);
}

static void await_second(void *context) {
    struct sole_eventcount *b = context;
    await_event(b, &b->happened[1]);
}

static void notify_twice(void *context) {
    struct sole_eventcount *b = context;
    for (int i = 0; i < 2; i++) {
        exchange_seq_cst32(&b->happened[i], 1);
        if (eventcount_wants_notify(&b->notifier))
            (void)shmi_eventcount_notify(&b->notifier, WAKE_ALL);
    }
}

static void end_sole_eventcount(void *context) {
    must_equal(load_relaxed32(&((struct sole_eventcount *)context)->eventcount.sleepers), 0);
}

static void waiters_that_share_a_bit_lose_no_notification_in_any_order(void **state) {
    (void)state;
    static struct sole_eventcount sole_eventcount;
    const struct scenario scenario = {.begin = begin_sole_eventcount,
                                      .end = end_sole_eventcount,
                                      .actors = {await_first, await_second, notify_twice},
                                      .context = &sole_eventcount,
                                      .preemptions = 2,
                                      .drawn = 4 * DRAWN};
    assert_true(explore(&scenario) > scenario.drawn);
}

static void prepare_and_cancel(void *context) {
    struct sole_eventcount *b = context;
    (void)shmi_eventcount_prepare(&b->waiters);
    shmi_eventcount_cancel(&b->waiters);
}

static void waiters_that_share_a_bit_leave_none_behind_in_any_order(void **state) {
    (void)state;
    static struct sole_eventcount sole_eventcount;
    const struct scenario scenario = {
        .begin = begin_sole_eventcount,
        .end = end_sole_eventcount,
        .actors = {prepare_and_cancel, prepare_and_cancel, prepare_and_cancel},
        .context = &sole_eventcount,
        .preemptions = 4,
        .drawn = DRAWN};
    assert_true(explore(&scenario) > scenario.drawn);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        watched_test(waiters_that_share_a_bit_lose_no_notification_in_any_order),
        watched_test(waiters_that_share_a_bit_leave_none_behind_in_any_order),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
