/* Hosts and guests come, go, fork and come again: nothing is harmed and nothing is left. */
#define _GNU_SOURCE
#include "hazard/peers.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- A second host ---- */

struct snapshot {
    uint8_t *bytes;
    size_t size;
    ino_t inode;
};

static struct snapshot take_snapshot(const char *name) {
    char path[256];
    struct stat status;
    struct snapshot snapshot;
    path_of(name, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0);
    must_equal(fstat(fd, &status), 0);
    snapshot.size = (size_t)status.st_size;
    snapshot.inode = status.st_ino;
    snapshot.bytes = malloc(snapshot.size);
    must(snapshot.bytes != NULL);
    must_equal(read(fd, snapshot.bytes, snapshot.size), (ssize_t)snapshot.size);
    must_equal(close(fd), 0);
    return snapshot;
}

static void expect_unchanged(const char *name, struct snapshot *before) {
    struct snapshot now = take_snapshot(name);
    must_equal(now.size, before->size);
    must_equal(now.inode, before->inode);
    must_equal(memcmp(now.bytes, before->bytes, now.size), 0);
    free(now.bytes);
    free(before->bytes);
}

static void create_in_vain(const char *name) {
    shmipc_host_config smaller = test_host_config();
    shmipc_peer *second;
    smaller.host_slots = 1;
    smaller.request_capacity = 1;
    must_equal(shmipc_host_create(name, NULL, &second), SHMIPC_E_NAME_IN_USE);
    must(second == NULL);
    must_equal(shmipc_host_create(name, &smaller, &second), SHMIPC_E_NAME_IN_USE);
    must(second == NULL);
}

static void *create_in_a_thread(void *context) {
    create_in_vain(context);
    return NULL;
}

static int create_in_a_child(void *context) {
    create_in_vain(context);
    return 0;
}

static void test_a_second_host_is_refused_and_changes_nothing(void **state) {
    struct pair pair;
    struct snapshot before;
    (void)state;
    pair_open(&pair, NULL);

    before = take_snapshot(pair.name.text);
    create_in_vain(pair.name.text);
    expect_unchanged(pair.name.text, &before);

    before = take_snapshot(pair.name.text);
    thread_join(thread_start(create_in_a_thread, pair.name.text));
    expect_unchanged(pair.name.text, &before);

    before = take_snapshot(pair.name.text);
    must_equal(child_wait(child_start(create_in_a_child, pair.name.text)), 0);
    expect_unchanged(pair.name.text, &before);
    pair_close(&pair);
}

/* ---- Close ---- */

struct hold {
    struct gate entered;
    struct gate release;
};

static int wait_for_release(void *context, const shmipc_request *request,
                            shmipc_response *response) {
    struct hold *hold = context;
    (void)request;
    (void)response;
    gate_pass(&hold->entered);
    gate_await(&hold->release, 1);
    return 0;
}

enum { CALLERS = 64 };

struct closing {
    shmipc_peer *peer;
    struct gate inside;
    struct gate outside;
};

static void *call_until_closed(void *context) {
    struct closing *closing = context;
    gate_pass(&closing->inside);
    int error = call_empty(closing->peer, 60 * SECOND);
    while (error == SHMIPC_OK)
        error = call_empty(closing->peer, 60 * SECOND);
    must(error == SHMIPC_E_CLOSED || error == SHMIPC_E_CLOSED_STARTED);
    must_equal(call_empty(closing->peer, 60 * SECOND), SHMIPC_E_CLOSED);
    gate_pass(&closing->outside);
    return NULL;
}

/* Two calls are in handlers that do not return, the other 62 wait for a slot. */
static void close_while_64_wait(bool host_calls) {
    struct hold *hold = shared_memory(sizeof *hold);
    struct scene scene = {
        .host_calls = host_calls, .workers = 2, .handler = wait_for_release, .context = hold};
    pthread_t callers[CALLERS];
    scene_open(&scene);
    struct closing closing = {.peer = scene.caller};
    for (int i = 0; i < CALLERS; i++)
        callers[i] = thread_start(call_until_closed, &closing);
    gate_await(&closing.inside, CALLERS);
    gate_await(&hold->entered, 2);
    uint64_t begin = now_ns();
    shmipc_close(scene.caller);
    must(now_ns() - begin < (uint64_t)SECOND);
    for (int i = 0; i < CALLERS; i++)
        thread_join(callers[i]);
    gate_pass(&hold->release);
    scene_close(&scene);
    shared_memory_free(hold, sizeof *hold);
}

static int echo_slowly(void *context, const shmipc_request *request, shmipc_response *response) {
    dawdle(20000);
    return echo_handler(context, request, response);
}

/* All 64 call as fast as they can; the moment of the close is drawn. */
static void close_while_64_call(bool host_calls) {
    struct scene scene = {.host_calls = host_calls, .workers = 2, .handler = echo_slowly};
    pthread_t callers[CALLERS];
    scene_open(&scene);
    struct closing closing = {.peer = scene.caller};
    for (int i = 0; i < CALLERS; i++)
        callers[i] = thread_start(call_until_closed, &closing);
    dawdle(3000000);
    shmipc_close(scene.caller);
    gate_await(&closing.outside, CALLERS);
    for (int i = 0; i < CALLERS; i++)
        thread_join(callers[i]);
    scene_close(&scene);
}

static void test_close_ends_64_waiting_callers(void **state) {
    (void)state;
    close_while_64_wait(true);
    close_while_64_wait(false);
}

static void test_close_ends_64_busy_callers(void **state) {
    (void)state;
    for (unsigned i = 0; i < scaled(10); i++) {
        close_while_64_call(true);
        close_while_64_call(false);
    }
}

/* ---- Again and again ---- */

static void one_exchange(shmipc_peer *peer) {
    char answer[4];
    const shmipc_request request = {.data = "ping", .length = 4};
    shmipc_response response = {.data = answer, .capacity = sizeof answer};
    must_equal(shmipc_call(peer, &request, &response, 20 * SECOND), 0);
    must_equal(memcmp(answer, "ping", 4), 0);
}

static void test_a_guest_may_come_and_go_a_thousand_times(void **state) {
    const shmipc_guest_config config = test_guest_config();
    const shmipc_host_config host_config = test_host_config();
    struct region_name name = new_name();
    struct server server;
    shmipc_peer *host;
    (void)state;
    must_equal(shmipc_host_create(name.text, &host_config, &host), 0);
    server_start(&server, host, echo_handler, NULL);
    int descriptors = count_descriptors();
    int mappings = count_mappings();
    for (int i = 0; i < 1000; i++) {
        shmipc_peer *guest;
        must_equal(shmipc_guest_attach(name.text, &config, SECOND, &guest), 0);
        one_exchange(guest);
        shmipc_free(guest);
        must_equal(count_regions(), 1);
    }
    must_equal(count_descriptors(), descriptors);
    must_equal(count_mappings(), mappings);
    must_equal(server_stop(&server), SHMIPC_E_WOKEN);
    shmipc_free(host);
}

static void test_a_host_may_come_and_go_a_thousand_times(void **state) {
    struct region_name name = new_name();
    const shmipc_host_config config = test_host_config();
    const shmipc_guest_config guest_config = test_guest_config();
    int descriptors = count_descriptors();
    int mappings = count_mappings();
    (void)state;
    for (int i = 0; i < 1000; i++) {
        struct server server;
        shmipc_peer *host;
        shmipc_peer *guest;
        must_equal(shmipc_host_create(name.text, &config, &host), 0);
        must_equal(shmipc_guest_attach(name.text, &guest_config, SECOND, &guest), 0);
        server_start(&server, guest, echo_handler, NULL);
        one_exchange(host);
        shmipc_free(host);
        must_equal(server_join(&server) == SHMIPC_E_SHUTDOWN || server.result == SHMIPC_E_PEER_DIED,
                   1);
        shmipc_free(guest);
    }
    must_equal(count_descriptors(), descriptors);
    must_equal(count_mappings(), mappings);
    must_equal(count_regions(), 0);
}

/* ---- Shutdown ---- */

/* CLOSED: one that began when it was over. */
static void *serve_until_shutdown(void *context) {
    int error = shmipc_serve(context, echo_handler, NULL);
    must(error == SHMIPC_E_SHUTDOWN || error == SHMIPC_E_CLOSED);
    return NULL;
}

static void *wait_until_shutdown(void *context) {
    int error = shmipc_wait(context, SHMIPC_FOREVER);
    must(error == SHMIPC_E_SHUTDOWN || error == SHMIPC_E_CLOSED);
    return NULL;
}

static void *listen_until_closed(void *context) {
    shmipc_event event;
    int error;
    do {
        error = shmipc_next_event(context, SHMIPC_FOREVER, &event);
    } while (error == SHMIPC_OK);
    must(error == SHMIPC_E_SHUTDOWN || error == SHMIPC_E_CLOSED);
    return NULL;
}

static void *wait_for_guests_until_closed(void *context) {
    int error = shmipc_wait_guests(context, SHMIPC_GUESTS_MAX, SHMIPC_FOREVER);
    must(error == SHMIPC_E_SHUTDOWN || error == SHMIPC_E_CLOSED);
    return NULL;
}

static uint64_t time_of_shutdown(shmipc_peer *peer, void *(*const *bodies)(void *), int count) {
    const struct timespec nap = {.tv_nsec = 30000000};
    pthread_t threads[4];
    for (int i = 0; i < count; i++)
        threads[i] = thread_start(bodies[i], peer);
    nanosleep(&nap, NULL); /* they are asleep now; if not, the test is merely easier */
    uint64_t begin = now_ns();
    must_equal(shmipc_shutdown(peer, 20 * SECOND), 0);
    uint64_t took = now_ns() - begin;
    for (int i = 0; i < count; i++)
        thread_join(threads[i]);
    return took;
}

static uint64_t time_of_idle_shutdown(bool of_host) {
    void *(*const bodies[])(void *) = {serve_until_shutdown, wait_until_shutdown,
                                       listen_until_closed, wait_for_guests_until_closed};
    struct pair pair;
    pair_open(&pair, NULL);
    uint64_t took = time_of_shutdown(of_host ? pair.host : pair.guest, bodies, of_host ? 4 : 3);
    pair_close(&pair);
    return took;
}

/* A busy machine may delay one; it does not delay five. */
static void test_an_idle_shutdown_takes_less_than_ten_milliseconds(void **state) {
    (void)state;
    for (int of_host = 0; of_host < 2; of_host++) {
        uint64_t best = UINT64_MAX;
        for (int i = 0; i < 5; i++) {
            uint64_t took = time_of_idle_shutdown(of_host);
            best = took < best ? took : best;
        }
        must(best < 10 * (uint64_t)MILLISECOND);
    }
}

/* ---- Events ---- */

static void expect_event(shmipc_peer *peer, shmipc_event_kind kind) {
    shmipc_event event;
    must_equal(shmipc_next_event(peer, 10 * SECOND, &event), 0);
    must_equal(event.kind, kind);
}

static void test_a_guest_that_left_and_came_and_left_has_not_died(void **state) {
    const shmipc_guest_config config = test_guest_config();
    struct pair pair;
    shmipc_event event;
    (void)state;
    pair_open(&pair, NULL);
    expect_event(pair.host, SHMIPC_EVENT_ATTACHED);
    for (int i = 0; i < 2; i++) {
        shmipc_free(pair.guest);
        must_equal(shmipc_guest_attach(pair.name.text, &config, SECOND, &pair.guest), 0);
    }
    shmipc_free(pair.guest);
    expect_event(pair.host, SHMIPC_EVENT_LEFT);
    expect_event(pair.host, SHMIPC_EVENT_ATTACHED); /* the last visit, which no look saw */
    expect_event(pair.host, SHMIPC_EVENT_LEFT);
    must_equal(shmipc_next_event(pair.host, 0, &event), SHMIPC_E_TIMEOUT);
    shmipc_free(pair.host);
}

/* ---- fork ---- */

struct forked {
    struct region_name name;
    struct gate created;
    struct gate child_lives;
    struct gate child_ends;
    atomic_int child; /* the host's child */
};

static int live_on(struct forked *forked) {
    must_equal(count_mappings(), 0);
    gate_pass(&forked->child_lives);
    gate_await(&forked->child_ends, 1);
    return 0;
}

static int host_that_forks(void *context) {
    const shmipc_host_config config = test_host_config();
    struct forked *forked = context;
    shmipc_peer *host;
    must_equal(shmipc_host_create(forked->name.text, &config, &host), 0);
    pid_t child = fork();
    if (child == 0)
        _exit(live_on(forked));
    atomic_store(&forked->child, child);
    gate_await(&forked->child_lives, 1);
    gate_pass(&forked->created);
    for (;;)
        pause();
}

static void test_a_dead_hosts_name_is_free_while_its_child_lives(void **state) {
    struct forked *forked = shared_memory(sizeof *forked);
    shmipc_peer *host;
    (void)state;
    forked->name = new_name();
    pid_t parent = child_start(host_that_forks, forked);
    gate_await(&forked->created, 1);
    must_equal(shmipc_host_create(forked->name.text, NULL, &host), SHMIPC_E_NAME_IN_USE);
    child_kill(parent);
    must_equal(shmipc_host_create(forked->name.text, NULL, &host), 0);
    gate_pass(&forked->child_ends);
    shmipc_free(host);
    shared_memory_free(forked, sizeof *forked);
}

struct inheritance {
    struct pair pair;
    shmipc_slot host_slot; /* claimed */
    shmipc_slot guest_slot;
    shmipc_slot sent;
};

static void expect_closed(shmipc_peer *peer) {
    const shmipc_request addressed = {.to = UINT64_C(1) << 32 | 1};
    uint64_t address;
    shmipc_fd fd;
    shmipc_info info;
    shmipc_stats stats;
    shmipc_event event;
    shmipc_slot slot;
    must_equal(call_empty(peer, SECOND), SHMIPC_E_CLOSED);
    must_equal(shmipc_call(peer, &addressed, NULL, SECOND), SHMIPC_E_CLOSED);
    must_equal(shmipc_ping(peer, SECOND, NULL), SHMIPC_E_CLOSED);
    must_equal(shmipc_slot_claim(peer, SECOND, &slot), SHMIPC_E_CLOSED);
    must_equal(shmipc_serve(peer, echo_handler, NULL), SHMIPC_E_CLOSED);
    must_equal(shmipc_poll(peer, echo_handler, NULL), SHMIPC_E_CLOSED);
    must_equal(shmipc_wait(peer, SECOND), SHMIPC_E_CLOSED);
    must_equal(shmipc_wake(peer), SHMIPC_E_CLOSED);
    must_equal(shmipc_get_info(peer, &info), SHMIPC_E_CLOSED);
    must_equal(shmipc_get_stats(peer, &stats), SHMIPC_E_CLOSED);
    must_equal(shmipc_get_slot_stats(peer, 0, &stats), SHMIPC_E_CLOSED);
    must_equal(shmipc_find_guest(peer, 0, &address), SHMIPC_E_CLOSED);
    must_equal(shmipc_get_fd(peer, &fd), SHMIPC_E_CLOSED);
    must_equal(shmipc_disarm(peer), SHMIPC_E_CLOSED);
    must_equal(shmipc_next_event(peer, SECOND, &event), SHMIPC_E_CLOSED);
    must_equal(shmipc_shutdown(peer, SECOND), SHMIPC_E_CLOSED);
}

/* Refused, by any error, as long as nothing of the parent's memory is touched. */
static void expect_useless(shmipc_slot slot) {
    const shmipc_request addressed = {.to = UINT64_C(1) << 32 | 1};
    shmipc_response response;
    size_t which = 0;
    must(shmipc_slot_ready(slot) < 0);
    must(shmipc_slot_receive(slot, SECOND, &response) < 0);
    must(shmipc_slot_send(slot, 0, 0, 0) < 0);
    must(shmipc_slot_send_to(slot, addressed.to, 0, 0, 0) < 0);
    must(shmipc_slot_call(slot, &addressed, NULL, SECOND) < 0);
    must(shmipc_slot_wait_any(&slot, 1, SECOND, &which) < 0);
    must(shmipc_slot_cancel(slot) < 0);
    (void)shmipc_slot_release(slot);
}

static int try_everything_after_fork(void *context) {
    struct inheritance *inheritance = context;
    expect_closed(inheritance->pair.host);
    expect_closed(inheritance->pair.guest);
    expect_useless(inheritance->host_slot);
    expect_useless(inheritance->guest_slot);
    expect_useless(inheritance->sent);
    pair_close(&inheritance->pair);
    return 0;
}

static void test_a_forked_child_has_closed_peers_and_stale_slots(void **state) {
    struct inheritance parent;
    (void)state;
    pair_open(&parent.pair, NULL);
    must_equal(shmipc_slot_claim(parent.pair.host, SECOND, &parent.host_slot), 0);
    must_equal(shmipc_slot_claim(parent.pair.guest, SECOND, &parent.guest_slot), 0);
    must_equal(shmipc_slot_claim(parent.pair.host, SECOND, &parent.sent), 0);
    must_equal(shmipc_slot_send(parent.sent, 0, 0, 0), 0);
    must_equal(child_wait(child_start(try_everything_after_fork, &parent)), 0);
    /* Nothing of it reached the parent's region. */
    must_equal(shmipc_poll(parent.pair.guest, echo_handler, NULL), 1);
    must_equal(shmipc_slot_ready(parent.sent), 1);
    must_equal(shmipc_slot_release(parent.sent), 0);
    must_equal(shmipc_slot_release(parent.host_slot), 0);
    must_equal(shmipc_slot_release(parent.guest_slot), 0);
    pair_close(&parent.pair);
}

HAZARD_MAIN("lifecycle", hazard_test(test_a_second_host_is_refused_and_changes_nothing),
            hazard_test(test_close_ends_64_waiting_callers),
            hazard_test(test_close_ends_64_busy_callers),
            hazard_test(test_a_guest_may_come_and_go_a_thousand_times),
            hazard_test(test_a_host_may_come_and_go_a_thousand_times),
            hazard_test(test_an_idle_shutdown_takes_less_than_ten_milliseconds),
            hazard_test(test_a_guest_that_left_and_came_and_left_has_not_died),
            hazard_test(test_a_dead_hosts_name_is_free_while_its_child_lives),
            hazard_test(test_a_forked_child_has_closed_peers_and_stale_slots))
