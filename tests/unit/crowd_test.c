/*
 * What a caller does in a crowd of callers: whether it spins, and when it notifies; over a system
 * of the test's own.
 */
#include "support/fake_system.h"
#include "support/fixture.h"

#include "peer/peer.h"
#include "region/slot.h"

static const shmipc_request nothing = {.data = NULL};

/* The state of the peer when a thread calls while others wait for long handlers. */
struct crowded {
    uint32_t at_once; /* long waits of this peer, itself among them */
    bool polled;      /* a worker polls, */
    bool sleeper;     /* or sleeps */
    bool taken;       /* the request is taken before its caller waits */
};

static struct {
    struct pair pair;
    struct crowded with;
    uint32_t yields;   /* before the first sleep; YIELDS, where it spins, and one if it notified */
    uint32_t counted;  /* long waits meanwhile */
    uint32_t notifies; /* at publishing */
    uint32_t notified_asleep; /* when it has slept once */
} crowd;

static uint32_t notifications_of_requests(void) {
    return shmi_eventcount_generation(&crowd.pair.host->calls.requests);
}

static void note_at_sleep(void) {
    if (fake.sleeps == 1) {
        crowd.yields = fake.yields;
        crowd.counted = load_relaxed32(&crowd.pair.host->calling.long_waits.now);
        crowd.notified_asleep = notifications_of_requests();
    }
    must_equal(notifications_of_requests(), crowd.notified_asleep); /* not with each tick */
    fake.now = fake.until;
}

static void open_crowd(struct crowded with) {
    shmipc_host_config config = test_host_config();
    config.spin_ns = SHMIPC_SPIN_AUTO;
    fake.per_look = 2000;
    pair_open(&crowd.pair, &config);
    fake.per_look = 0;
    if (with.polled)
        shmi_eventcount_join_pollers(&crowd.pair.guest->serves.requests);
    if (with.sleeper)
        (void)shmi_eventcount_prepare(&crowd.pair.guest->serves.requests);
    store_relaxed32(&crowd.pair.host->calling.long_waits.mean, with.at_once * CROWD_PARTS);
    if (with.at_once > 1)
        store_relaxed32(&crowd.pair.host->calling.long_waits.now, with.at_once - 1);
}

/* A copying call that lasts three ticks. It notifies nobody after it has slept. */
static void call_copying_with(struct crowded with) {
    open_crowd(with);
    const uint32_t before = notifications_of_requests();
    fake.sleeps = fake.yields = 0;
    fake.during_sleep = note_at_sleep;
    assert_int_equal(shmipc_call(crowd.pair.host, &nothing, NULL, 3 * (int64_t)TICK_NS),
                     SHMIPC_E_TIMEOUT);
    fake.during_sleep = NULL;
    assert_int_equal(fake.sleeps, 3);
    crowd.notifies = crowd.notified_asleep - before;
    pair_close(&crowd.pair);
}

/* A call of three ticks in a claimed slot, as a thread with several calls in flight makes it. */
static void call_with(struct crowded with) {
    shmipc_slot slot;
    shmipc_response response;
    word taken = 0;
    open_crowd(with);
    assert_int_equal(shmipc_slot_claim(crowd.pair.host, 0, &slot), SHMIPC_OK);
    assert_int_equal(shmipc_slot_send(slot, SHMIPC_TYPE_NORMAL, 0, 0), SHMIPC_OK);
    struct slot *shared = crowd.pair.host->slots[slot.index].shared;
    crowd.notifies = notifications_of_requests();
    if (with.taken)
        assert_true(shmi_slot_take(shared, slot_look(shared), crowd.pair.guest->self, &taken));
    fake.sleeps = fake.yields = 0;
    fake.during_sleep = note_at_sleep;
    assert_int_equal(shmipc_slot_receive(slot, 3 * (int64_t)TICK_NS, &response),
                     with.taken ? SHMIPC_E_TIMEOUT_STARTED : SHMIPC_E_TIMEOUT);
    fake.during_sleep = NULL;
    assert_int_equal(fake.sleeps, 3);
    if (with.taken)
        (void)shmi_slot_publish_response(shared, taken, 0);
    crowd.notified_asleep -= crowd.notifies;
    pair_close(&crowd.pair);
}

/* On two processors. */
static void a_call_sleeps_at_once_in_a_crowd_that_nobody_polls_for(void **state) {
    (void)state;
    call_with((struct crowded){.at_once = 2});
    assert_int_equal(crowd.yields, 0);
    assert_int_equal(crowd.counted, 2);
}

static void a_call_spins_alone_and_where_somebody_polls(void **state) {
    (void)state;
    call_with((struct crowded){.at_once = 1});
    assert_int_equal(crowd.yields, YIELDS);
    assert_int_equal(crowd.counted, 1);
    call_with((struct crowded){.at_once = 3, .polled = true});
    assert_int_equal(crowd.yields, YIELDS);
    assert_int_equal(crowd.counted, 2); /* the others */
}

static void a_call_notifies_when_it_is_sent_if_a_worker_sleeps_and_none_polls(void **state) {
    (void)state;
    call_with((struct crowded){.sleeper = true});
    assert_int_equal(crowd.notifies, 1);
    call_with((struct crowded){.sleeper = false});
    assert_int_equal(crowd.notifies, 0);
    call_with((struct crowded){.sleeper = true, .polled = true});
    assert_int_equal(crowd.notifies, 0);
}

/* The worker that it notified when it was sent may have found another request first. */
static void a_call_notifies_once_more_before_it_sleeps(void **state) {
    (void)state;
    call_with((struct crowded){.sleeper = true});
    assert_int_equal(crowd.notified_asleep, 1);
    call_with((struct crowded){.sleeper = true, .polled = true});
    assert_int_equal(crowd.notified_asleep, 1);
}

static void
a_call_notifies_only_if_it_has_not_just_notified_nor_was_taken_and_a_worker_sleeps(void **state) {
    (void)state;
    call_copying_with((struct crowded){.sleeper = true, .at_once = 1});
    assert_int_equal(crowd.notifies, 2);
    call_copying_with((struct crowded){.sleeper = true, .at_once = 2});
    assert_int_equal(crowd.notifies, 1);
    call_with((struct crowded){.sleeper = true, .taken = true});
    assert_int_equal(crowd.notified_asleep, 0);
    call_with((struct crowded){.polled = true});
    assert_int_equal(crowd.notified_asleep, 0);
    call_with((struct crowded){.at_once = 2});
    assert_int_equal(crowd.notified_asleep, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_call_sleeps_at_once_in_a_crowd_that_nobody_polls_for, fake_system),
        cmocka_unit_test_setup(a_call_spins_alone_and_where_somebody_polls, fake_system),
        cmocka_unit_test_setup(a_call_notifies_when_it_is_sent_if_a_worker_sleeps_and_none_polls,
                               fake_system),
        cmocka_unit_test_setup(a_call_notifies_once_more_before_it_sleeps, fake_system),
        cmocka_unit_test_setup(
            a_call_notifies_only_if_it_has_not_just_notified_nor_was_taken_and_a_worker_sleeps,
            fake_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
