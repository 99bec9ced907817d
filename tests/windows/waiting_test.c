/*
 * Sleeping and waking on Windows, between processes and threads. The ticks are off in this program:
 * a wake-up that is lost is never made up for, and the watchdog barks.
 */
#include "windows/roles.h"

#include "peer/peer.h"
#include "platform/win32/object.h"

static const shmipc_request nothing = {.data = NULL};

/* Named for the linker, which puts them in place of the library's. */
uint64_t no_ticks(struct deadline *deadline) __asm__("__wrap_shmi_deadline_or_tick");
void no_yield(void) __asm__("__wrap_shmi_cpu_yield");

/* A wait goes to sleep at once, however busy the machine is. */
void no_yield(void) {}

uint64_t no_ticks(struct deadline *deadline) {
    return shmi_deadline_at(deadline);
}

/* Passes up to 0.1 ms, each time another span, so that the other side now sleeps and now is about
   to. */
static void dawdle(unsigned turn) {
    uint64_t until = now_ns() + turn * UINT64_C(7919) % 100000;
    while (now_ns() < until)
        cpu_pause();
}

/* ---- Roles ---- */

enum { SLEEPERS = 4, ROUNDS = 200 };
enum { AWAKE_GATE, RUNG_GATE };

static int dawdling_handler(void *context, const shmipc_request *request,
                            shmipc_response *response) {
    static unsigned turn;
    (void)context;
    (void)request;
    (void)response;
    dawdle(turn++);
    return 0;
}

static int be_dawdling_guest(const char *region, struct stage *stage) {
    (void)stage;
    shmipc_peer *guest = attach(region);
    int error = shmipc_serve(guest, dawdling_handler, NULL);
    shmipc_free(guest);
    return error == SHMIPC_E_SHUTDOWN ? 0 : 1;
}

struct sleeper {
    shmipc_peer *peer;
    struct stage *stage;
    pthread_t thread;
};

/* Says that it is about to sleep, and sleeps until the eventcount has been notified once more. */
static void sleep_until_notified(struct sleeper *self) {
    struct local_eventcount *eventcount = &self->peer->membership.changes;
    uint32_t generation = shmi_eventcount_generation(eventcount);
    gate_pass(&self->stage->gates[AWAKE_GATE]);
    while (shmi_eventcount_generation(eventcount) == generation)
        (void)shmi_eventcount_commit(eventcount, generation, CLOCK_NEVER);
}

/* Each round begins for all when the last one's notify is over. */
static void *sleep_on_eventcount(void *context) {
    struct sleeper *self = context;
    for (unsigned round = 1; round <= ROUNDS; round++) {
        sleep_until_notified(self);
        gate_await(&self->stage->gates[RUNG_GATE], round);
    }
    return NULL;
}

static void start_sleepers(struct sleeper *sleepers, shmipc_peer *peer, struct stage *stage) {
    for (int i = 0; i < SLEEPERS; i++) {
        sleepers[i] = (struct sleeper){.peer = peer, .stage = stage};
        sleepers[i].thread = thread_start(sleep_on_eventcount, &sleepers[i]);
    }
}

static void join_sleepers(struct sleeper *sleepers) {
    for (int i = 0; i < SLEEPERS; i++)
        thread_join(sleepers[i].thread);
}

static int be_sleeping_guest(const char *region, struct stage *stage) {
    struct sleeper sleepers[SLEEPERS];
    shmipc_peer *guest = attach(region);
    gate_await(&stage->gates[RUNG_GATE + 1], 1);
    start_sleepers(sleepers, guest, stage);
    join_sleepers(sleepers);
    shmipc_free(guest);
    return 0;
}

static const struct role roles[] = {
    {"dawdling-guest", be_dawdling_guest},
    {"sleeping-guest", be_sleeping_guest},
    {NULL, NULL},
};

/* ---- Wake-ups ---- */

static uint64_t sleeps_of(shmipc_peer *peer) {
    shmipc_stats stats;
    must_equal(shmipc_get_stats(peer, &stats), SHMIPC_OK);
    return stats.parks;
}

/* How many calls it takes depends on whether the system puts both on one processor: then many are
   answered while the caller yields. */
static void no_wake_up_is_lost_between_parked_processes(void **state) {
    (void)state;
    enum { CALLS = 8000, SLEEPS = 1000 };
    int calls = 0;
    struct region_name name = new_name();
    shmipc_peer *host = create(name.text);
    struct process guest = role_start("dawdling-guest", name.text);
    uint64_t longest = 0;
    assert_int_equal(shmipc_wait_guests(host, 1, 20 * SECOND), SHMIPC_OK);
    for (; calls < CALLS || sleeps_of(host) < SLEEPS; calls++) {
        dawdle((unsigned)calls % CALLS * 3);
        uint64_t begin = now_ns();
        assert_int_equal(shmipc_call(host, &nothing, NULL, SHMIPC_FOREVER), SHMIPC_OK);
        uint64_t took = now_ns() - begin;
        assert_true(took < 5 * (uint64_t)SECOND);
        longest = took > longest ? took : longest;
    }
    print_message("             %d calls, %llu slept, the longest took %.1f ms\n", calls,
                  (unsigned long long)sleeps_of(host), (double)longest / 1e6);
    assert_int_equal(shmipc_shutdown(host, 20 * SECOND), SHMIPC_OK);
    assert_int_equal(process_wait(guest), 0);
    shmipc_free(host);
}

/* Three processes with four threads each sleep on one eventcount: none may take another's signal.
   */
static void a_notification_of_all_reaches_every_thread_of_every_peer(void **state) {
    (void)state;
    enum { PROCESSES = 3 };
    struct region_name name = new_name();
    struct stage *stage = stage_open(name.text);
    struct sleeper sleepers[SLEEPERS];
    shmipc_peer *host = create(name.text);
    struct process guests[PROCESSES - 1];
    for (int i = 0; i < PROCESSES - 1; i++)
        guests[i] = role_start("sleeping-guest", name.text);
    assert_int_equal(shmipc_wait_guests(host, PROCESSES - 1, 20 * SECOND), SHMIPC_OK);
    gate_pass(&stage->gates[RUNG_GATE + 1]);
    start_sleepers(sleepers, host, stage);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        gate_await(&stage->gates[AWAKE_GATE], round * PROCESSES * SLEEPERS);
        (void)shmi_eventcount_notify(&host->membership.changes, WAKE_ALL);
        gate_pass(&stage->gates[RUNG_GATE]);
    }
    join_sleepers(sleepers);
    for (int i = 0; i < PROCESSES - 1; i++)
        assert_int_equal(process_wait(guests[i]), 0);
    shmipc_free(host);
    stage_close(stage);
}

static void *sleep_often(void *context) {
    for (unsigned round = 1; round <= ROUNDS; round++)
        sleep_until_notified(context);
    return NULL;
}

/* It is not announced: a notify every peer that is would not reach it. */
static void a_notification_of_the_own_peer_reaches_its_thread(void **state) {
    (void)state;
    struct region_name name = new_name();
    struct stage *stage = stage_open(name.text);
    struct sleeper sleeper = {.peer = create(name.text), .stage = stage};
    sleeper.thread = thread_start(sleep_often, &sleeper);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        gate_await(&stage->gates[AWAKE_GATE], round);
        dawdle(round);
        shmi_eventcount_notify_own(&sleeper.peer->membership.changes, HOST);
    }
    thread_join(sleeper.thread);
    shmipc_free(sleeper.peer);
    stage_close(stage);
}

/* The slot's event is set though nothing was answered. */
static void a_signal_that_is_left_over_is_no_answer(void **state) {
    (void)state;
    static struct gated gated;
    struct pair pair;
    struct server server;
    pair_open(&pair, NULL);
    server_start(&server, pair.guest, gated_handler, &gated);
    for (unsigned round = 1; round <= 50; round++) {
        struct call_thread caller;
        call_start(&caller, pair.host, SHMIPC_FOREVER);
        gate_await(&gated.entered, round);
        for (uint32_t slot = 0; slot < 2; slot++)
            (void)shmi_word_wake(pair.guest->region.object,
                                 (atomic_u32 *)(void *)region_slot(&pair.guest->region, slot), 1);
        gate_pass(&gated.leave);
        assert_int_equal(call_join(&caller), SHMIPC_OK);
    }
    assert_int_equal(server_stop(&server), SHMIPC_E_WOKEN);
    pair_close(&pair);
}

/* ---- Deadlines ---- */

typedef int (*short_wait)(struct pair *pair);

static int call_that_nobody_takes(struct pair *p) {
    return shmipc_call(p->host, &nothing, NULL, MILLISECOND);
}

static int wait_for_a_request(struct pair *p) {
    return shmipc_wait(p->guest, MILLISECOND);
}

static int wait_for_an_event(struct pair *p) {
    shmipc_event event;
    return shmipc_next_event(p->guest, MILLISECOND, &event);
}

static int wait_for_guests(struct pair *p) {
    return shmipc_wait_guests(p->host, 2, MILLISECOND);
}

static int wait_for_a_slot(struct pair *p) {
    shmipc_slot slots[3];
    must_equal(shmipc_slot_claim(p->host, 0, &slots[0]), SHMIPC_OK);
    must_equal(shmipc_slot_claim(p->host, 0, &slots[1]), SHMIPC_OK);
    int error = shmipc_slot_claim(p->host, MILLISECOND, &slots[2]);
    must_equal(shmipc_slot_release(slots[0]), SHMIPC_OK);
    must_equal(shmipc_slot_release(slots[1]), SHMIPC_OK);
    return error;
}

static int wait_for_a_private_word(struct pair *p) {
    static atomic_u32 never_changes;
    (void)p;
    (void)shmi_word_wait(NULL, &never_changes, 0, shmi_clock_now() + MILLISECOND, NO_HOME);
    return SHMIPC_E_TIMEOUT;
}

/* Shorter than the system's tick of some 15 ms. A busy machine may be late now and then. */
static void deadlines_below_a_tick_are_kept(void **state) {
    (void)state;
    enum { TIMES = 40 };
    static const short_wait waits[] = {call_that_nobody_takes, wait_for_a_request,
                                       wait_for_an_event,      wait_for_guests,
                                       wait_for_a_slot,        wait_for_a_private_word};
    struct pair pair;
    pair_open(&pair, NULL);
    for (unsigned which = 0; which < sizeof waits / sizeof *waits; which++) {
        int in_time = 0;
        for (int i = 0; i < TIMES; i++) {
            uint64_t begin = now_ns();
            assert_int_equal(waits[which](&pair), SHMIPC_E_TIMEOUT);
            uint64_t took = now_ns() - begin;
            assert_true(took >= MILLISECOND * 9 / 10);
            in_time += took < 15 * (uint64_t)MILLISECOND;
        }
        print_message("             wait %u: %d of %d in time\n", which, in_time, TIMES);
        assert_true(in_time > TIMES / 2);
    }
    pair_close(&pair);
}

/* ---- Processes ---- */

static bool waits_until(shmipc_peer *host, uint64_t deadline) {
    return shmi_eventcount_commit(&host->membership.changes,
                                  shmi_eventcount_generation(&host->membership.changes), deadline);
}

/* Its id alone does not make a process the peer's. */
static void a_process_is_known_by_the_time_of_its_creation(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_peer *host = create(name.text);
    struct process guest = role_start("dawdling-guest", name.text);
    assert_int_equal(shmipc_wait_guests(host, 1, 20 * SECOND), SHMIPC_OK);
    struct peer_record *record = &host->region.shared->peers[1];
    assert_false(waits_until(host, shmi_clock_now() + 5 * MILLISECOND));
    uint64_t started = load_relaxed64(&record->origin);
    store_relaxed64(&record->origin, started - 1);
    assert_true(waits_until(host, CLOCK_NEVER));
    /* It is not dead anew each time. */
    assert_false(waits_until(host, shmi_clock_now() + 5 * MILLISECOND));
    store_relaxed64(&record->origin, started);
    assert_false(waits_until(host, shmi_clock_now() + 5 * MILLISECOND));
    assert_int_equal(shmipc_shutdown(host, 20 * SECOND), SHMIPC_OK);
    assert_int_equal(process_wait(guest), 0);
    shmipc_free(host);
}

/* What shared memory says adds nothing to a wait: it is for the other peers' processes, one each.
   Every line, also the own one, names a live process. */
static void lines_that_lie_make_no_wait_longer(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_peer *host = create(name.text);
    struct process guest = role_start("dawdling-guest", name.text);
    struct object *object = host->region.object;
    struct peer_record *records = host->region.shared->peers;
    struct watch_set set;
    assert_int_equal(shmipc_wait_guests(host, 1, 20 * SECOND), SHMIPC_OK);
    for (uint32_t peer = 0; peer < PEERS; peer++) {
        store_relaxed64(&records[peer].origin, load_relaxed64(&records[1].origin));
        store_relaxed32(&records[peer].pid, load_relaxed32(&records[1].pid));
        store_release32(&records[peer].status, PEER_ATTACHED);
    }
    assert_true(shmi_watch_begin(object, &set));
    assert_int_equal(set.count, PEERS - 1);
    assert_null(object->watch.peers[HOST]);
    shmi_watch_end(object, &set, set.count);
    object->self = NO_PEER; /* which no sleeper's is: the set is bounded all the same */
    assert_true(shmi_watch_begin(object, &set));
    assert_int_equal(set.count, PEERS - 1);
    shmi_watch_end(object, &set, set.count);
    object->self = HOST;
    assert_false(waits_until(host, shmi_clock_now() + 5 * MILLISECOND));
    assert_int_equal(load_relaxed32(&object->watch.deaths), 0);
    for (uint32_t peer = 2; peer < PEERS; peer++)
        store_release32(&records[peer].status, PEER_VACANT);
    assert_int_equal(shmipc_shutdown(host, 20 * SECOND), SHMIPC_OK);
    assert_int_equal(process_wait(guest), 0);
    shmipc_free(host);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        watched_test(no_wake_up_is_lost_between_parked_processes),
        watched_test(a_notification_of_all_reaches_every_thread_of_every_peer),
        watched_test(a_notification_of_the_own_peer_reaches_its_thread),
        watched_test(a_signal_that_is_left_over_is_no_answer),
        watched_test(deadlines_below_a_tick_are_kept),
        watched_test(a_process_is_known_by_the_time_of_its_creation),
        watched_test(lines_that_lie_make_no_wait_longer),
    };
    play_role_if_asked(argc, argv, roles);
    return cmocka_run_group_tests_name("waiting", tests, NULL, NULL);
}
