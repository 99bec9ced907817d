/* A finder in a process shared with other code, and among hosts that come and go all the time. */
#define _GNU_SOURCE
#include "hazard/descriptors.h"
#include "hazard/peers.h"
#include "hazard/printing.h"
#include "support/readable.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static shmipc_finder *finder(const char *prefix) {
    shmipc_finder *f;
    must_equal(shmipc_finder_create(prefix, &f), SHMIPC_OK);
    return f;
}

static shmipc_fd descriptor(shmipc_finder *f) {
    shmipc_fd fd;
    must_equal(shmipc_finder_get_fd(f, &fd), SHMIPC_OK);
    return fd;
}

static int next(shmipc_finder *f) {
    char name[SHMIPC_NAME_MAX + 1];
    return shmipc_finder_next(f, name, sizeof name);
}

/* ---- Descriptors that other code closes, and uses again ---- */

enum kind { ANCHOR, EPOLL, INOTIFY, TIMER, HELD };

static const char *const targets[HELD] = {"socket:[", "anon_inode:[eventpoll]",
                                          "anon_inode:inotify", "anon_inode:[timerfd]"};

static bool is_kind(int fd, int kind) {
    char link[64];
    char target[64];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, target, sizeof target - 1);
    target[length > 0 ? length : 0] = '\0';
    return strncmp(target, targets[kind], strlen(targets[kind])) == 0;
}

/* In a process that has no other descriptors of these kinds. */
static void find_held(int held[static HELD]) {
    for (int kind = 0; kind < HELD; kind++) {
        held[kind] = -1;
        for (int fd = 0; fd < 256; fd++) {
            if (is_kind(fd, kind)) {
                must_equal(held[kind], -1);
                held[kind] = fd;
            }
        }
        must(held[kind] >= 0);
    }
}

/* Other code's, of any kind. Its instance of epoll watches the others of its descriptors, by an
   event of its own, and its inotify the same directory as ours. */
struct others {
    int fds[HELD]; /* in the places of ours; -1: ours is still there */
    int shift;     /* how much the kinds are exchanged */
    char file[256];
};

static int kind_at(const struct others *o, int place) {
    return (place + o->shift) % HELD;
}

static int open_other(int kind) {
    const struct itimerspec far = {.it_value.tv_sec = 1000};
    int fd = -1;
    if (kind == ANCHOR)
        fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (kind == EPOLL)
        fd = epoll_create1(EPOLL_CLOEXEC);
    if (kind == INOTIFY)
        fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (kind == TIMER)
        fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
    must(fd >= 0);
    if (kind == INOTIFY)
        must(inotify_add_watch(fd, "/dev/shm", IN_CREATE) > 0);
    if (kind == TIMER)
        must_equal(timerfd_settime(fd, 0, &far, NULL), 0);
    return fd;
}

static int place_of(const struct others *o, int kind) {
    for (int place = 0; place < HELD; place++) {
        if (kind_at(o, place) == kind && o->fds[place] >= 0)
            return o->fds[place];
    }
    return -1;
}

static void usurp(struct others *o, const int held[static HELD], unsigned mask, int shift) {
    o->shift = shift;
    for (int place = 0; place < HELD; place++) {
        o->fds[place] = -1;
        if ((mask >> place & 1) == 0)
            continue;
        int fd = open_other(kind_at(o, place));
        must_equal(dup3(fd, held[place], O_CLOEXEC), held[place]);
        must_equal(close(fd), 0);
        o->fds[place] = held[place];
    }
    int epoll = place_of(o, EPOLL);
    for (int place = 0; epoll >= 0 && place < HELD; place++) {
        struct epoll_event event = {.events = EPOLLOUT, .data.u64 = 7};
        if (o->fds[place] >= 0 && o->fds[place] != epoll)
            must_equal(epoll_ctl(epoll, EPOLL_CTL_ADD, o->fds[place], &event), 0);
    }
}

/* A report that is still there, a timer that is still set, an event that is still the same. */
static void expect_untouched(const struct others *o) {
    char reports[4096];
    struct itimerspec left;
    struct epoll_event event;
    int inotify = place_of(o, INOTIFY);
    int timer = place_of(o, TIMER);
    int anchor = place_of(o, ANCHOR);
    int epoll = place_of(o, EPOLL);
    if (inotify >= 0)
        must(read(inotify, reports, sizeof reports) > 0);
    if (timer >= 0)
        must(timerfd_gettime(timer, &left) == 0 && left.it_value.tv_sec > 900);
    if (epoll >= 0 && anchor >= 0)
        must(epoll_wait(epoll, &event, 1, 0) == 1 && event.events == EPOLLOUT &&
             event.data.u64 == 7);
    for (int place = 0; place < HELD; place++) {
        if (o->fds[place] >= 0) {
            must(is_kind(o->fds[place], kind_at(o, place)));
            must_equal(close(o->fds[place]), 0);
        }
    }
}

static int live_with_usurped(void *context) {
    (void)context;
    for (unsigned mask = 1; mask < 1u << HELD; mask++) {
        for (int shift = 0; shift < HELD; shift++) {
            struct region_name name = new_name();
            struct others o;
            int held[HELD];
            shmipc_peer *host;
            shmipc_finder *f = finder(name.text);
            must_equal(next(f), 0);
            find_held(held);
            usurp(&o, held, mask, shift);
            must_equal(shmipc_host_create(name.text, NULL, &host), SHMIPC_OK);
            for (int i = 0; i < 2; i++) {
                must_equal(next(f), SHMIPC_E_SYSTEM);
                must(strstr(shmipc_last_error(), "closed") != NULL);
            }
            shmipc_finder_free(f);
            expect_untouched(&o);
            shmipc_free(host);
            for (int place = 0; place < HELD; place++) /* what could not be told from others' */
                (void)close(held[place]);
        }
    }
    return 0;
}

static void test_what_took_a_descriptors_place_is_left_alone(void **state) {
    (void)state;
    must_equal(child_wait(child_start(live_with_usurped, NULL)), 0);
}

static void test_finders_of_one_process_do_not_disturb_each_other(void **state) {
    struct region_name name = new_name();
    shmipc_finder *finders[2] = {finder(name.text), finder(name.text)};
    shmipc_peer *host;
    (void)state;
    must_equal(shmipc_host_create(name.text, NULL, &host), SHMIPC_OK);
    must_equal(next(finders[0]), 1);
    shmipc_finder_free(finders[0]);
    must_equal(next(finders[1]), 1);
    must_equal(next(finders[1]), 0);
    shmipc_finder_free(finders[1]);
    shmipc_free(host);
}

/* ---- Standard descriptors ---- */

static void find_hosts(unsigned closed) {
    struct region_name name = new_name();
    (void)closed;
    for (unsigned i = 0; i < scaled(8); i++) {
        int held[HELD];
        shmipc_peer *host;
        shmipc_finder *f = finder(name.text);
        find_held(held);
        for (int place = 0; place < HELD; place++)
            must(held[place] >= 3);
        must_equal(shmipc_host_create(name.text, NULL, &host), SHMIPC_OK);
        must_equal(next(f), 1);
        shmipc_free(host);
        shmipc_finder_free(f);
    }
}

static void test_no_descriptor_of_a_finder_is_a_standard_one(void **state) {
    (void)state;
    print_while(find_hosts);
}

/* ---- Children ---- */

struct family {
    shmipc_finder *finder;
    int held[HELD];
};

static int have_nothing(void *context) {
    const struct family *family = context;
    shmipc_fd fd;
    for (int place = 0; place < HELD; place++)
        must(!is_open(family->held[place]));
    must_equal(shmipc_finder_get_fd(family->finder, &fd), SHMIPC_E_CLOSED);
    must_equal(next(family->finder), SHMIPC_E_CLOSED);
    int taken = dup(2); /* a number that was a finder's */
    shmipc_finder_free(family->finder);
    must(is_open(taken));
    return 0;
}

/* One before this program has had a region, and one after that. */
static int have_children(void *context) {
    struct region_name name = new_name();
    struct family family = {.finder = finder(name.text)};
    shmipc_peer *host;
    (void)context;
    find_held(family.held);
    must_equal(child_wait(child_start(have_nothing, &family)), 0);
    must_equal(shmipc_host_create(name.text, NULL, &host), SHMIPC_OK);
    must_equal(child_wait(child_start(have_nothing, &family)), 0);
    must_equal(next(family.finder), 1);
    shmipc_finder_free(family.finder);
    shmipc_free(host);
    return 0;
}

static void test_a_child_has_none_of_a_finders_descriptors(void **state) {
    (void)state;
    must_equal(child_wait(child_start(have_children, NULL)), 0);
}

/* ---- Hosts that come and go all the time ---- */

enum { CHURNERS = 4 };

struct churn {
    struct region_name base;
    atomic_bool enough;
    atomic_uint last; /* the number of the next of them */
};

static void churn_name(const struct churn *churn, unsigned number, char name[static 128]) {
    (void)snprintf(name, 128, "%s.%u", churn->base.text, number);
}

/* Hosts of one name, some of which die, and each of which waits for its guest, or does not. */
static int churn(void *context) {
    struct churn *churn = context;
    char name[128];
    churn_name(churn, atomic_fetch_add(&churn->last, 1), name);
    while (!atomic_load(&churn->enough)) {
        const shmipc_host_config config = test_host_config();
        shmipc_peer *host;
        must_equal(shmipc_host_create(name, &config, &host), SHMIPC_OK);
        dawdle(2 * MILLISECOND);
        if (draw(3) == 0)
            (void)kill(getpid(), SIGKILL);
        shmipc_free(host);
    }
    return 0;
}

/* What is found in the end is what is there in the end: none is missed, and none is found twice. */
static void expect_to_find(shmipc_finder *f, unsigned count) {
    unsigned found = 0;
    while (found < count) {
        must(is_readable(descriptor(f), 10 * SECOND));
        for (int result = next(f); result != 0; result = next(f)) {
            must_equal(result, 1);
            found++;
        }
    }
    must_equal(found, count);
}

static void test_nobody_is_missed_among_hosts_that_come_and_go(void **state) {
    struct churn *churns = shared_memory(sizeof *churns);
    pid_t children[CHURNERS];
    shmipc_peer *hosts[CHURNERS];
    (void)state;
    churns->base = new_name();
    int descriptors = count_descriptors();
    shmipc_finder *f = finder(churns->base.text);
    for (int i = 0; i < CHURNERS; i++)
        children[i] = child_start(churn, churns);
    unsigned found = 0;
    for (uint64_t end = now_ns() + SECOND; now_ns() < end;) {
        (void)is_readable(descriptor(f), 10 * MILLISECOND);
        for (int result = next(f); result != 0; result = next(f)) {
            must_equal(result, 1);
            found++;
        }
        for (int i = 0; i < CHURNERS; i++) {
            if (waitpid(children[i], NULL, WNOHANG) == children[i])
                children[i] = child_start(churn, churns);
        }
    }
    atomic_store(&churns->enough, true);
    for (int i = 0; i < CHURNERS; i++)
        (void)child_wait(children[i]);
    print_message("             %u hosts found\n", found);
    must(found > 10);
    while (next(f) != 0) {
    }
    for (unsigned i = 0; i < CHURNERS; i++) {
        char name[128];
        churn_name(churns, i, name);
        must_equal(shmipc_host_create(name, NULL, &hosts[i]), SHMIPC_OK);
    }
    expect_to_find(f, CHURNERS);
    must_equal(next(f), 0);
    for (int i = 0; i < CHURNERS; i++)
        shmipc_free(hosts[i]);
    shmipc_finder_free(f);
    must(shmipc_remove_dead_regions(churns->base.text) >= 0);
    must_equal(count_descriptors(), descriptors);
    shared_memory_free(churns, sizeof *churns);
}

/* The first one is the first here: no region has made this program ready for forks. */
HAZARD_MAIN("finder", hazard_test(test_a_child_has_none_of_a_finders_descriptors),
            hazard_test(test_what_took_a_descriptors_place_is_left_alone),
            hazard_test(test_finders_of_one_process_do_not_disturb_each_other),
            hazard_test(test_no_descriptor_of_a_finder_is_a_standard_one),
            hazard_test(test_nobody_is_missed_among_hosts_that_come_and_go))
