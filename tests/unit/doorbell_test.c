/*
 * Doorbells: no wake-up is lost and none is wasted. The wake call is counted on its way.
 */
#include "support/fixture.h"

#include "doorbell.h"
#include "platform.h"

static atomic_uint wake_calls;

/* Sleepers that the system finds of a peer, and how often it was asked. */
enum { HOME = 7 };
static uint32_t found_of_peer, found_at_home;
static unsigned asked_for_peer, asked_for_home;

/* Named for the linker, which puts the second in place of the first, and the third in place of the
   library's. */
uint32_t real_word_wake(struct object *object, atomic_u32 *word,
                        uint32_t count) __asm__("__real_shmi_word_wake");
uint32_t counted_word_wake(struct object *object, atomic_u32 *word,
                           uint32_t count) __asm__("__wrap_shmi_word_wake");

uint32_t fake_word_wake_peer(struct object *object, atomic_u32 *word,
                             uint32_t peer) __asm__("__wrap_shmi_word_wake_peer");

uint32_t fake_word_wake_home(struct object *object, atomic_u32 *word, uint32_t peer,
                             uint32_t home) __asm__("__wrap_shmi_word_wake_home");

uint32_t fake_word_wake_home(struct object *object, atomic_u32 *word, uint32_t peer,
                             uint32_t home) {
    (void)object;
    (void)word;
    must_equal(home, HOME);
    (void)peer;
    asked_for_home++;
    return found_at_home;
}

uint32_t fake_word_wake_peer(struct object *object, atomic_u32 *word, uint32_t peer) {
    (void)object;
    (void)word;
    assert_int_equal(peer, 3);
    asked_for_peer++;
    return found_of_peer;
}

uint32_t counted_word_wake(struct object *object, atomic_u32 *word, uint32_t count) {
    atomic_fetch_add(&wake_calls, 1);
    return real_word_wake(object, word, count);
}

static uint32_t sleepers(const struct bell *bell) {
    return load_seq_cst32(&bell->sleepers);
}

static void arming_announces_and_disarming_takes_it_back(void **state) {
    (void)state;
    struct bell bell = {.generation = 5, .sleepers = 1 << 9};
    struct doorbell doorbell = {.bell = &bell, .bit = 1 << 3};
    assert_int_equal(shmi_doorbell_arm(&doorbell), 5);
    assert_int_equal(sleepers(&bell), 1 << 9 | 1 << 3);
    shmi_doorbell_disarm(&doorbell);
    assert_int_equal(sleepers(&bell), 1 << 9);
}

static void the_last_of_a_peers_waiters_clears_its_bit(void **state) {
    (void)state;
    struct bell bell = {.generation = 0};
    struct doorbell doorbell = {.bell = &bell, .bit = 1};
    (void)shmi_doorbell_arm(&doorbell);
    (void)shmi_doorbell_arm(&doorbell);
    shmi_doorbell_disarm(&doorbell);
    assert_int_equal(sleepers(&bell), 1);
    assert_int_equal(shmi_doorbell_generation(&doorbell), 0);
    shmi_doorbell_disarm(&doorbell);
    assert_int_equal(sleepers(&bell), 0);
}

static void a_ring_after_arming_ends_the_sleep_before_it_begins(void **state) {
    (void)state;
    struct bell bell = {.generation = UINT32_MAX};
    struct doorbell doorbell = {.bell = &bell, .bit = 1};
    uint32_t generation = shmi_doorbell_arm(&doorbell);
    (void)shmi_doorbell_ring(&doorbell, WAKE_ONE);
    assert_int_equal(shmi_doorbell_generation(&doorbell), 0);
    shmi_doorbell_sleep(&doorbell, generation, CLOCK_NEVER);
    shmi_doorbell_disarm(&doorbell);
}

static void a_sleep_ends_at_its_deadline(void **state) {
    (void)state;
    struct bell bell = {.generation = 0};
    struct doorbell doorbell = {.bell = &bell, .bit = 1};
    uint64_t until = shmi_clock_now() + 5 * MILLISECOND;
    while (shmi_clock_now() < until)
        shmi_doorbell_sleep(&doorbell, shmi_doorbell_generation(&doorbell), until);
}

static void nobody_rings_while_somebody_watches(void **state) {
    (void)state;
    struct bell bell = {.generation = 0};
    struct doorbell sleeper = {.bell = &bell, .bit = 1 << 1};
    struct doorbell watcher = {.bell = &bell, .bit = 1 << 15};
    shmi_doorbell_watch(&watcher);
    assert_false(doorbell_wants_ring(&sleeper));
    (void)shmi_doorbell_arm(&sleeper);
    assert_false(doorbell_wants_ring(&sleeper));
    shmi_doorbell_look_away(&watcher);
    assert_true(doorbell_wants_ring(&sleeper));
    shmi_doorbell_disarm(&sleeper);
    assert_int_equal(sleepers(&bell), 0);
}

static void one_ring_is_told_from_none_and_from_several(void **state) {
    (void)state;
    struct bell bell = {.generation = UINT32_MAX};
    struct doorbell doorbell = {.bell = &bell, .bit = 1};
    struct doorbell watcher = {.bell = &bell, .bit = 1 << 15};
    uint32_t generation = shmi_doorbell_arm(&doorbell);
    assert_false(shmi_doorbell_rung_once(&doorbell, generation));
    (void)shmi_doorbell_ring(&doorbell, WAKE_ONE);
    assert_true(shmi_doorbell_rung_once(&doorbell, generation));
    shmi_doorbell_watch(&watcher);
    assert_false(shmi_doorbell_rung_once(&doorbell, generation));
    shmi_doorbell_look_away(&watcher);
    assert_true(shmi_doorbell_rung_once(&doorbell, generation));
    (void)shmi_doorbell_ring(&doorbell, WAKE_ONE);
    assert_false(shmi_doorbell_rung_once(&doorbell, generation));
    shmi_doorbell_disarm(&doorbell);
}

/* Nobody is to take what it was woken for by that for the only request. */
static void a_ring_that_is_passed_on_counts_as_several(void **state) {
    (void)state;
    struct bell bell = {.generation = 5};
    struct doorbell doorbell = {.bell = &bell, .bit = 1};
    uint32_t generation = shmi_doorbell_arm(&doorbell);
    atomic_store(&wake_calls, 0);
    (void)shmi_doorbell_ring_for_several(&doorbell, 3, HOME);
    assert_int_equal(atomic_load(&wake_calls), 1);
    assert_false(shmi_doorbell_rung_once(&doorbell, generation));
    shmi_doorbell_disarm(&doorbell);
}

typedef uint32_t ring_one(struct doorbell *doorbell, uint32_t peer, uint32_t home);

/* The bit may be that of a peer that has died, or is just about to sleep. */
static void wakes_who_is_at_home_or_another(ring_one *rings, uint32_t counts) {
    struct bell bell = {.sleepers = 1 << 3 | 1 << 5};
    struct doorbell doorbell = {.bell = &bell, .bit = 1};
    atomic_store(&wake_calls, 0);
    asked_for_home = asked_for_peer = 0;
    found_at_home = 1;
    assert_int_equal(rings(&doorbell, 3, HOME), 1);
    assert_int_equal(asked_for_peer, 0);
    found_at_home = 0;
    found_of_peer = 1;
    assert_int_equal(rings(&doorbell, 3, HOME), 1);
    assert_int_equal(atomic_load(&wake_calls), 0);
    found_of_peer = 0;
    (void)rings(&doorbell, 3, HOME);
    assert_int_equal(atomic_load(&wake_calls), 1);
    (void)rings(&doorbell, 4, HOME);
    assert_int_equal(atomic_load(&wake_calls), 2);
    assert_int_equal(asked_for_home, 3);
    assert_int_equal(asked_for_peer, 2);
    assert_int_equal(shmi_doorbell_generation(&doorbell), 4 * counts);
}

static void a_ring_for_a_peer_that_does_not_sleep_wakes_another(void **state) {
    (void)state;
    wakes_who_is_at_home_or_another(shmi_doorbell_ring_for, 1);
    wakes_who_is_at_home_or_another(shmi_doorbell_ring_for_several, 2);
}

/* ---- Parking and ringing against each other ---- */

/* One way of a game of ping-pong: the other side counts `ball` up and rings, this side waits. */
struct way {
    struct bell bell;
    struct doorbell sleeper;
    struct doorbell ringer;
    atomic_u64 ball;
};

static void set_up(struct way *way) {
    *way = (struct way){.ball = 0};
    way->sleeper = (struct doorbell){.bell = &way->bell, .bit = 1 << 1};
    way->ringer = (struct doorbell){.bell = &way->bell, .bit = 1};
}

static void throw_ball(struct way *way) {
    add_seq_cst64(&way->ball, 1);
    if (doorbell_wants_ring(&way->ringer))
        (void)shmi_doorbell_ring(&way->ringer, WAKE_ALL);
}

/* A wake-up that is lost is not healed by a tick here: it ends in the assertion. */
static void catch_ball(struct way *way, uint64_t number) {
    enum { PATIENCE_S = 10 };
    while (load_seq_cst64(&way->ball) < number) {
        uint64_t until = shmi_clock_now() + PATIENCE_S * (uint64_t)SECOND;
        uint32_t generation = shmi_doorbell_arm(&way->sleeper);
        if (load_seq_cst64(&way->ball) < number)
            shmi_doorbell_sleep(&way->sleeper, generation, until);
        shmi_doorbell_disarm(&way->sleeper);
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
    assert_int_equal(sleepers(&game.there.bell) | sleepers(&game.back.bell), 0);
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

static void waiters_that_share_a_bit_do_not_lose_each_others_rings(void **state) {
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
    assert_int_equal(sleepers(&way.bell), 0);
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
    assert_int_equal(load_relaxed32(&way.bell.generation), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(arming_announces_and_disarming_takes_it_back),
        watched_test(the_last_of_a_peers_waiters_clears_its_bit),
        watched_test(a_ring_after_arming_ends_the_sleep_before_it_begins),
        watched_test(a_sleep_ends_at_its_deadline),
        watched_test(nobody_rings_while_somebody_watches),
        watched_test(one_ring_is_told_from_none_and_from_several),
        watched_test(a_ring_that_is_passed_on_counts_as_several),
        watched_test(a_ring_for_a_peer_that_does_not_sleep_wakes_another),
        watched_test(no_wake_up_is_lost),
        watched_test(waiters_that_share_a_bit_do_not_lose_each_others_rings),
        watched_test(nobody_asleep_costs_no_wake_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
