/* The descriptors and FIFOs of event loops: what others do to them, what is left of them, whose
   they are. */
#define _GNU_SOURCE
#include "hazard/descriptors.h"
#include "hazard/loops.h"

#include "peer/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* A host's loop and a guest, in this process. */
struct stand {
    struct pair pair;
    struct loop loop;
    uint64_t nonce;
    char path[64]; /* of the host's FIFO */
};

static void stand_open(struct stand *s) {
    const shmipc_host_config config = loop_config();
    pair_open(&s->pair, &config);
    loop_open(&s->loop, s->pair.host, 0, false);
    loop_claim(&s->loop, 1);
    s->nonce = nonce_of(s->pair.host);
    fifo_path(s->nonce, 0, s->path);
}

static void stand_close(struct stand *s) {
    loop_close(&s->loop);
    pair_close(&s->pair);
    must_equal(count_fifos(s->nonce), 0);
}

static void send_one(const struct stand *s) {
    must_equal(shmipc_slot_send(s->loop.slots[0], SHMIPC_TYPE_APPLICATION, 0, 0), SHMIPC_OK);
}

static void answer_one(const struct stand *s) {
    must_equal(shmipc_poll(s->pair.guest, echo_handler, NULL), 1);
}

static void receive_one(struct stand *s) {
    shmipc_response response;
    must_equal(loop_receive(&s->loop, s->loop.slots[0], &response), SHMIPC_OK);
}

/* ---- What stands in the place of a FIFO ---- */

static void put_nothing(const char *path, const char *target) {
    (void)path;
    (void)target;
}

static void put_file(const char *path, const char *target) {
    (void)target;
    int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    must(fd >= 0);
    must_equal(close(fd), 0);
}

static void put_symlink(const char *path, const char *target) {
    must_equal(symlink(target, path), 0);
}

static void put_link(const char *path, const char *target) {
    must_equal(link(target, path), 0);
}

static void put_directory(const char *path, const char *target) {
    (void)target;
    must_equal(mkdir(path, 0700), 0);
}

static void put_socket(const char *path, const char *target) {
    (void)target;
    must_equal(mknod(path, S_IFSOCK | 0600, 0), 0);
}

static void (*const substitutes[])(const char *path, const char *target) = {
    put_nothing, put_file, put_symlink, put_link, put_directory, put_socket};
enum { SUBSTITUTES = sizeof substitutes / sizeof *substitutes };

/* Somebody else's file, or FIFO, to which a link leads. */
struct bystander {
    char path[128];
    int fd;
};

static void bystander_open(struct bystander *b, bool fifo) {
    (void)snprintf(b->path, sizeof b->path, "/dev/shm/%s", new_name().text);
    if (fifo)
        must_equal(mkfifo(b->path, 0600), 0);
    b->fd = open(b->path, O_RDWR | O_NONBLOCK | O_CLOEXEC | (fifo ? 0 : O_CREAT), 0600);
    must(b->fd >= 0);
}

static void bystander_close(const struct bystander *b) {
    char byte;
    struct stat status;
    must_equal(fstat(b->fd, &status), 0);
    must_equal(status.st_size, 0);
    must(read(b->fd, &byte, 1) <= 0);
    must_equal(close(b->fd), 0);
    must_equal(unlink(b->path), 0);
}

static void remove_any(const char *path) {
    (void)unlink(path);
    (void)rmdir(path);
}

static bool is_still_empty(const char *path) {
    struct stat status;
    return lstat(path, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size == 0;
}

/* No answer is lost, and what the loop itself finds makes it ready at once. */
static void live_with(struct stand *s, void (*put)(const char *path, const char *target),
                      const char *target) {
    must_equal(unlink(s->path), 0);
    put(s->path, target);
    send_one(s);
    must_equal(loop_arm(&s->loop), 0);
    uint64_t begin = now_ns();
    answer_one(s);
    must(!loop_is_ready(&s->loop, 0));
    must(loop_is_ready(&s->loop, 10 * SECOND));
    must(now_ns() - begin < SOON);
    must(is_still_empty(s->path));
    receive_one(s);

    send_one(s);
    answer_one(s);
    loop_without_ticks(&s->loop);
    must_equal(loop_arm(&s->loop), 1);
    must(loop_is_ready(&s->loop, 0));
    receive_one(s);
    must_equal(loop_arm(&s->loop), 0);
    must(!loop_is_ready(&s->loop, 0));
}

static void test_what_stands_in_a_fifos_place_is_not_written_to(void **state) {
    (void)state;
    for (int i = 0; i < SUBSTITUTES; i++) {
        for (int fifo = 0; fifo < 2; fifo++) {
            struct bystander b;
            struct stand s;
            bystander_open(&b, fifo);
            stand_open(&s);
            live_with(&s, substitutes[i], b.path);
            remove_any(s.path);
            stand_close(&s);
            bystander_close(&b);
        }
    }
}

/* What was there before the first loop. Only a directory cannot be removed. */
static void test_what_stood_in_a_fifos_place_before_is_replaced_or_refused(void **state) {
    (void)state;
    for (int i = 0; i < SUBSTITUTES; i++) {
        const shmipc_host_config config = loop_config();
        struct bystander b;
        struct stand s;
        shmipc_fd fd;
        bystander_open(&b, true);
        pair_open(&s.pair, &config);
        s.nonce = nonce_of(s.pair.host);
        fifo_path(s.nonce, 0, s.path);
        substitutes[i](s.path, b.path);
        int descriptors = count_descriptors();
        int result = shmipc_get_fd(s.pair.host, &fd);
        must_equal(result, substitutes[i] == put_directory ? SHMIPC_E_DENIED : SHMIPC_OK);
        must_equal(count_descriptors() - descriptors, result == SHMIPC_OK ? 3 : 0);
        if (result != SHMIPC_OK)
            must_equal(rmdir(s.path), 0);
        loop_open(&s.loop, s.pair.host, 0, false);
        loop_claim(&s.loop, 1);
        send_one(&s);
        loop_without_ticks(&s.loop);
        must_equal(loop_arm(&s.loop), 0);
        answer_one(&s);
        receive_one(&s);
        stand_close(&s);
        bystander_close(&b);
    }
}

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

/* ---- Descriptors that other code closes, and uses again ---- */

enum { HELD = 3 };

static void read_link(int fd, char target[static 128]) {
    char link[64];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, target, 127);
    target[length > 0 ? length : 0] = '\0';
}

/* The numbers of a loop's descriptors: of its FIFO, its timer, its epoll instance. */
static void find_held(const struct stand *s, int held[static HELD]) {
    char target[128];
    held[0] = held[1] = -1;
    held[2] = s->loop.fd;
    for (int fd = 0; fd < 256; fd++) {
        read_link(fd, target);
        if (strcmp(target, s->path) == 0)
            held[0] = fd;
        if (strcmp(target, "anon_inode:[timerfd]") == 0)
            held[1] = fd;
    }
    must(held[0] >= 0 && held[1] >= 0);
}

/* Other code's, of any of the three kinds, and what it is to find in them. */
struct others {
    int fds[HELD];
    int count;
    char fifo[128]; /* a name */
};

static int open_other(struct others *o, int kind) {
    int fd = -1;
    struct itimerspec far = {.it_value.tv_sec = 1000};
    if (kind == 0) {
        (void)snprintf(o->fifo, sizeof o->fifo, "/dev/shm/%s", new_name().text);
        must_equal(mkfifo(o->fifo, 0600), 0);
        fd = open(o->fifo, O_RDWR | O_NONBLOCK | O_CLOEXEC);
        must_equal(unlink(o->fifo), 0);
        must_equal(write(fd, "theirs", 6), 6);
    }
    if (kind == 1) {
        fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
        must_equal(timerfd_settime(fd, 0, &far, NULL), 0);
    }
    if (kind == 2)
        fd = epoll_create1(EPOLL_CLOEXEC);
    must(fd >= 0);
    return fd;
}

/* Each of the numbers in `mask` means a thing of the kind that it meant, or of the next kind. */
static void usurp(struct others *o, const int held[static HELD], unsigned mask, int shift) {
    *o = (struct others){.count = 0};
    for (int i = 0; i < HELD; i++) {
        o->fds[i] = -1;
        if ((mask >> i & 1) == 0)
            continue;
        int fd = open_other(o, (i + shift) % HELD);
        must_equal(dup3(fd, held[i], O_CLOEXEC), held[i]);
        must_equal(close(fd), 0);
        o->fds[i] = held[i];
    }
}

static void expect_untouched(const struct others *o, int shift) {
    char bytes[8];
    struct itimerspec left;
    struct epoll_event event = {.events = EPOLLOUT};
    for (int i = 0; i < HELD; i++) {
        if (o->fds[i] < 0)
            continue;
        int kind = (i + shift) % HELD;
        must(is_open(o->fds[i]));
        if (kind == 0)
            must_equal(read(o->fds[i], bytes, sizeof bytes), 6);
        if (kind == 1) {
            must_equal(timerfd_gettime(o->fds[i], &left), 0);
            must(left.it_value.tv_sec > 900);
        }
        if (kind == 2)
            must(epoll_wait(o->fds[i], &event, 1, 0) == 0);
        must_equal(close(o->fds[i]), 0);
    }
}

/* The loop is told when its next tick is due. */
static int live_with_usurped(void *context) {
    (void)context;
    for (unsigned mask = 1; mask < 1u << HELD; mask++) {
        for (int shift = 0; shift < HELD; shift++) {
            struct stand s;
            struct others o;
            int held[HELD];
            stand_open(&s);
            find_held(&s, held);
            send_one(&s);
            must_equal(loop_arm(&s.loop), 0);
            usurp(&o, held, mask, shift);
            s.loop.peer->loop.tick_at = 0;
            must_equal(loop_arm(&s.loop), SHMIPC_E_SYSTEM);
            must(strstr(shmipc_last_error(), "closed") != NULL);
            answer_one(&s);
            must_equal(loop_arm(&s.loop), 1);
            must_equal(shmipc_disarm(s.loop.peer), SHMIPC_OK);
            stand_close(&s);
            expect_untouched(&o, shift);
        }
    }
    return 0;
}

static void test_what_took_a_descriptors_place_is_left_alone(void **state) {
    (void)state;
    must_equal(child_wait(child_start(live_with_usurped, NULL)), 0);
}

/* The region's descriptor means a file that everybody may write. */
static int make_fifo_without_region(void *context) {
    const shmipc_host_config config = loop_config();
    struct stand s;
    struct stat status;
    char path[256];
    char target[128];
    (void)context;
    pair_open(&s.pair, &config);
    path_of(s.pair.name.text, path);
    FILE *file = tmpfile();
    must(file != NULL);
    must_equal(fchmod(fileno(file), 0666), 0);
    for (int fd = 3; fd < 256; fd++) {
        read_link(fd, target);
        if (strcmp(target, path) == 0)
            must_equal(dup3(fileno(file), fd, O_CLOEXEC), fd);
    }
    loop_open(&s.loop, s.pair.host, 0, false);
    fifo_path(nonce_of(s.pair.host), 0, s.path);
    must_equal(lstat(s.path, &status), 0);
    must_equal(status.st_mode & 0777, 0600);
    pair_close(&s.pair);
    return 0;
}

static void test_a_fifo_has_its_regions_mode_and_no_other_files(void **state) {
    (void)state;
    must_equal(child_wait(child_start(make_fifo_without_region, NULL)), 0);
}

/* ---- Standard descriptors, and none left ---- */

struct printing {
    atomic_bool enough;
    unsigned closed; /* bit i: descriptor i is closed */
};

static void *print_all_the_time(void *context) {
    struct printing *printing = context;
    while (!atomic_load(&printing->enough)) {
        for (int fd = 0; fd < 3; fd++) {
            if (printing->closed >> fd & 1)
                must(write(fd, "printed", 7) < 0 && errno == EBADF);
        }
    }
    return NULL;
}

static int watch_without_standard_descriptors(void *context) {
    struct printing printing = {.closed = *(unsigned *)context};
    for (int fd = 0; fd < 3; fd++) {
        if (printing.closed >> fd & 1)
            must_equal(close(fd), 0);
    }
    pthread_t printer = thread_start(print_all_the_time, &printing);
    for (unsigned i = 0; i < scaled(8); i++) {
        struct stand s;
        int held[HELD];
        stand_open(&s);
        find_held(&s, held);
        must(held[0] >= 3 && held[1] >= 3 && held[2] >= 3);
        for (int n = 0; n < 100; n++)
            must(shmi_object_signal(s.pair.guest->region.object, 0));
        stand_close(&s);
    }
    atomic_store(&printing.enough, true);
    thread_join(printer);
    return 0;
}

static void test_no_descriptor_of_a_loop_is_a_standard_one(void **state) {
    (void)state;
    for (unsigned closed = 0; closed < 8; closed++)
        must_equal(child_wait(child_start(watch_without_standard_descriptors, &closed)), 0);
}

/* So that `more` descriptors can be made yet. */
static void limit_descriptors(int more) {
    struct rlimit limit;
    int highest = 0;
    must_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    for (int fd = 0; fd < 256; fd++)
        highest = is_open(fd) ? fd : highest;
    limit.rlim_cur = (rlim_t)highest + 1 + (rlim_t)more;
    must_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

static void fill_gaps(void) {
    int fd;
    do
        fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    while (fd < count_descriptors() - 1);
}

static int watch_with_few_descriptors(void *context) {
    (void)context;
    const shmipc_host_config config = loop_config();
    struct stand s;
    int more = 0;
    int result;
    pair_open(&s.pair, &config);
    s.nonce = nonce_of(s.pair.host);
    fifo_path(s.nonce, 0, s.path);
    fill_gaps();
    do {
        shmipc_fd fd;
        int before = count_descriptors();
        limit_descriptors(more++);
        result = shmipc_get_fd(s.pair.host, &fd);
        limit_descriptors(100);
        must_equal(count_descriptors() - before, result == SHMIPC_OK ? 3 : 0);
        must_equal(count_fifos(s.nonce), result == SHMIPC_OK ? 1 : 0);
        must(result == SHMIPC_OK || result == SHMIPC_E_NO_DESCRIPTORS);
    } while (result != SHMIPC_OK);
    must_equal(more, 4);
    loop_open(&s.loop, s.pair.host, 0, false);
    loop_claim(&s.loop, 1);
    send_one(&s);
    must_equal(loop_arm(&s.loop), 0);
    limit_descriptors(0);
    uint64_t begin = now_ns();
    answer_one(&s);
    must(loop_is_ready(&s.loop, 10 * SECOND));
    must(now_ns() - begin < SOON);
    receive_one(&s);
    limit_descriptors(100);
    loop_without_ticks(&s.loop);
    must_equal(loop_arm(&s.loop), 0);
    send_one(&s);
    must_equal(loop_arm(&s.loop), 0);
    answer_one(&s);
    receive_one(&s);
    stand_close(&s);
    return 0;
}

static void test_too_few_descriptors_cost_an_error_or_a_tick(void **state) {
    (void)state;
    must_equal(child_wait(child_start(watch_with_few_descriptors, NULL)), 0);
}

/* ---- Children ---- */

struct family {
    struct stand *stand;
    int held[HELD];
    bool closed; /* the parent closed its peer before */
};

static int have_nothing(void *context) {
    const struct family *family = context;
    shmipc_peer *peer = family->stand->loop.peer;
    shmipc_fd fd;
    for (int i = 0; i < HELD; i++)
        must(!is_open(family->held[i]));
    must_equal(shmipc_get_fd(peer, &fd), SHMIPC_E_CLOSED);
    must_equal(shmipc_arm(peer, 0, NULL, 0), SHMIPC_E_CLOSED);
    must_equal(shmipc_disarm(peer), SHMIPC_E_CLOSED);
    shmipc_free(peer);
    if (!family->closed)
        must_equal(access(family->stand->path, F_OK), 0);
    return 0;
}

static void test_a_child_has_none_of_a_loops_descriptors(void **state) {
    struct stand s;
    struct family family = {.stand = &s};
    (void)state;
    stand_open(&s);
    find_held(&s, family.held);
    send_one(&s);
    loop_without_ticks(&s.loop);
    must_equal(loop_arm(&s.loop), 0);
    must_equal(child_wait(child_start(have_nothing, &family)), 0);
    answer_one(&s);
    receive_one(&s);
    must_equal(shmipc_slot_release(s.loop.slots[0]), SHMIPC_OK);
    must_equal(shmipc_close(s.pair.host), SHMIPC_OK);
    family.closed = true;
    must_equal(child_wait(child_start(have_nothing, &family)), 0);
    for (int i = 0; i < HELD; i++)
        must(is_open(family.held[i]));
    stand_close(&s);
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

HAZARD_MAIN("loop_files", hazard_test(test_what_stands_in_a_fifos_place_is_not_written_to),
            hazard_test(test_what_stood_in_a_fifos_place_before_is_replaced_or_refused),
            hazard_test(test_a_killed_guests_fifo_is_replaced_and_goes_with_the_host),
            hazard_test(test_a_killed_hosts_fifos_go_with_its_region),
            hazard_test(test_a_guests_fifo_goes_before_its_index_does),
            hazard_test(test_loops_leave_nothing_behind),
            hazard_test(test_a_loop_that_dies_kills_nobody_who_signals_it),
            hazard_test(test_what_took_a_descriptors_place_is_left_alone),
            hazard_test(test_a_fifo_has_its_regions_mode_and_no_other_files),
            hazard_test(test_no_descriptor_of_a_loop_is_a_standard_one),
            hazard_test(test_too_few_descriptors_cost_an_error_or_a_tick),
            hazard_test(test_a_child_has_none_of_a_loops_descriptors),
            hazard_test(test_loops_of_several_users_signal_each_other))
