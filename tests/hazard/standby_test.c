/* Several workers: a request is run by any that is free, also while others are in long handlers. */
#define _GNU_SOURCE
#include "hazard/peers.h"

#include "peer/peer.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

/* Below a standby's own tick, far above what a loaded machine takes to run a thread. */
#define LONGEST (800 * (uint64_t)MILLISECOND)

enum { WORKERS = 4 };

struct meeting {
    unsigned size;
    atomic_uint inside;
};

enum { ANSWERED_AT_ONCE = SHMIPC_TYPE_APPLICATION }; /* a message type */

/* Returns when as many handlers have begun as meet. */
static int meet(void *context, const shmipc_request *request, shmipc_response *response) {
    struct meeting *meeting = context;
    (void)response;
    if (request->type == ANSWERED_AT_ONCE)
        return 0;
    unsigned whole = atomic_fetch_add(&meeting->inside, 1) / meeting->size * meeting->size;
    while (atomic_load(&meeting->inside) < whole + meeting->size)
        pause_briefly();
    return 0;
}

static struct meeting *new_meeting(unsigned size) {
    struct meeting *meeting = shared_memory(sizeof *meeting);
    meeting->size = size;
    return meeting;
}

static void open_for(struct scene *scene, bool host_calls, struct meeting *meeting) {
    *scene = (struct scene){.host_calls = host_calls,
                            .workers = meeting->size,
                            .handler = meet,
                            .context = meeting,
                            .config = test_host_config()};
    scene->config.host_slots = meeting->size;
    scene->config.guest_slots = meeting->size;
    scene_open(scene);
}

static void close_with(struct scene *scene, struct meeting *meeting) {
    scene_close(scene);
    shared_memory_free(meeting, sizeof *meeting);
}

struct caller {
    shmipc_peer *peer;
    pthread_barrier_t *start;
    unsigned rounds;
    uint64_t longest;
};

static void *call_in_step(void *context) {
    const shmipc_request request = {.length = 0};
    struct caller *caller = context;
    for (unsigned i = 0; i < caller->rounds; i++) {
        (void)pthread_barrier_wait(caller->start);
        dawdle(100000);
        uint64_t begin = now_ns();
        must_equal(shmipc_call(caller->peer, &request, NULL, 30 * SECOND), 0);
        uint64_t took = now_ns() - begin;
        caller->longest = took > caller->longest ? took : caller->longest;
    }
    return NULL;
}

/* Workers that are asleep while others block are woken by the callers. Their own look around comes
   only every 100 ms at best; one that had to wait for that took so long. */
static void workers_run_as_many_requests(bool host_calls, unsigned count, unsigned rounds) {
    struct meeting *meeting = new_meeting(count);
    struct scene scene;
    pthread_barrier_t start;
    struct caller callers[WORKERS];
    pthread_t threads[WORKERS];
    uint64_t longest = 0;
    open_for(&scene, host_calls, meeting);
    must_equal(pthread_barrier_init(&start, NULL, count), 0);
    for (unsigned i = 0; i < count; i++) {
        callers[i] = (struct caller){scene.caller, &start, rounds, 0};
        threads[i] = thread_start(call_in_step, &callers[i]);
    }
    for (unsigned i = 0; i < count; i++) {
        thread_join(threads[i]);
        longest = callers[i].longest > longest ? callers[i].longest : longest;
    }
    print_message("             %s, %u at once: the longest took %llu us\n",
                  direction_name(host_calls), count, (unsigned long long)longest / 1000);
    must(longest < LONGEST);
    must_equal(pthread_barrier_destroy(&start), 0);
    close_with(&scene, meeting);
}

static void test_two_workers_run_two_requests_at_once(void **state) {
    (void)state;
    workers_run_as_many_requests(true, 2, scaled(10000));
    workers_run_as_many_requests(false, 2, scaled(10000));
}

static void test_four_workers_run_four_requests_at_once(void **state) {
    (void)state;
    workers_run_as_many_requests(true, WORKERS, scaled(5000));
    workers_run_as_many_requests(false, WORKERS, scaled(5000));
}

static void send_empty(shmipc_peer *peer, shmipc_slot *slot) {
    must_equal(shmipc_slot_claim(peer, SECOND, slot), 0);
    must_equal(shmipc_slot_send(*slot, 0, 0, 0), 0);
}

static void receive_and_release(shmipc_slot slot) {
    shmipc_response view;
    must_equal(shmipc_slot_receive(slot, 10 * SECOND, &view), 0);
    must_equal(shmipc_slot_release(slot), 0);
}

/* Sends one request that blocks a worker, and a second when the other worker is asleep. */
static void send_two(struct scene *scene, const struct meeting *meeting, shmipc_slot slots[2]) {
    const struct timespec nap = {.tv_nsec = 20000000};
    send_empty(scene->caller, &slots[0]);
    eventually(atomic_load(&meeting->inside) % 2 == 1);
    nanosleep(&nap, NULL);
    send_empty(scene->caller, &slots[1]);
}

/* The request of a caller that only looks, with shmipc_slot_ready, runs too. */
static void ready_gets_a_worker(bool host_calls) {
    struct meeting *meeting = new_meeting(2);
    struct scene scene;
    open_for(&scene, host_calls, meeting);
    for (unsigned i = 0; i < 5; i++) {
        shmipc_slot slots[2];
        send_two(&scene, meeting, slots);
        uint64_t begin = now_ns();
        eventually(shmipc_slot_ready(slots[1]) == 1);
        must(now_ns() - begin < LONGEST);
        receive_and_release(slots[0]);
        receive_and_release(slots[1]);
    }
    close_with(&scene, meeting);
}

/* A caller that sleeps on the first of several answers has the other requests run too. */
static void the_first_gets_the_second_a_worker(bool host_calls) {
    struct meeting *meeting = new_meeting(2);
    struct scene scene;
    open_for(&scene, host_calls, meeting);
    for (unsigned i = 0; i < 5; i++) {
        shmipc_slot slots[2];
        send_two(&scene, meeting, slots);
        uint64_t begin = now_ns();
        receive_and_release(slots[0]);
        must(now_ns() - begin < LONGEST);
        receive_and_release(slots[1]);
    }
    close_with(&scene, meeting);
}

static void test_looking_whether_it_is_ready_gets_a_request_a_worker(void **state) {
    (void)state;
    ready_gets_a_worker(true);
    ready_gets_a_worker(false);
}

static void test_sleeping_on_one_request_gets_the_others_a_worker(void **state) {
    (void)state;
    the_first_gets_the_second_a_worker(true);
    the_first_gets_the_second_a_worker(false);
}

/* ---- Requests that are only sent ---- */

static void make_calls(shmipc_peer *peer, unsigned count) {
    const shmipc_request request = {.type = ANSWERED_AT_ONCE};
    while (count--)
        must_equal(shmipc_call(peer, &request, NULL, 30 * SECOND), 0);
}

/* How long it takes until a request's handler begins. */
static uint64_t send_and_await(shmipc_peer *peer, shmipc_slot *slot,
                               const struct meeting *meeting) {
    unsigned before = atomic_load(&meeting->inside);
    uint64_t begin = now_ns();
    send_empty(peer, slot);
    eventually(atomic_load(&meeting->inside) > before);
    return now_ns() - begin;
}

/* Sends as many requests as meet, each a while after the handlers before it have begun, and looks
   at none of their slots until all have. The workers slept before, or have just served so many
   calls. */
static uint64_t send_all(struct scene *scene, const struct meeting *meeting, unsigned calls) {
    const struct timespec nap = {.tv_nsec = 3000000};
    shmipc_slot slots[WORKERS];
    uint64_t longest = 0;
    make_calls(scene->caller, calls);
    for (unsigned i = 0; i < meeting->size; i++) {
        uint64_t took = send_and_await(scene->caller, &slots[i], meeting);
        longest = took > longest ? took : longest;
        nanosleep(&nap, NULL);
    }
    for (unsigned i = 0; i < meeting->size; i++)
        receive_and_release(slots[i]);
    return longest;
}

struct range {
    uint64_t shortest, longest;
};

static struct range new_range(void) {
    return (struct range){.shortest = UINT64_MAX};
}

static void extend(struct range *range, uint64_t took) {
    range->longest = took > range->longest ? took : range->longest;
    range->shortest = took < range->shortest ? took : range->shortest;
}

static void print_range(bool host_calls, unsigned count, const char *of_what,
                        const struct range *range) {
    print_message("             %s, %u %s: it took %llu to %llu us\n", direction_name(host_calls),
                  count, of_what, (unsigned long long)range->shortest / 1000,
                  (unsigned long long)range->longest / 1000);
}

/* After a rest no request waits until the sentry looks: not even in one of ten rounds. */
static void requests_only_sent_run(bool host_calls, unsigned calls) {
    struct meeting *meeting = new_meeting(WORKERS);
    struct scene scene;
    struct range took = new_range();
    open_for(&scene, host_calls, meeting);
    for (unsigned i = 0; i < 10; i++) {
        const struct timespec nap = {.tv_nsec = calls ? 1000000 : 100000000};
        nanosleep(&nap, NULL);
        extend(&took, send_all(&scene, meeting, calls));
    }
    print_range(host_calls, calls, "calls before", &took);
    must(took.longest < LONGEST);
    must(calls > 0 || took.shortest < SENTRY_TICK_NS);
    close_with(&scene, meeting);
}

static void test_requests_only_sent_after_a_rest_run_beside_others(void **state) {
    (void)state;
    requests_only_sent_run(true, 0);
    requests_only_sent_run(false, 0);
}

/* The worker that runs the first handler polls: no caller notifies of the requests sent
   meanwhile. */
static void test_requests_only_sent_in_traffic_run_beside_others(void **state) {
    (void)state;
    requests_only_sent_run(true, 100);
    requests_only_sent_run(false, 100);
}

/* Sends as many requests as meet, and looks at none of their slots until all handlers run. */
static uint64_t meet_unawaited(struct scene *scene, const struct meeting *meeting) {
    shmipc_slot slots[WORKERS] = {{NULL, 0, 0}};
    const unsigned before = atomic_load(&meeting->inside);
    uint64_t begin = now_ns();
    for (unsigned i = 0; i < meeting->size; i++)
        send_empty(scene->caller, &slots[i]);
    eventually(atomic_load(&meeting->inside) == before + meeting->size);
    uint64_t took = now_ns() - begin;
    for (unsigned i = 0; i < meeting->size; i++)
        receive_and_release(slots[i]);
    return took;
}

/* Once the handlers are known to be long nothing waits for the sentry. */
static void requests_known_as_long_run_at_once(bool host_calls, unsigned count) {
    enum { LEARNED = 20, ROUNDS = 50 };
    struct meeting *meeting = new_meeting(count);
    struct scene scene;
    struct range took = new_range();
    open_for(&scene, host_calls, meeting);
    for (unsigned i = 0; i < LEARNED; i++)
        (void)send_all(&scene, meeting, 0);
    for (unsigned i = 0; i < ROUNDS; i++)
        extend(&took, meet_unawaited(&scene, meeting));
    print_range(host_calls, count, "at once", &took);
    must(took.longest < LONGEST);
    must(took.shortest < SENTRY_TICK_NS);
    close_with(&scene, meeting);
}

static void test_requests_only_sent_and_known_as_long_run_at_once(void **state) {
    (void)state;
    for (unsigned count = 2; count <= WORKERS; count += 2) {
        requests_known_as_long_run_at_once(true, count);
        requests_known_as_long_run_at_once(false, count);
    }
}

/* ---- Several guests ---- */

static int answer_own_pid(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)context;
    (void)request;
    const pid_t self = getpid();
    memcpy(response->data, &self, sizeof self);
    response->length = sizeof self;
    return 0;
}

static bool all_sleep(const shmipc_peer *host, unsigned guests) {
    uint32_t bits = ((UINT32_C(1) << guests) - 1) << (HOST + 1);
    return load_seq_cst32(&host->calls.requests.shared->sleepers) == bits;
}

/* The guest that served last has warm caches; the others may sleep on. Now and then one of them
   looks at the right moment, or is woken because the first one is too slow. */
static void test_of_sleeping_guests_the_one_that_served_last_is_woken(void **state) {
    (void)state;
    enum { GUESTS = 3, CALLS = 100 };
    struct scene scene = {.host_calls = true,
                          .processes = GUESTS,
                          .handler = answer_own_pid,
                          .config = test_host_config()};
    const shmipc_request request = {.length = 0};
    pid_t last = 0, who;
    unsigned changes = 0;
    scene.config.spin_ns = 100000; /* longer than a wake-up takes */
    scene_open(&scene);
    for (unsigned i = 0; i < CALLS; i++, last = who) {
        shmipc_response response = {.data = &who, .capacity = sizeof who};
        eventually(all_sleep(scene.caller, GUESTS));
        must_equal(shmipc_call(scene.caller, &request, &response, 30 * SECOND), 0);
        changes += who != last;
    }
    print_message("             the guest changed %u times in %u calls\n", changes, CALLS);
    assert_true(changes < CALLS / 3);
    scene_close(&scene);
}

HAZARD_MAIN("standby", hazard_test(test_two_workers_run_two_requests_at_once),
            hazard_test(test_four_workers_run_four_requests_at_once),
            hazard_test(test_looking_whether_it_is_ready_gets_a_request_a_worker),
            hazard_test(test_sleeping_on_one_request_gets_the_others_a_worker),
            hazard_test(test_requests_only_sent_after_a_rest_run_beside_others),
            hazard_test(test_requests_only_sent_in_traffic_run_beside_others),
            hazard_test(test_requests_only_sent_and_known_as_long_run_at_once),
            hazard_test(test_of_sleeping_guests_the_one_that_served_last_is_woken))
