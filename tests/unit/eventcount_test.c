/*
 * Eventcounts: no wake-up is lost and none is wasted. The wake call is counted on its way.
 */
#include "support/fixture.h"

#include "peer/peer.h"
#include "platform/platform.h"
#include "wait/eventcount.h"

static atomic_uint wake_calls;

/* Sleepers that the system finds of a peer, and how often it was asked. */
enum { HOME = 7 };
static uint32_t found_of_peer, found_at_home;
static unsigned asked_for_peer, asked_for_home;

/* Named for the linker, which puts the second in place of the first, and the third in place of the
   library's. */
uint32_t real_word_wake(struct object *object, atomic_u32 *futex,
                        uint32_t count) __asm__("__real_shmi_word_wake");
uint32_t counted_word_wake(struct object *object, atomic_u32 *futex,
                           uint32_t count) __asm__("__wrap_shmi_word_wake");

uint32_t fake_word_wake_peer(struct object *object, atomic_u32 *futex,
                             uint32_t peer) __asm__("__wrap_shmi_word_wake_peer");

uint32_t fake_word_wake_home(struct object *object, atomic_u32 *futex, uint32_t peer,
                             uint32_t home) __asm__("__wrap_shmi_word_wake_home");

uint32_t fake_word_wake_home(struct object *object, atomic_u32 *futex, uint32_t peer,
                             uint32_t home) {
    (void)object;
    (void)futex;
    must_equal(home, HOME);
    (void)peer;
    asked_for_home++;
    return found_at_home;
}

uint32_t fake_word_wake_peer(struct object *object, atomic_u32 *futex, uint32_t peer) {
    (void)object;
    (void)futex;
    assert_int_equal(peer, 3);
    asked_for_peer++;
    return found_of_peer;
}

uint32_t counted_word_wake(struct object *object, atomic_u32 *futex, uint32_t count) {
    atomic_fetch_add(&wake_calls, 1);
    return real_word_wake(object, futex, count);
}

static uint32_t sleepers(const struct eventcount *shared) {
    return load_seq_cst32(&shared->sleepers);
}

static void preparing_announces_and_cancelling_takes_it_back(void **state) {
    (void)state;
    struct eventcount shared = {.generation = 5, .sleepers = 1 << 9};
    struct local_eventcount eventcount = {.shared = &shared, .bit = 1 << 3};
    assert_int_equal(shmi_eventcount_prepare(&eventcount), 5);
    assert_int_equal(sleepers(&shared), 1 << 9 | 1 << 3);
    shmi_eventcount_cancel(&eventcount);
    assert_int_equal(sleepers(&shared), 1 << 9);
}

static void the_last_of_a_peers_waiters_clears_its_bit(void **state) {
    (void)state;
    struct eventcount shared = {.generation = 0};
    struct local_eventcount eventcount = {.shared = &shared, .bit = 1};
    (void)shmi_eventcount_prepare(&eventcount);
    (void)shmi_eventcount_prepare(&eventcount);
    shmi_eventcount_cancel(&eventcount);
    assert_int_equal(sleepers(&shared), 1);
    assert_int_equal(shmi_eventcount_generation(&eventcount), 0);
    shmi_eventcount_cancel(&eventcount);
    assert_int_equal(sleepers(&shared), 0);
}

static void a_notification_after_arming_ends_the_sleep_before_it_begins(void **state) {
    (void)state;
    struct eventcount shared = {.generation = UINT32_MAX};
    struct local_eventcount eventcount = {.shared = &shared, .bit = 1};
    uint32_t generation = shmi_eventcount_prepare(&eventcount);
    (void)shmi_eventcount_notify(&eventcount, WAKE_ONE);
    assert_int_equal(shmi_eventcount_generation(&eventcount), 0);
    shmi_eventcount_commit(&eventcount, generation, CLOCK_NEVER);
    shmi_eventcount_cancel(&eventcount);
}

static void a_sleep_ends_at_its_deadline(void **state) {
    (void)state;
    struct eventcount shared = {.generation = 0};
    struct local_eventcount eventcount = {.shared = &shared, .bit = 1};
    uint64_t until = shmi_clock_now() + 5 * MILLISECOND;
    while (shmi_clock_now() < until)
        shmi_eventcount_commit(&eventcount, shmi_eventcount_generation(&eventcount), until);
}

static void nobody_notifies_while_somebody_polls(void **state) {
    (void)state;
    struct eventcount shared = {.generation = 0};
    struct local_eventcount sleeper = {.shared = &shared, .bit = 1 << 1};
    struct local_eventcount poller = {.shared = &shared, .bit = 1 << 15};
    shmi_eventcount_join_pollers(&poller);
    assert_false(eventcount_wants_notify(&sleeper));
    (void)shmi_eventcount_prepare(&sleeper);
    assert_false(eventcount_wants_notify(&sleeper));
    shmi_eventcount_leave_pollers(&poller);
    assert_true(eventcount_wants_notify(&sleeper));
    shmi_eventcount_cancel(&sleeper);
    assert_int_equal(sleepers(&shared), 0);
}

static void one_notification_is_told_from_none_and_from_several(void **state) {
    (void)state;
    struct eventcount shared = {.generation = UINT32_MAX};
    struct local_eventcount eventcount = {.shared = &shared, .bit = 1};
    struct local_eventcount poller = {.shared = &shared, .bit = 1 << 15};
    uint32_t generation = shmi_eventcount_prepare(&eventcount);
    assert_false(shmi_eventcount_notified_once(&eventcount, generation));
    (void)shmi_eventcount_notify(&eventcount, WAKE_ONE);
    assert_true(shmi_eventcount_notified_once(&eventcount, generation));
    shmi_eventcount_join_pollers(&poller);
    assert_false(shmi_eventcount_notified_once(&eventcount, generation));
    shmi_eventcount_leave_pollers(&poller);
    assert_true(shmi_eventcount_notified_once(&eventcount, generation));
    (void)shmi_eventcount_notify(&eventcount, WAKE_ONE);
    assert_false(shmi_eventcount_notified_once(&eventcount, generation));
    shmi_eventcount_cancel(&eventcount);
}

/* Nobody is to take what it was woken for by that for the only request. */
static void a_notification_that_is_passed_on_counts_as_several(void **state) {
    (void)state;
    struct eventcount shared = {.generation = 5};
    struct local_eventcount eventcount = {.shared = &shared, .bit = 1};
    uint32_t generation = shmi_eventcount_prepare(&eventcount);
    atomic_store(&wake_calls, 0);
    (void)shmi_eventcount_notify_for_several(&eventcount, 3, HOME);
    assert_int_equal(atomic_load(&wake_calls), 1);
    assert_false(shmi_eventcount_notified_once(&eventcount, generation));
    shmi_eventcount_cancel(&eventcount);
}

typedef uint32_t notify_one(struct local_eventcount *eventcount, uint32_t peer, uint32_t home);

/* The bit may be that of a peer that has died, or is just about to sleep. */
static void wakes_the_worker_at_home_or_another(notify_one *notifies, uint32_t counts) {
    struct eventcount shared = {.sleepers = 1 << 3 | 1 << 5};
    struct local_eventcount eventcount = {.shared = &shared, .bit = 1};
    atomic_store(&wake_calls, 0);
    asked_for_home = asked_for_peer = 0;
    found_at_home = 1;
    assert_int_equal(notifies(&eventcount, 3, HOME), 1);
    assert_int_equal(asked_for_peer, 0);
    found_at_home = 0;
    found_of_peer = 1;
    assert_int_equal(notifies(&eventcount, 3, HOME), 1);
    assert_int_equal(atomic_load(&wake_calls), 0);
    found_of_peer = 0;
    (void)notifies(&eventcount, 3, HOME);
    assert_int_equal(atomic_load(&wake_calls), 1);
    (void)notifies(&eventcount, 4, HOME);
    assert_int_equal(atomic_load(&wake_calls), 2);
    assert_int_equal(asked_for_home, 3);
    assert_int_equal(asked_for_peer, 2);
    assert_int_equal(shmi_eventcount_generation(&eventcount), 4 * counts);
}

static void a_notification_of_a_peer_that_does_not_sleep_wakes_another(void **state) {
    (void)state;
    wakes_the_worker_at_home_or_another(shmi_eventcount_notify_home, 1);
    wakes_the_worker_at_home_or_another(shmi_eventcount_notify_for_several, 2);
}

/* ---- Parking and notifying against each other ---- */

/* One way of a game of ping-pong: the other side counts `ball` up and notifies, this side waits. */
struct way {
    struct eventcount eventcount;
    struct local_eventcount sleeper;
    struct local_eventcount notifier;
    atomic_u64 ball;
};

static void set_up(struct way *way) {
    *way = (struct way){.ball = 0};
    way->sleeper = (struct local_eventcount){.shared = &way->eventcount, .bit = 1 << 1};
    way->notifier = (struct local_eventcount){.shared = &way->eventcount, .bit = 1};
}

static void throw_ball(struct way *way) {
    add_seq_cst64(&way->ball, 1);
    if (eventcount_wants_notify(&way->notifier))
        (void)shmi_eventcount_notify(&way->notifier, WAKE_ALL);
}

/* A wake-up that is lost is not healed by a tick here: it ends in the assertion. */
static void catch_ball(struct way *way, uint64_t number) {
    enum { PATIENCE_S = 10 };
    while (load_seq_cst64(&way->ball) < number) {
        uint64_t until = shmi_clock_now() + PATIENCE_S * (uint64_t)SECOND;
        uint32_t generation = shmi_eventcount_prepare(&way->sleeper);
        if (load_seq_cst64(&way->ball) < number)
            shmi_eventcount_commit(&way->sleeper, generation, until);
        shmi_eventcount_cancel(&way->sleeper);
        must(shmi_clock_now() < until);
    }
}

enum { ROUNDS = 100000 };

struct game {
    struct way there, back;
};

static void *play_back(void *context) {
    struct game *game = context;
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        catch_ball(&game->there, i);
        throw_ball(&game->back);
    }
    return NULL;
}

static void no_wake_up_is_lost(void **state) {
    (void)state;
    static struct game game;
    set_up(&game.there);
    set_up(&game.back);
    pthread_t other = thread_start(play_back, &game);
    for (uint64_t i = 1; i <= ROUNDS; i++) {
        throw_ball(&game.there);
        catch_ball(&game.back, i);
    }
    thread_join(other);
    assert_int_equal(sleepers(&game.there.eventcount) | sleepers(&game.back.eventcount), 0);
}

/* Two waiters share a bit, as two threads of one peer do. */
static atomic_uint caught[2];

struct twin {
    struct way *way;
    atomic_uint *count;
};

static void *play_twin(void *context) {
    const struct twin *twin = context;
    for (uint64_t i = 1; i <= ROUNDS / 4; i++) {
        catch_ball(twin->way, i);
        atomic_store(twin->count, (unsigned)i);
    }
    return NULL;
}

static void waiters_that_share_a_bit_do_not_lose_each_others_notifications(void **state) {
    (void)state;
    static struct way way;
    struct twin twins[2] = {{&way, &caught[0]}, {&way, &caught[1]}};
    pthread_t threads[2];
    set_up(&way);
    for (int i = 0; i < 2; i++)
        threads[i] = thread_start(play_twin, &twins[i]);
    for (unsigned i = 1; i <= ROUNDS / 4; i++) {
        throw_ball(&way);
        while (atomic_load(&caught[0]) < i || atomic_load(&caught[1]) < i)
            shmi_cpu_yield();
    }
    for (int i = 0; i < 2; i++)
        thread_join(threads[i]);
    assert_int_equal(sleepers(&way.eventcount), 0);
}

static void nobody_asleep_costs_no_wake_call(void **state) {
    (void)state;
    static struct way way;
    set_up(&way);
    atomic_store(&wake_calls, 0);
    for (uint64_t i = 1; i <= 1000; i++) {
        throw_ball(&way);
        catch_ball(&way, i);
    }
    assert_int_equal(atomic_load(&wake_calls), 0);
    assert_int_equal(load_relaxed32(&way.eventcount.generation), 0);
}

/* Peer 0 has a descriptor, and peer 9 none: who sleeps is woken instead of that one. */
static void a_peer_that_cannot_be_signalled_is_not_counted(void **state) {
    (void)state;
    struct pair pair;
    shmipc_fd fd;
    struct eventcount shared = {.sleepers = 1 << 9 | 1};
    atomic_u32 armed = 0;
    pair_open(&pair, NULL);
    must_equal(shmipc_get_fd(pair.host, &fd), SHMIPC_OK);
    struct local_eventcount eventcount = {
        .shared = &shared, .object = pair.guest->region.object, .armed = &armed, .bit = 1 << 3};
    atomic_store(&wake_calls, 0);
    or_seq_cst32(&armed, 1);
    assert_int_equal(shmi_eventcount_notify(&eventcount, WAKE_ONE), 1);
    assert_int_equal(atomic_load(&wake_calls), 0);
    or_seq_cst32(&armed, 1 << 9);
    assert_int_equal(shmi_eventcount_notify(&eventcount, WAKE_ONE), 0);
    assert_int_equal(atomic_load(&wake_calls), 1);
    assert_int_equal(load_seq_cst32(&armed), 0);
    pair_close(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(preparing_announces_and_cancelling_takes_it_back),
        watched_test(the_last_of_a_peers_waiters_clears_its_bit),
        watched_test(a_notification_after_arming_ends_the_sleep_before_it_begins),
        watched_test(a_sleep_ends_at_its_deadline),
        watched_test(nobody_notifies_while_somebody_polls),
        watched_test(one_notification_is_told_from_none_and_from_several),
        watched_test(a_notification_that_is_passed_on_counts_as_several),
        watched_test(a_notification_of_a_peer_that_does_not_sleep_wakes_another),
        watched_test(a_peer_that_cannot_be_signalled_is_not_counted),
        watched_test(no_wake_up_is_lost),
        watched_test(waiters_that_share_a_bit_do_not_lose_each_others_notifications),
        watched_test(nobody_asleep_costs_no_wake_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
