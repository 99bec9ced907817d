/* No descriptor that a child inherits keeps a lock. */
#define _GNU_SOURCE
#include "hazard/peers.h"

#include <signal.h>
#include <spawn.h>
#include <sys/syscall.h>
#include <unistd.h>

enum forking { BY_FORK, BY_FORK_WITHOUT_HANDLERS, BY_CLONE, BY_DAEMON, BY_SPAWN, FORKINGS };

struct family {
    struct region_name name;
    bool is_host;
    enum forking forking;
    struct gate ready;
    struct gate child_ends;
};

static pid_t fork_by(enum forking forking) {
    switch (forking) {
    case BY_FORK_WITHOUT_HANDLERS:
        return _Fork();
    case BY_CLONE:
        return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    default:
        return fork();
    }
}

/* Outlives its parent, which the test kills, but not the test. */
static _Noreturn void outlive(struct family *family) {
    alarm(200);
    gate_pass(&family->ready);
    gate_await(&family->child_ends, 1);
    _exit(0);
}

static void spawn_sleeper(struct family *family) {
    char *const arguments[] = {"sleep", "5", NULL};
    pid_t child;
    must_equal(posix_spawnp(&child, "sleep", NULL, NULL, arguments, environ), 0);
    gate_pass(&family->ready);
}

static void have_a_child(struct family *family) {
    if (family->forking == BY_SPAWN) {
        spawn_sleeper(family);
    } else if (family->forking == BY_DAEMON) { /* what is left of this process is its own child */
        must_equal(daemon(1, 1), 0);
        outlive(family);
    } else if (fork_by(family->forking) == 0) {
        outlive(family);
    }
}

static int be_a_peer_with_a_child(void *context) {
    struct family *family = context;
    shmipc_peer *peer;
    if (family->is_host)
        must_equal(shmipc_host_create(family->name.text, NULL, &peer), 0);
    else
        must_equal(shmipc_guest_attach(family->name.text, NULL, SECOND, &peer), 0);
    have_a_child(family);
    for (;;)
        pause();
    return 0;
}

static void die_before_the_child(struct family *family) {
    pid_t parent = child_start(be_a_peer_with_a_child, family);
    gate_await(&family->ready, 1);
    child_kill(parent);
}

/* 5 s: far more than it takes, and far less than the child lives. */
static void expect_event(shmipc_peer *peer, shmipc_event_kind kind) {
    shmipc_event event;
    must_equal(shmipc_next_event(peer, 5 * SECOND, &event), 0);
    must_equal(event.kind, kind);
}

static void kill_a_guest_with_a_child(enum forking forking) {
    struct family *family = shared_memory(sizeof *family);
    shmipc_peer *host;
    *family = (struct family){.name = new_name(), .forking = forking};
    must_equal(shmipc_host_create(family->name.text, NULL, &host), 0);
    die_before_the_child(family);
    expect_event(host, SHMIPC_EVENT_ATTACHED);
    expect_event(host, SHMIPC_EVENT_DIED);
    gate_pass(&family->child_ends);
    shmipc_free(host);
    shared_memory_free(family, sizeof *family);
}

static void kill_a_host_with_a_child(enum forking forking) {
    struct family *family = shared_memory(sizeof *family);
    shmipc_peer *host;
    *family = (struct family){.name = new_name(), .is_host = true, .forking = forking};
    die_before_the_child(family);
    must_equal(shmipc_host_create(family->name.text, NULL, &host), 0);
    gate_pass(&family->child_ends);
    shmipc_free(host);
    shared_memory_free(family, sizeof *family);
}

static void test_no_child_keeps_a_dead_peers_lock(void **state) {
    (void)state;
    for (int forking = 0; forking < FORKINGS; forking++) {
        kill_a_guest_with_a_child((enum forking)forking);
        kill_a_host_with_a_child((enum forking)forking);
    }
}

HAZARD_MAIN("children", hazard_test(test_no_child_keeps_a_dead_peers_lock))
