/* The FIFOs of event loops: what is left of them, whose they are. */
#define _GNU_SOURCE
#include "hazard/loops.h"

#include "peer/peer.h"

#include <grp.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Killed peers and their FIFOs ---- */

struct watcher {
    struct region_name name;
    bool host;
    struct gate ready;
    atomic_ullong nonce;
};

_Noreturn static int watch_and_be_killed(void *context) {
    struct watcher *w = context;
    const shmipc_host_config host = loop_config();
    const shmipc_guest_config guest = test_guest_config();
    struct loop loop;
    shmipc_peer *peer;
    if (w->host)
        must_equal(shmipc_host_create(w->name.text, &host, &peer), SHMIPC_OK);
    else
        must_equal(shmipc_guest_attach(w->name.text, &guest, 20 * SECOND, &peer), SHMIPC_OK);
    loop_open(&loop, peer, ALL_EVENTS, false);
    must_equal(loop_arm(&loop), 0);
    atomic_store(&w->nonce, nonce_of(peer));
    gate_pass(&w->ready);
    for (;;)
        pause();
}

static pid_t watcher_start(struct watcher *w) {
    unsigned before = atomic_load(&w->ready.passed);
    pid_t child = child_start(watch_and_be_killed, w);
    gate_await(&w->ready, before + 1);
    return child;
}

static ino_t inode_of(const char *path) {
    struct stat status;
    must_equal(lstat(path, &status), 0);
    return status.st_ino;
}

static void test_a_killed_guests_fifo_is_replaced_and_goes_with_the_host(void **state) {
    struct watcher *w = shared_memory(sizeof *w);
    struct stand s;
    char path[64];
    (void)state;
    stand_open(&s);
    w->name = s.pair.name;
    fifo_path(s.nonce, 2, path);
    child_kill(watcher_start(w));
    ino_t former = inode_of(path);
    child_kill(watcher_start(w)); /* has the same index: the lock is free */
    must(inode_of(path) != former);
    must_equal(count_fifos(s.nonce), 2);
    stand_close(&s);
    shared_memory_free(w, sizeof *w);
}

static void test_a_killed_hosts_fifos_go_with_its_region(void **state) {
    struct watcher *w = shared_memory(sizeof *w);
    (void)state;
    for (int removed = 0; removed < 2; removed++) {
        struct watcher *guest = shared_memory(sizeof *guest);
        *w = (struct watcher){.name = new_name(), .host = true};
        guest->name = w->name;
        pid_t host = watcher_start(w);
        pid_t watching = watcher_start(guest);
        child_kill(host);
        uint64_t nonce = atomic_load(&w->nonce);
        must_equal(count_fifos(nonce), 2);
        shmipc_peer *next = NULL;
        if (removed)
            must_equal(shmipc_remove_dead_region(w->name.text), SHMIPC_OK);
        else
            must_equal(shmipc_host_create(w->name.text, NULL, &next), SHMIPC_OK);
        must_equal(count_fifos(nonce), 0);
        child_kill(watching);
        shmipc_free(next);
        shared_memory_free(guest, sizeof *guest);
    }
    shared_memory_free(w, sizeof *w);
}

/* As soon as it has left, its index may have another owner, with a FIFO of its own. */
static void test_a_guests_fifo_goes_before_its_index_does(void **state) {
    const shmipc_guest_config config = test_guest_config();
    struct stand s;
    struct loop first;
    struct loop second;
    shmipc_peer *next;
    char path[64];
    (void)state;
    stand_open(&s);
    fifo_path(s.nonce, 1, path);
    loop_open(&first, s.pair.guest, 0, false);
    must_equal(access(path, F_OK), 0);
    must_equal(shmipc_close(s.pair.guest), SHMIPC_OK);
    must_equal(access(path, F_OK), -1);
    must_equal(shmipc_guest_attach(s.pair.name.text, &config, 0, &next), SHMIPC_OK);
    loop_open(&second, next, 0, false);
    ino_t inode = inode_of(path);
    shmipc_free(s.pair.guest);
    must(inode_of(path) == inode);
    loop_close(&second);
    s.pair.guest = next;
    stand_close(&s);
}

static void test_loops_leave_nothing_behind(void **state) {
    (void)state;
    int descriptors = count_descriptors();
    for (unsigned i = 0; i < scaled(50); i++) {
        struct stand s;
        stand_open(&s);
        for (int n = 0; n < 10; n++) {
            s.loop.events = ALL_EVENTS;
            must(loop_arm(&s.loop) >= 0);
            must_equal(shmipc_disarm(s.loop.peer), SHMIPC_OK);
        }
        stand_close(&s);
    }
    must_equal(count_descriptors(), descriptors);
}

/* ---- SIGPIPE ---- */

struct piping {
    struct watcher watcher;
    atomic_bool over;
};

/* SIGPIPE would end this process. */
static int signal_all_the_time(void *context) {
    struct piping *p = context;
    const shmipc_guest_config config = test_guest_config();
    shmipc_peer *peer;
    must(signal(SIGPIPE, SIG_DFL) != SIG_ERR);
    must_equal(shmipc_guest_attach(p->watcher.name.text, &config, 20 * SECOND, &peer), SHMIPC_OK);
    gate_pass(&p->watcher.ready);
    while (!atomic_load(&p->over)) {
        for (uint32_t i = 0; i < PEERS; i++)
            (void)shmi_object_signal(peer->region.object, i);
    }
    shmipc_free(peer);
    return 0;
}

static void test_a_loop_that_dies_kills_nobody_who_signals_it(void **state) {
    struct piping *p = shared_memory(sizeof *p);
    struct stand s;
    (void)state;
    stand_open(&s);
    p->watcher.name = s.pair.name;
    pid_t child = child_start(signal_all_the_time, p);
    gate_await(&p->watcher.ready, 1);
    for (unsigned i = 0; i < scaled(40); i++) {
        pid_t watcher = watcher_start(&p->watcher);
        child_kill(watcher);
    }
    atomic_store(&p->over, true);
    must_equal(child_wait(child), 0);
    stand_close(&s);
    shared_memory_free(p, sizeof *p);
}

/* ---- Other users ---- */

enum { TEAM = 54321, OWNER = 54322, MEMBER = 54323, MATE = 54324, ALONE = 54325 };

static void become(uid_t user, gid_t group, bool in_team) {
    const gid_t team = TEAM;
    must_equal(setgroups(in_team ? 1 : 0, &team), 0);
    must_equal(setresgid(group, group, group), 0);
    must_equal(setresuid(user, user, user), 0);
}

struct office {
    struct region_name name;
    struct gate host_ready;
    struct gate guest_ready;
    struct gate over;
    bool host_loops;
    atomic_ullong nonce;
    uid_t member;
    bool in_team;
    mode_t mode; /* of the guest's FIFO */
};

static void call_without_ticks(shmipc_peer *peer) {
    struct loop loop;
    loop_open(&loop, peer, 0, false);
    loop_claim(&loop, 1);
    loop_without_ticks(&loop);
    for (int i = 0; i < 100; i++)
        must_equal(loop_call(&loop), SHMIPC_OK);
    loop_close(&loop);
}

static int be_office_host(void *context) {
    struct office *o = context;
    shmipc_host_config config = loop_config();
    struct server server;
    shmipc_peer *peer;
    config.mode = 0660;
    become(OWNER, TEAM, true);
    must_equal(shmipc_host_create(o->name.text, &config, &peer), SHMIPC_OK);
    atomic_store(&o->nonce, nonce_of(peer));
    gate_pass(&o->host_ready);
    if (o->host_loops) {
        must_equal(shmipc_wait_guests(peer, 1, 20 * SECOND), SHMIPC_OK);
        call_without_ticks(peer);
        gate_pass(&o->over);
    } else {
        server_start(&server, peer, echo_handler, NULL);
        gate_await(&o->over, 1);
        must_equal(server_stop(&server), SHMIPC_E_WOKEN);
    }
    shmipc_free(peer);
    return 0;
}

static int be_office_guest(void *context) {
    struct office *o = context;
    shmipc_guest_config config = test_guest_config();
    struct server server;
    struct stat status;
    shmipc_peer *peer;
    shmipc_fd fd;
    char path[64];
    become(o->member, ALONE, o->in_team);
    config.owner = OWNER;
    config.mode = 0660;
    must_equal(shmipc_guest_attach(o->name.text, &config, 20 * SECOND, &peer), SHMIPC_OK);
    must_equal(shmipc_get_fd(peer, &fd), SHMIPC_OK);
    fifo_path(nonce_of(peer), 1, path);
    must_equal(lstat(path, &status), 0);
    must_equal(status.st_mode & 0777, o->mode);
    if (o->host_loops) {
        server_start(&server, peer, echo_handler, NULL);
        gate_await(&o->over, 1);
        (void)server_join(&server);
    } else {
        call_without_ticks(peer);
        gate_pass(&o->over);
    }
    shmipc_free(peer);
    return 0;
}

/* A killed guest of this user has left its FIFO; only root and that user may remove it. */
static void leave_a_fifo(struct office *o, uid_t user) {
    char path[64];
    fifo_path(atomic_load(&o->nonce), 1, path);
    must_equal(mkfifo(path, 0), 0);
    must_equal(chown(path, user, TEAM), 0);
    must_equal(chmod(path, 0660), 0);
}

static void work_together(struct office *o, uid_t left_by) {
    char path[64];
    o->name = new_name();
    pid_t host = child_start(be_office_host, o);
    gate_await(&o->host_ready, 1);
    if (left_by != 0)
        leave_a_fifo(o, left_by);
    must_equal(child_wait(child_start(be_office_guest, o)), 0);
    must_equal(child_wait(host), 0);
    fifo_path(atomic_load(&o->nonce), 1, path);
    must_equal(unlink(path), left_by != 0 ? 0 : -1);
    must_equal(count_fifos(atomic_load(&o->nonce)), 0);
}

static void test_loops_of_several_users_signal_each_other(void **state) {
    (void)state;
    if (geteuid() != 0) {
        print_message("             not tried: only root can be several users\n");
        skip();
    }
    static const struct office offices[] = {
        {.member = MEMBER, .in_team = true, .mode = 0660},
        {.member = OWNER, .in_team = false, .mode = 0600}, /* may not give the group */
    };
    for (int host_loops = 0; host_loops < 2; host_loops++) {
        for (size_t i = 0; i < sizeof offices / sizeof *offices; i++) {
            struct office *o = shared_memory(sizeof *o);
            *o = offices[i];
            o->host_loops = host_loops;
            work_together(o, 0);
            *o = offices[0];
            o->host_loops = host_loops;
            work_together(o, MATE);
            shared_memory_free(o, sizeof *o);
        }
    }
}

HAZARD_MAIN("loop_files", hazard_test(test_a_killed_guests_fifo_is_replaced_and_goes_with_the_host),
            hazard_test(test_a_killed_hosts_fifos_go_with_its_region),
            hazard_test(test_a_guests_fifo_goes_before_its_index_does),
            hazard_test(test_loops_leave_nothing_behind),
            hazard_test(test_a_loop_that_dies_kills_nobody_who_signals_it),
            hazard_test(test_loops_of_several_users_signal_each_other))
