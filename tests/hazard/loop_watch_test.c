/* A guest's event loop is told by the system of its host's end. */
#define _GNU_SOURCE
#include "hazard/descriptors.h"
#include "hazard/loops.h"

#include "peer/peer.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

/* A loop of this process's guest; the host is a process of its own. */
struct watcher {
    struct scene scene;
    struct loop loop;
};

static void watcher_attach(struct watcher *w) {
    w->scene =
        (struct scene){.handler = echo_handler, .host_calls = false, .config = loop_config()};
    scene_open(&w->scene);
}

static void watcher_open(struct watcher *w, bool by_edge) {
    watcher_attach(w);
    loop_open(&w->loop, w->scene.caller, ALL_EVENTS, by_edge);
}

static void watcher_close(struct watcher *w) {
    loop_close(&w->loop);
    scene_close(&w->scene);
    must_equal(shmipc_remove_dead_region(w->scene.name.text), SHMIPC_OK);
}

static void kill_host(struct watcher *w) {
    child_kill(scene_responder(&w->scene, 0));
    scene_forget(&w->scene, 0);
}

/* The loop is told until it has taken the event. */
static void expect_death(struct watcher *w) {
    shmipc_event event;
    loop_await(&w->loop);
    must_equal(loop_arm(&w->loop), 1);
    must_equal(shmipc_next_event(w->loop.peer, 0, &event), SHMIPC_OK);
    must_equal(event.kind, SHMIPC_EVENT_DIED);
}

/* A tick is due on the next multiple of this. */
static void expect_ticks(const struct loop *loop, uint64_t interval) {
    uint64_t at = loop->peer->loop.tick_at;
    must_equal(at % interval, 0);
    must(at <= now_ns() + interval);
}

static void expect_watched(struct watcher *w) {
    must_equal(loop_arm(&w->loop), 0);
    expect_ticks(&w->loop, SECOND);
}

/* Ticks find the death. */
static void expect_unwatched(struct watcher *w) {
    must_equal(loop_arm(&w->loop), 0);
    expect_ticks(&w->loop, 100 * (uint64_t)MILLISECOND);
    uint64_t begin = now_ns();
    kill_host(w);
    expect_death(w);
    must(now_ns() - begin < SOON);
}

static struct peer_record *host_record(const struct watcher *w) {
    return &w->scene.caller->region.shared->peers[HOST];
}

/* The number of the descriptor that watches a process; -1: none does. */
static int find_pidfd(void) {
    for (int fd = 0; fd < 256; fd++) {
        char path[64];
        char target[64];
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(path, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        if (strcmp(target, "anon_inode:[pidfd]") == 0)
            return fd;
    }
    return -1;
}

/* ---- The end ---- */

static void test_a_guests_loop_is_told_of_its_hosts_end(void **state) {
    (void)state;
    for (unsigned i = 0; i < scaled(20); i++) {
        struct watcher w;
        watcher_open(&w, i % 2 == 1);
        w.loop.events = i % 4 < 2 ? ALL_EVENTS : SHMIPC_ARM_EVENTS;
        expect_watched(&w);
        loop_without_ticks(&w.loop);
        must_equal(loop_arm(&w.loop), 0);
        kill_host(&w);
        expect_death(&w);
        must_equal(shmipc_poll(w.loop.peer, echo_handler, NULL), SHMIPC_E_PEER_DIED);
        watcher_close(&w);
    }
}

/* Its guests die without the system's telling it. */
static void test_a_hosts_loop_watches_nobody(void **state) {
    struct stand s;
    (void)state;
    stand_open(&s);
    must_equal(find_pidfd(), -1);
    must_equal(loop_arm(&s.loop), 0);
    must(s.loop.peer->loop.tick_at <= now_ns() + 100 * (uint64_t)MILLISECOND);
    stand_close(&s);
}

/* ---- Ids that do not mean the host's process, or nobody ---- */

static bool origin_is_unknown;

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
uint64_t __real_shmi_process_origin(void);
uint64_t __wrap_shmi_process_origin(void);

uint64_t __wrap_shmi_process_origin(void) {
    return origin_is_unknown ? 0 : __real_shmi_process_origin();
}
/* NOLINTEND(bugprone-reserved-identifier) */

static void attach_to_host_of(struct watcher *w, uint64_t origin) {
    watcher_attach(w);
    store_relaxed64(&host_record(w)->origin, origin);
    loop_open(&w->loop, w->scene.caller, ALL_EVENTS, false);
    expect_unwatched(w);
    watcher_close(w);
}

static void test_the_id_of_an_unknown_namespace_is_not_watched(void **state) {
    struct watcher w;
    (void)state;
    attach_to_host_of(&w, shmi_process_origin() + 1);
    attach_to_host_of(&w, 0);
    origin_is_unknown = true;
    attach_to_host_of(&w, 0);
    origin_is_unknown = false;
}

static int sleep_until_killed(void *context) {
    (void)context;
    while (pause() == -1) {
    }
    return 0;
}

static void test_the_end_of_a_wrong_process_is_no_death(void **state) {
    struct watcher w;
    (void)state;
    watcher_attach(&w);
    pid_t wrong = child_start(sleep_until_killed, NULL);
    store_relaxed32(&host_record(&w)->pid, (uint32_t)wrong);
    loop_open(&w.loop, w.scene.caller, ALL_EVENTS, false);
    expect_watched(&w);
    loop_without_ticks(&w.loop);
    must_equal(loop_arm(&w.loop), 0);
    child_kill(wrong);
    must(loop_is_ready(&w.loop, 10 * SECOND));
    expect_unwatched(&w);
    watcher_close(&w);
}

/* Another process has the id of a host that is dead. */
static void test_the_id_of_a_dead_host_hides_no_death(void **state) {
    struct watcher w;
    (void)state;
    watcher_attach(&w);
    pid_t wrong = child_start(sleep_until_killed, NULL);
    store_relaxed32(&host_record(&w)->pid, (uint32_t)wrong);
    shmipc_event event;
    while (shmipc_next_event(w.scene.caller, 0, &event) == SHMIPC_OK) {
    }
    kill_host(&w);
    w.loop = (struct loop){.peer = w.scene.caller, .watch = -1, .events = ALL_EVENTS};
    must_equal(shmipc_get_fd(w.loop.peer, &w.loop.fd), SHMIPC_OK);
    must_equal(loop_arm(&w.loop), 1);
    expect_death(&w);
    child_kill(wrong);
    watcher_close(&w);
}

static void test_an_id_of_nobody_is_not_watched(void **state) {
    struct watcher w;
    (void)state;
    watcher_attach(&w);
    store_relaxed32(&host_record(&w)->pid, INT32_MAX);
    loop_open(&w.loop, w.scene.caller, ALL_EVENTS, false);
    expect_unwatched(&w);
    watcher_close(&w);
}

/* ---- Its descriptor, in a process shared with other code ---- */

/* What took its place is readable, or never is. */
static int live_without_pidfd(void *context) {
    (void)context;
    for (int readable = 0; readable < 2; readable++) {
        struct watcher w;
        int ends[2];
        watcher_open(&w, false);
        int pidfd = find_pidfd();
        must(pidfd >= 3);
        must_equal(pipe2(ends, O_CLOEXEC), 0);
        if (readable)
            must_equal(write(ends[1], "theirs", 6), 6);
        must_equal(dup3(ends[0], pidfd, O_CLOEXEC), pidfd);
        must_equal(loop_arm(&w.loop), 0);
        uint64_t begin = now_ns();
        kill_host(&w);
        expect_death(&w);
        must(now_ns() - begin < SECOND + SOON);
        watcher_close(&w);
        must(is_open(pidfd));
        must_equal(close(pidfd) | close(ends[0]) | close(ends[1]), 0);
    }
    return 0;
}

static void test_what_took_the_watchs_place_is_left_alone(void **state) {
    (void)state;
    must_equal(child_wait(child_start(live_without_pidfd, NULL)), 0);
}

static int live_with_few_descriptors(void *context) {
    struct watcher w;
    struct rlimit limit;
    shmipc_fd fd;
    (void)context;
    watcher_attach(&w);
    must_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    const rlim_t before = limit.rlim_cur;
    int result;
    limit.rlim_cur = (rlim_t)count_descriptors();
    do {
        must_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
        result = shmipc_get_fd(w.scene.caller, &fd);
        limit.rlim_cur++;
    } while (result == SHMIPC_E_NO_DESCRIPTORS);
    must_equal(result, SHMIPC_OK);
    limit.rlim_cur = before;
    must_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    must_equal(find_pidfd(), -1);
    loop_open(&w.loop, w.scene.caller, ALL_EVENTS, false);
    expect_unwatched(&w);
    watcher_close(&w);
    return 0;
}

static void test_too_few_descriptors_cost_the_watch_only(void **state) {
    (void)state;
    must_equal(child_wait(child_start(live_with_few_descriptors, NULL)), 0);
}

static int have_no_pidfd(void *context) {
    must_equal(find_pidfd(), -1);
    shmipc_free(context);
    return 0;
}

static void test_a_child_has_no_watch(void **state) {
    struct watcher w;
    (void)state;
    int before = count_descriptors();
    watcher_open(&w, false);
    must(find_pidfd() >= 3);
    must_equal(child_wait(child_start(have_no_pidfd, w.loop.peer)), 0);
    loop_without_ticks(&w.loop);
    must_equal(loop_arm(&w.loop), 0);
    kill_host(&w);
    expect_death(&w);
    watcher_close(&w);
    must_equal(find_pidfd(), -1);
    must_equal(count_descriptors(), before);
}

HAZARD_MAIN("loop_watch", hazard_test(test_a_guests_loop_is_told_of_its_hosts_end),
            hazard_test(test_a_hosts_loop_watches_nobody),
            hazard_test(test_the_id_of_an_unknown_namespace_is_not_watched),
            hazard_test(test_the_end_of_a_wrong_process_is_no_death),
            hazard_test(test_the_id_of_a_dead_host_hides_no_death),
            hazard_test(test_an_id_of_nobody_is_not_watched),
            hazard_test(test_what_took_the_watchs_place_is_left_alone),
            hazard_test(test_too_few_descriptors_cost_the_watch_only),
            hazard_test(test_a_child_has_no_watch))
