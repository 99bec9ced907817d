/* The descriptors of event loops, in a process shared with other code. */
#define _GNU_SOURCE
#include "hazard/descriptors.h"
#include "hazard/loops.h"
#include "hazard/printing.h"

#include "peer/peer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <unistd.h>

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

/* Each of the numbers in `mask` means a thing of the kind that it meant, or of the next kind. An
   epoll instance in the place of ours watches the timer in the place of ours. */
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
    struct epoll_event event = {.events = EPOLLIN};
    if (shift == 0 && o->fds[1] >= 0 && o->fds[2] >= 0)
        must_equal(epoll_ctl(o->fds[2], EPOLL_CTL_ADD, o->fds[1], &event), 0);
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

/* The loop is told when its timer is to be set, and when it was not told for a while. */
static void live_with_usurped(unsigned mask, int shift, bool timer_is_to_be_set) {
    struct stand s;
    struct others o;
    int held[HELD];
    stand_open(&s);
    find_held(&s, held);
    stand_send(&s);
    if (!timer_is_to_be_set)
        loop_without_ticks(&s.loop);
    must_equal(loop_arm(&s.loop), 0);
    usurp(&o, held, mask, shift);
    if (timer_is_to_be_set)
        loop_without_ticks(&s.loop);
    for (uint64_t armed = now_ns(); !timer_is_to_be_set && now_ns() < armed + MILLISECOND;)
        pause_briefly();
    for (int i = 0; i < 2; i++) {
        must_equal(loop_arm(&s.loop), SHMIPC_E_SYSTEM);
        must(strstr(shmipc_last_error(), "closed") != NULL);
    }
    stand_answer(&s);
    must_equal(loop_arm(&s.loop), 1);
    must_equal(shmipc_disarm(s.loop.peer), SHMIPC_OK);
    stand_close(&s);
    expect_untouched(&o, shift);
}

static int live_with_each(void *context) {
    (void)context;
    for (unsigned mask = 1; mask < 1u << HELD; mask++) {
        for (int shift = 0; shift < HELD; shift++) {
            live_with_usurped(mask, shift, true);
            live_with_usurped(mask, shift, false);
        }
    }
    return 0;
}

static void test_what_took_a_descriptors_place_is_left_alone(void **state) {
    (void)state;
    must_equal(child_wait(child_start(live_with_each, NULL)), 0);
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

static void watch_in_loops(unsigned closed) {
    (void)closed;
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
}

static void test_no_descriptor_of_a_loop_is_a_standard_one(void **state) {
    (void)state;
    print_while(watch_in_loops);
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
    stand_send(&s);
    must_equal(loop_arm(&s.loop), 0);
    limit_descriptors(0);
    uint64_t begin = now_ns();
    stand_answer(&s);
    must(loop_is_ready(&s.loop, 10 * SECOND));
    must(now_ns() - begin < SOON);
    stand_receive(&s);
    limit_descriptors(100);
    loop_without_ticks(&s.loop);
    must_equal(loop_arm(&s.loop), 0);
    stand_send(&s);
    must_equal(loop_arm(&s.loop), 0);
    stand_answer(&s);
    stand_receive(&s);
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
    stand_send(&s);
    loop_without_ticks(&s.loop);
    must_equal(loop_arm(&s.loop), 0);
    must_equal(child_wait(child_start(have_nothing, &family)), 0);
    stand_answer(&s);
    stand_receive(&s);
    must_equal(shmipc_slot_release(s.loop.slots[0]), SHMIPC_OK);
    must_equal(shmipc_close(s.pair.host), SHMIPC_OK);
    family.closed = true;
    must_equal(child_wait(child_start(have_nothing, &family)), 0);
    for (int i = 0; i < HELD; i++)
        must(is_open(family.held[i]));
    stand_close(&s);
}

HAZARD_MAIN("loop_descriptors", hazard_test(test_what_took_a_descriptors_place_is_left_alone),
            hazard_test(test_a_fifo_has_its_regions_mode_and_no_other_files),
            hazard_test(test_no_descriptor_of_a_loop_is_a_standard_one),
            hazard_test(test_too_few_descriptors_cost_an_error_or_a_tick),
            hazard_test(test_a_child_has_none_of_a_loops_descriptors))
