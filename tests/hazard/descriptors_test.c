/*
 * The library's descriptors among those of others: none is a standard one, none that a child
 * inherits keeps a lock, and answers through one that other code closed and used again do not
 * count.
 */
#define _GNU_SOURCE
#include "hazard/peers.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DESCRIPTORS = 256 };

static bool is_open(int fd) {
    return fcntl(fd, F_GETFD) != -1;
}

static void exchange_between(shmipc_peer *caller, shmipc_peer *responder) {
    struct server server;
    char answer[300];
    char question[300];
    const shmipc_request request = {.data = question, .length = sizeof question};
    shmipc_response response = {.data = answer, .capacity = sizeof answer};
    pattern_fill(question, sizeof question, 7);
    server_start(&server, responder, echo_handler, NULL);
    must_equal(shmipc_call(caller, &request, &response, 20 * SECOND), 0);
    must(pattern_holds(answer, sizeof answer, 7));
    must_equal(server_stop(&server), SHMIPC_E_WOKEN);
}

/* ---- Standard descriptors ---- */

struct printing {
    atomic_bool enough;
    unsigned closed; /* bit i: descriptor i is closed */
};

/* No write to a closed descriptor ever succeeds, also not for the instant of an opening. */
static void *print_all_the_time(void *context) {
    struct printing *printing = context;
    static const char text[] = "what a program prints";
    while (!atomic_load(&printing->enough)) {
        for (int fd = 0; fd < 3; fd++) {
            if (printing->closed >> fd & 1)
                must(write(fd, text, sizeof text) < 0 && errno == EBADF);
        }
    }
    return NULL;
}

static void use_a_region(unsigned closed) {
    struct pair pair;
    pair_open(&pair, NULL);
    for (int fd = 0; fd < 3; fd++)
        must_equal(is_open(fd), !(closed >> fd & 1));
    exchange_between(pair.host, pair.guest);
    pair_close(&pair);
}

static int live_without_standard_descriptors(void *context) {
    struct printing printing = {.closed = *(unsigned *)context};
    for (int fd = 0; fd < 3; fd++) {
        if (printing.closed >> fd & 1)
            must_equal(close(fd), 0);
    }
    pthread_t printer = thread_start(print_all_the_time, &printing);
    for (unsigned i = 0; i < scaled(20); i++)
        use_a_region(printing.closed);
    atomic_store(&printing.enough, true);
    thread_join(printer);
    return 0;
}

static void test_no_descriptor_is_a_standard_one(void **state) {
    (void)state;
    for (unsigned closed = 0; closed < 8; closed++)
        must_equal(child_wait(child_start(live_without_standard_descriptors, &closed)), 0);
}

/* ---- Standard descriptors that others open or close in the middle; named for the linker ---- */

static void (*in_the_middle)(void); /* of the library's opening a file of its own */
static int creations;

int real_open(const char *path, int flags, ...) __asm__("__real_open");
int test_open(const char *path, int flags, mode_t mode) __asm__("__wrap_open");

int test_open(const char *path, int flags, mode_t mode) {
    void (*interfere)(void) = in_the_middle;
    creations += (flags & O_TMPFILE) == O_TMPFILE;
    if (interfere != NULL && strcmp(path, "/") != 0) {
        in_the_middle = NULL;
        interfere();
    }
    return real_open(path, flags, mode);
}

static void close_output(void) {
    must_equal(close(1), 0);
}

static void redirect_output(void) {
    must_equal(dup2(2, 1), 1);
}

static void create_without_output(void (*interfere)(void)) {
    struct pair pair;
    (void)close(1);
    in_the_middle = interfere;
    creations = 0;
    pair_open(&pair, NULL);
    must(in_the_middle == NULL);
    must_equal(is_open(1), interfere == redirect_output);
    must_equal(creations, interfere == redirect_output ? 1 : 2); /* the first had descriptor 1 */
    pair_close(&pair);
}

static int live_with_interference(void *context) {
    (void)context;
    create_without_output(close_output);
    create_without_output(redirect_output);
    return 0;
}

static void test_standard_descriptors_of_others_stay_as_they_are(void **state) {
    (void)state;
    must_equal(child_wait(child_start(live_with_interference, NULL)), 0);
}

/* ---- Children ---- */

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

/* ---- Descriptors that other code closed ---- */

static bool means_region(int fd, const char *name) {
    char link[64];
    char target[256] = "";
    char path[256];
    path_of(name, path);
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    return readlink(link, target, sizeof target - 1) > 0 &&
           strncmp(target, path, strlen(path)) == 0;
}

/* The descriptors' new meaning after other code took them: files of which one opening has every
   byte locked. */
struct usurped {
    int fds[4];
    int count;
    int locker; /* the opening with the locks; -1: the `fds` have them themselves */
};

static int open_once_more(int fd) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    int other = open(path, O_RDWR | O_CLOEXEC);
    must(other >= 0);
    return other;
}

static void lock_every_byte(int fd) {
    struct flock all = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    must_equal(fcntl(fd, F_OFD_SETLK, &all), 0);
}

static void put_a_file_over(int fd) {
    FILE *file = tmpfile();
    must(file != NULL);
    must_equal(dup3(fileno(file), fd, O_CLOEXEC), fd);
    (void)fclose(file);
}

/* Closes the region's descriptor, and opens a file of our own in its place; `locked`: in which
   another opening has every lock, as peers of another region may. */
static struct usurped usurp_descriptors(const char *name, bool locked) {
    struct usurped usurped = {.locker = -1};
    for (int fd = 0; fd < DESCRIPTORS; fd++) {
        if (is_open(fd) && means_region(fd, name)) {
            put_a_file_over(fd);
            usurped.fds[usurped.count++] = fd;
        }
    }
    must_equal(usurped.count, 1);
    if (locked)
        usurped.locker = open_once_more(usurped.fds[0]);
    lock_every_byte(locked ? usurped.locker : usurped.fds[0]);
    return usurped;
}

static void expect_every_byte_locked(int fd) {
    int other = open_once_more(fd);
    for (int peer = 0; peer <= 16; peer++) {
        struct flock lock = {.l_type = F_WRLCK,
                             .l_whence = SEEK_SET,
                             .l_start = (off_t)(INT64_C(1) << 62) + peer,
                             .l_len = 1};
        must_equal(fcntl(other, F_OFD_GETLK, &lock), 0);
        must_equal(lock.l_type, F_WRLCK);
    }
    must_equal(close(other), 0);
}

/* They are still open, have their locks and no other ones, and nothing was written. */
static void expect_untouched(const struct usurped *usurped) {
    for (int i = 0; i < usurped->count; i++) {
        int fd = usurped->fds[i];
        struct stat status;
        must_equal(fstat(fd, &status), 0);
        must_equal(status.st_size, 0);
        expect_every_byte_locked(fd);
        if (usurped->locker >= 0)
            must_equal(close(usurped->locker), 0);
        lock_every_byte(fd);
        must_equal(close(fd), 0);
    }
}

static void hear(void *context, shmipc_log_level level, const char *text) {
    if (level == SHMIPC_LOG_WARN && strstr(text, "descriptor") != NULL)
        atomic_fetch_add((atomic_int *)context, 1);
}

struct usurpation {
    struct scene scene;
    struct gated *gated;
    atomic_int warnings;
    struct usurped usurped;
    shmipc_slot slot; /* whose request a handler of the other process runs */
};

/* One handler of the other side is running when the caller's descriptors are lost. */
static void usurp(struct usurpation *u, bool host_calls) {
    u->gated = shared_memory(sizeof *u->gated);
    atomic_store(&u->warnings, 0);
    u->scene = (struct scene){.host_calls = host_calls,
                              .workers = 2,
                              .handler = gated_handler,
                              .context = u->gated,
                              .config = test_host_config()};
    u->scene.config.log = hear;
    u->scene.config.log_context = &u->warnings;
    scene_open(&u->scene);
    must_equal(shmipc_slot_claim(u->scene.caller, SECOND, &u->slot), 0);
    must_equal(shmipc_slot_send(u->slot, 0, 0, 0), 0);
    gate_await(&u->gated->entered, 1);
}

/* Two ticks and more, in which the other side is looked after. */
static void wait_for_ticks(struct usurpation *u) {
    size_t which = 0;
    must_equal(shmipc_slot_wait_any(&u->slot, 1, 400 * MILLISECOND, &which), SHMIPC_E_TIMEOUT);
    must_equal(shmipc_slot_ready(u->slot), 0);
}

static void expect_answer(struct usurpation *u) {
    shmipc_response response;
    gate_pass(&u->gated->leave);
    must_equal(shmipc_slot_receive(u->slot, 20 * SECOND, &response), 0);
    must_equal(shmipc_slot_release(u->slot), 0);
}

static void end_usurpation(struct usurpation *u) {
    scene_close(&u->scene);
    expect_untouched(&u->usurped);
    shared_memory_free(u->gated, sizeof *u->gated);
}

static void keep_a_live_responder(bool host_calls) {
    struct usurpation u;
    usurp(&u, host_calls);
    u.usurped = usurp_descriptors(u.scene.name.text, false);
    wait_for_ticks(&u);
    expect_answer(&u);
    if (host_calls)
        must_equal(atomic_load(&u.warnings), 1);
    end_usurpation(&u);
}

static void test_who_lost_its_descriptor_reaps_nobody_alive(void **state) {
    (void)state;
    keep_a_live_responder(true);
    keep_a_live_responder(false);
}

static void notice_a_death(bool host_calls, bool locked) {
    struct usurpation u;
    shmipc_response response;
    usurp(&u, host_calls);
    u.usurped = usurp_descriptors(u.scene.name.text, locked);
    child_kill(scene_responder(&u.scene, 0));
    scene_forget(&u.scene, 0);
    must_equal(shmipc_slot_receive(u.slot, 20 * SECOND, &response), SHMIPC_E_PEER_DIED);
    remove_planted(u.scene.name.text); /* what a dead host leaves */
    end_usurpation(&u);
}

static void test_who_lost_its_descriptor_hears_of_deaths(void **state) {
    (void)state;
    for (int locked = 0; locked < 2; locked++) {
        notice_a_death(true, locked);
        notice_a_death(false, locked);
    }
}

/* The name cannot lead back to the file; and a peer that cannot find out whether others live takes
   them for alive, and logs that once. */
static void test_who_cannot_tell_takes_everybody_for_alive(void **state) {
    struct usurpation u;
    char path[256];
    (void)state;
    usurp(&u, true);
    u.usurped = usurp_descriptors(u.scene.name.text, false);
    path_of(u.scene.name.text, path);
    must_equal(unlink(path), 0);
    wait_for_ticks(&u);
    wait_for_ticks(&u);
    expect_answer(&u);
    must_equal(atomic_load(&u.warnings), 1);
    end_usurpation(&u);
}

static int look_at_descriptor(void *context) {
    return is_open(*(int *)context) ? 0 : 1;
}

/* Before any thread has looked, or tested a lock, since the descriptor was lost: also in a
   child. */
static void test_what_took_the_descriptors_place_is_not_closed(void **state) {
    struct region_name name = new_name();
    shmipc_peer *host;
    (void)state;
    must_equal(shmipc_host_create(name.text, NULL, &host), 0);
    struct usurped usurped = usurp_descriptors(name.text, false);
    must_equal(child_wait(child_start(look_at_descriptor, &usurped.fds[0])), 0);
    shmipc_free(host);
    expect_untouched(&usurped);
}

/* Also of a creation or an attach that others disturb all the time nothing is left, and nothing of
   theirs is touched; which of the two wins is open. */
struct disturbance {
    atomic_bool enough;
    char name[64];
};

static void *close_what_is_the_librarys(void *context) {
    struct disturbance *disturbance = context;
    while (!atomic_load(&disturbance->enough)) {
        for (int fd = 3; fd < 16; fd++) {
            if (means_region(fd, disturbance->name)) {
                int other = open("/dev/null", O_RDWR | O_CLOEXEC);
                (void)dup3(other, fd, O_CLOEXEC);
                (void)close(other);
            }
        }
    }
    return NULL;
}

static int create_under_disturbance(void *context) {
    struct disturbance disturbance = {.enough = false};
    struct region_name name = new_name();
    (void)context;
    (void)snprintf(disturbance.name, sizeof disturbance.name, "%s", name.text);
    pthread_t closer = thread_start(close_what_is_the_librarys, &disturbance);
    for (unsigned i = 0; i < scaled(200); i++) {
        shmipc_peer *host;
        shmipc_peer *guest = NULL;
        if (shmipc_host_create(name.text, NULL, &host) != SHMIPC_OK)
            continue;
        (void)shmipc_guest_attach(name.text, NULL, 0, &guest);
        shmipc_free(guest);
        shmipc_free(host);
    }
    atomic_store(&disturbance.enough, true);
    thread_join(closer);
    must_equal(count_mappings(), 0);
    must_equal(count_regions(), 0);
    return 0;
}

static void test_who_closes_descriptors_meanwhile_breaks_no_other_file(void **state) {
    (void)state;
    must_equal(child_wait(child_start(create_under_disturbance, NULL)), 0);
}

HAZARD_MAIN("descriptors", hazard_test(test_no_descriptor_is_a_standard_one),
            hazard_test(test_standard_descriptors_of_others_stay_as_they_are),
            hazard_test(test_no_child_keeps_a_dead_peers_lock),
            hazard_test(test_who_lost_its_descriptor_reaps_nobody_alive),
            hazard_test(test_who_lost_its_descriptor_hears_of_deaths),
            hazard_test(test_who_cannot_tell_takes_everybody_for_alive),
            hazard_test(test_what_took_the_descriptors_place_is_not_closed),
            hazard_test(test_who_closes_descriptors_meanwhile_breaks_no_other_file))
