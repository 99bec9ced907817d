/* A finder finds each region whose host lives once, and nothing else. */
#define _GNU_SOURCE
#include "support/fixture.h"
#include "support/readable.h"

#include "region/region.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

/* ---- Hosts, and names ---- */

struct long_name {
    char text[128];
};

static struct long_name named(const struct region_name *base, const char *ending) {
    struct long_name name;
    (void)snprintf(name.text, sizeof name.text, "%s%s", base->text, ending);
    return name;
}

static shmipc_peer *host(const char *name) {
    const shmipc_host_config config = test_host_config();
    shmipc_peer *peer;
    must_equal(shmipc_host_create(name, &config, &peer), SHMIPC_OK);
    return peer;
}

struct killed {
    const char *name;
    struct gate *ready;
};

static int host_and_wait(void *context) {
    const struct killed *killed = context;
    (void)host(killed->name);
    gate_pass(killed->ready);
    for (;;)
        pause();
    return 0;
}

static void leave_dead_region(const char *name) {
    struct killed killed = {name, shared_memory(sizeof *killed.ready)};
    pid_t child = child_start(host_and_wait, &killed);
    gate_await(killed.ready, 1);
    child_kill(child);
    shared_memory_free(killed.ready, sizeof *killed.ready);
}

/* ---- A finder ---- */

static shmipc_finder *finder(const char *prefix) {
    shmipc_finder *f;
    must_equal(shmipc_finder_create(prefix, &f), SHMIPC_OK);
    return f;
}

static int next(shmipc_finder *f) {
    char name[SHMIPC_NAME_MAX + 1];
    return shmipc_finder_next(f, name, sizeof name);
}

static bool is_ready(shmipc_finder *f, int64_t timeout) {
    shmipc_fd fd;
    must_equal(shmipc_finder_get_fd(f, &fd), SHMIPC_OK);
    return is_readable(fd, timeout);
}

/* As a loop does: the descriptor says when. */
static void finds(shmipc_finder *f, const char *expected) {
    char name[SHMIPC_NAME_MAX + 1] = "";
    int found = 0;
    while (found == 0) {
        must(is_ready(f, 10 * SECOND));
        found = shmipc_finder_next(f, name, sizeof name);
    }
    must_equal(found, 1);
    assert_string_equal(name, expected);
}

/* And the descriptor says so, until other tests' files are reported. */
static void answers(shmipc_finder *f, int result) {
    do
        must_equal(next(f), result);
    while (is_ready(f, 0));
}

static void finds_nothing(shmipc_finder *f) {
    answers(f, 0);
}

static void hosts_that_are_there_and_those_that_come_are_found_once(void **state) {
    (void)state;
    struct region_name base = new_name();
    const struct long_name names[] = {named(&base, ".0"), named(&base, ".1"), named(&base, ".2")};
    shmipc_peer *hosts[3];
    hosts[0] = host(names[0].text);
    shmipc_finder *f = finder(base.text);
    must(is_ready(f, 0)); /* for the first list */
    hosts[1] = host(names[1].text);
    char found[2][SHMIPC_NAME_MAX + 1];
    for (int i = 0; i < 2; i++)
        must_equal(shmipc_finder_next(f, found[i], sizeof found[i]), 1);
    must((strcmp(found[0], names[0].text) == 0 && strcmp(found[1], names[1].text) == 0) ||
         (strcmp(found[1], names[0].text) == 0 && strcmp(found[0], names[1].text) == 0));
    finds_nothing(f);
    hosts[2] = host(names[2].text);
    finds(f, names[2].text);
    finds_nothing(f);
    for (int i = 0; i < 3; i++)
        shmipc_free(hosts[i]);
    finds_nothing(f);
    shmipc_finder_free(f);
}

/* One call finds one region; until all are found the descriptor is ready. */
static void the_descriptor_stays_ready_until_all_are_found(void **state) {
    (void)state;
    struct region_name base = new_name();
    shmipc_finder *f = finder(base.text);
    finds_nothing(f);
    shmipc_peer *hosts[2] = {host(named(&base, ".0").text), host(named(&base, ".1").text)};
    must_equal(next(f), 1);
    must(is_ready(f, 0));
    must_equal(next(f), 1);
    finds_nothing(f);
    shmipc_free(hosts[0]);
    shmipc_free(hosts[1]);
    shmipc_finder_free(f);
}

/* A loop that watches by edge calls until nothing is found. */
static void each_host_is_an_edge(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_finder *f = finder(name.text);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    shmipc_fd fd;
    int loop = epoll_create1(EPOLL_CLOEXEC);
    must_equal(shmipc_finder_get_fd(f, &fd), SHMIPC_OK);
    must_equal(epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event), 0);
    must_equal(epoll_wait(loop, &event, 1, 10000), 1);
    for (int i = 0; i < 3; i++) {
        do
            must_equal(next(f), 0);
        while (epoll_wait(loop, &event, 1, 0) == 1);
        shmipc_peer *peer = host(name.text);
        do
            must_equal(epoll_wait(loop, &event, 1, 10000), 1);
        while (next(f) == 0);
        shmipc_free(peer);
    }
    must_equal(close(loop), 0);
    shmipc_finder_free(f);
}

/* The number of the finder's descriptor of this kind. */
static int held(const char *kind) {
    char link[64];
    char target[64];
    for (int fd = 3; fd < 256; fd++) {
        (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = readlink(link, target, sizeof target - 1);
        target[length > 0 ? length : 0] = '\0';
        if (strcmp(target, kind) == 0)
            return fd;
    }
    return -1;
}

/* ---- A host that comes while the finder begins ---- */

static const char *comes_with_the_list;
static shmipc_peer *came;
static unsigned lists;

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
int __real_shmi_object_list(const char *prefix, object_visitor visit, void *context);
int __wrap_shmi_object_list(const char *prefix, object_visitor visit, void *context);
int __wrap_shmi_object_list(const char *prefix, object_visitor visit, void *context) {
    int result = __real_shmi_object_list(prefix, visit, context);
    lists++;
    if (comes_with_the_list != NULL)
        came = host(comes_with_the_list);
    comes_with_the_list = NULL;
    return result;
}

static bool no_realloc;
static bool no_calloc;

void *__real_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size);
void *__wrap_realloc(void *memory, size_t size) {
    return no_realloc ? NULL : __real_realloc(memory, size);
}

void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size) {
    return no_calloc ? NULL : __real_calloc(count, size);
}
/* NOLINTEND(bugprone-reserved-identifier) */

static void a_host_that_comes_just_after_the_list_is_found(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_finder *f = finder(name.text);
    comes_with_the_list = name.text;
    must_equal(next(f), 0);
    must(came != NULL);
    finds(f, name.text);
    finds_nothing(f);
    shmipc_free(came);
    shmipc_finder_free(f);
}

/* ---- Names that mean another region, or none ---- */

static void a_new_host_of_a_name_is_found_again(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_finder *f = finder(name.text);
    for (int i = 0; i < 3; i++) {
        shmipc_peer *peer = host(name.text);
        finds(f, name.text);
        finds_nothing(f);
        shmipc_free(peer); /* the next one comes before the finder looks */
    }
    leave_dead_region(name.text);
    shmipc_peer *successor = host(name.text);
    finds(f, name.text);
    finds_nothing(f);
    shmipc_free(successor);
    shmipc_finder_free(f);
}

/* The file stays the same, as no host's does. */
static void move_away(const char *name, const char *to) {
    char from_path[256];
    char to_path[256];
    path_of(name, from_path);
    path_of(to, to_path);
    must_equal(rename(from_path, to_path), 0);
}

static void unlink_and_link(const char *name, const char *to) {
    char from_path[256];
    char to_path[256];
    path_of(name, from_path);
    path_of(to, to_path);
    must_equal(link(from_path, to_path), 0);
    must_equal(unlink(from_path), 0);
}

static void a_name_that_vanishes_is_forgotten(void **state) {
    (void)state;
    void (*const moves[])(const char *, const char *) = {move_away, unlink_and_link};
    for (int i = 0; i < 2; i++) {
        struct region_name name = new_name();
        struct region_name elsewhere = new_name();
        shmipc_finder *f = finder(name.text);
        shmipc_peer *peer = host(name.text);
        finds(f, name.text);
        moves[i](name.text, elsewhere.text);
        finds_nothing(f);
        moves[i](elsewhere.text, name.text);
        finds(f, name.text);
        finds_nothing(f);
        shmipc_free(peer);
        shmipc_finder_free(f);
    }
}

static void a_region_with_two_names_is_found_once(void **state) {
    (void)state;
    struct region_name base = new_name();
    const struct long_name second = named(&base, ".second");
    char path[256];
    char second_path[256];
    path_of(base.text, path);
    path_of(second.text, second_path);
    shmipc_finder *f = finder(base.text);
    shmipc_peer *peer = host(base.text);
    finds(f, base.text);
    must_equal(link(path, second_path), 0);
    finds_nothing(f);
    must_equal(unlink(second_path), 0);
    finds_nothing(f);
    shmipc_free(peer);
    shmipc_finder_free(f);
}

/* ---- What is passed over ---- */

static void only_names_with_the_prefix_are_found(void **state) {
    (void)state;
    struct region_name base = new_name();
    const struct long_name a = named(&base, ".a1");
    shmipc_peer *hosts[] = {host(a.text), host(named(&base, ".b1").text)};
    shmipc_finder *f = finder(named(&base, ".a").text);
    finds(f, a.text);
    finds_nothing(f);
    shmipc_free(hosts[1]);
    hosts[1] = host(named(&base, ".b2").text);
    finds_nothing(f);
    shmipc_finder_free(f);
    const char *const all[] = {NULL, ""};
    for (int i = 0; i < 2; i++) {
        char name[SHMIPC_NAME_MAX + 1];
        int seen = 0;
        f = finder(all[i]);
        while (shmipc_finder_next(f, name, sizeof name) == 1)
            seen += strncmp(name, base.text, strlen(base.text)) == 0;
        must_equal(seen, 2);
        shmipc_finder_free(f);
    }
    shmipc_free(hosts[0]);
    shmipc_free(hosts[1]);
}

static void a_dead_hosts_region_is_passed_over(void **state) {
    (void)state;
    struct region_name base = new_name();
    const struct long_name names[] = {named(&base, ".0"), named(&base, ".1")};
    leave_dead_region(names[0].text);
    shmipc_finder *f = finder(base.text);
    finds_nothing(f);
    leave_dead_region(names[1].text);
    finds_nothing(f);
    must_equal(shmipc_remove_dead_regions(base.text), 2);
    shmipc_finder_free(f);
}

/* Where it is a region, its host would be alive. */
static int plant_with_lock(const char *name, const void *header, uint64_t size) {
    char path[256];
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = (off_t)(INT64_C(1) << 62), .l_len = 1};
    must(plant_object(name, header, size));
    path_of(name, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    must(fd >= 0);
    must_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    return fd;
}

static void plants(shmipc_finder *f, const char *name, const void *header, uint64_t size) {
    int fd = plant_with_lock(name, header, size);
    finds_nothing(f);
    must_equal(close(fd), 0);
    remove_planted(name);
}

static void a_file_that_is_no_region_is_passed_over(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_finder *f = finder(name.text);
    struct geometry g = {.host_slots = 2,
                         .guest_slots = 2,
                         .request_capacity = 64,
                         .response_capacity = 64,
                         .nonce = 1};
    struct header header = {.magic = 0};
    assert_true(shmi_geometry_compute(&g));
    plants(f, name.text, &header, 0);
    plants(f, name.text, "somebody else's notes, 64 bytes of them, that nobody wants found", 64);
    shmi_header_write(&header, &g);
    plants(f, name.text, &header, g.total_size); /* not ready */
    store_relaxed32(&header.ready, READY);
    header.version--;
    plants(f, name.text, &header, g.total_size);
    header.version++;
    int fd = plant_with_lock(name.text, &header, g.total_size);
    finds(f, name.text);
    must_equal(close(fd), 0);
    remove_planted(name.text);
    shmipc_finder_free(f);
}

static void what_is_no_file_is_passed_over(void **state) {
    (void)state;
    struct region_name base = new_name();
    const struct long_name other = named(&base, ".other");
    char path[256];
    char target[256];
    shmipc_finder *f = finder(other.text);
    shmipc_peer *peer = host(base.text);
    path_of(base.text, target);
    path_of(other.text, path);
    must_equal(symlink(target, path), 0);
    finds_nothing(f);
    must_equal(unlink(path), 0);
    must_equal(mkdir(path, 0700), 0);
    finds_nothing(f);
    must_equal(rmdir(path), 0);
    shmipc_free(peer);
    shmipc_finder_free(f);
}

/* The pipe's reader would take a process that opens it for a writer. */
static void no_pipe_is_opened(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_finder *f = finder(name.text);
    char path[256];
    path_of(name.text, path);
    finds_nothing(f);
    must_equal(mkfifo(path, 0600), 0);
    struct pollfd reader = {.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), .events = POLLIN};
    must(reader.fd >= 0);
    finds_nothing(f);
    must_equal(poll(&reader, 1, 0), 0);
    must_equal(close(reader.fd), 0);
    must_equal(unlink(path), 0);
    shmipc_finder_free(f);
}

static void what_is_passed_over_is_no_failure(void **state) {
    (void)state;
    struct region_name name = new_name();
    char text[600];
    must_equal(shmipc_remove_dead_region("../x"), SHMIPC_E_NAME);
    (void)snprintf(text, sizeof text, "%s", shmipc_last_error());
    shmipc_finder *f = finder(name.text);
    plants(f, name.text, (const uint8_t[64]){0}, 64);
    assert_string_equal(shmipc_last_error(), text);
    shmipc_finder_free(f);
}

/* ---- Owners and modes ---- */

static void the_attach_judges_owner_and_mode(void **state) {
    enum { NOBODY = 65534 };
    (void)state;
    struct region_name name = new_name();
    shmipc_peer *peer = host(name.text);
    shmipc_peer *guest;
    char path[256];
    path_of(name.text, path);
    must_equal(chmod(path, 0666), 0);
    if (geteuid() == 0)
        must_equal(chown(path, NOBODY, (gid_t)-1), 0);
    shmipc_finder *f = finder(name.text);
    finds(f, name.text);
    must_equal(shmipc_guest_attach(name.text, NULL, 0, &guest), SHMIPC_E_DENIED);
    shmipc_finder_free(f);
    shmipc_free(peer);
}

static int find_what_may_be_opened_at_last(void *context) {
    const char *name = context;
    char path[256];
    path_of(name, path);
    if (geteuid() == 0)
        must(setgid(65534) == 0 && setuid(65534) == 0);
    shmipc_finder *f = finder(name);
    shmipc_peer *peer = host(name);
    must_equal(chmod(path, 0), 0);
    finds_nothing(f);
    must_equal(chmod(path, 0600), 0);
    finds(f, name);
    must_equal(chmod(path, 0640), 0);
    finds_nothing(f);
    shmipc_free(peer);
    shmipc_finder_free(f);
    return 0;
}

static void a_region_is_found_when_it_may_be_opened(void **state) {
    (void)state;
    struct region_name name = new_name();
    must_equal(child_wait(child_start(find_what_may_be_opened_at_last, name.text)), 0);
}

/* ---- Reports that are lost ---- */

static long most_reports(void) {
    long most = 0;
    FILE *file = fopen("/proc/sys/fs/inotify/max_queued_events", "re");
    must(file != NULL && fscanf(file, "%ld", &most) == 1);
    (void)fclose(file);
    return most;
}

/* At least so many, of a file of no region: it is made and removed. */
static void report(long count) {
    struct region_name name = new_name();
    char path[256];
    path_of(name.text, path);
    for (long i = 0; i < count; i += 2) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
        must(fd >= 0);
        must_equal(close(fd), 0);
        must_equal(unlink(path), 0);
    }
}

static void overflow(void) {
    report(most_reports() + 2);
}

/* As if the directory was unmounted. */
static void end_watch(void) {
    must_equal(inotify_rm_watch(held("anon_inode:inotify"), 1), 0);
}

/* A host that came, and one that has moved its file away. */
static void lives_with_the_loss_of_reports(void (*lose)(void)) {
    struct region_name base = new_name();
    struct region_name elsewhere = new_name();
    const struct long_name names[] = {named(&base, ".0"), named(&base, ".1"), named(&base, ".2")};
    shmipc_finder *f = finder(base.text);
    shmipc_peer *hosts[3] = {host(names[0].text), NULL, NULL};
    finds(f, names[0].text);
    finds_nothing(f);
    unsigned before = lists;
    lose();
    move_away(names[0].text, elsewhere.text);
    hosts[1] = host(names[1].text);
    finds(f, names[1].text);
    finds_nothing(f);
    must(lists > before);
    move_away(elsewhere.text, names[0].text);
    finds(f, names[0].text);
    hosts[2] = host(names[2].text);
    finds(f, names[2].text);
    finds_nothing(f);
    for (int i = 0; i < 3; i++)
        shmipc_free(hosts[i]);
    shmipc_finder_free(f);
}

static void nobody_is_missed_when_the_system_drops_reports(void **state) {
    (void)state;
    lives_with_the_loss_of_reports(overflow);
}

static void nobody_is_missed_when_the_watch_is_ended(void **state) {
    (void)state;
    lives_with_the_loss_of_reports(end_watch);
}

/* More than one read takes. Once a loop that watches by edge has seen them, nothing wakes it. */
static void a_host_behind_many_reports_is_found_by_one_call(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_finder *f = finder(name.text);
    finds_nothing(f);
    report(2000);
    shmipc_peer *peer = host(name.text);
    must_equal(next(f), 1);
    finds_nothing(f);
    shmipc_free(peer);
    shmipc_finder_free(f);
}

static void without_lost_reports_there_is_one_list(void **state) {
    (void)state;
    struct region_name name = new_name();
    unsigned before = lists;
    shmipc_finder *f = finder(name.text);
    for (int i = 0; i < 3; i++) {
        shmipc_peer *peer = host(name.text);
        finds(f, name.text);
        shmipc_free(peer);
        finds_nothing(f);
    }
    must_equal(lists - before, 1);
    shmipc_finder_free(f);
}

/* ---- Failures ---- */

static void arguments_are_checked(void **state) {
    (void)state;
    char name[SHMIPC_NAME_MAX + 1];
    char longer[SHMIPC_NAME_MAX + 2];
    shmipc_finder *f = (shmipc_finder *)name;
    shmipc_fd fd;
    memset(longer, 'x', SHMIPC_NAME_MAX + 1);
    longer[SHMIPC_NAME_MAX + 1] = '\0';
    must_equal(shmipc_finder_create("x", NULL), SHMIPC_E_INVALID);
    must_equal(shmipc_finder_create("../", &f), SHMIPC_E_NAME);
    must(f == NULL);
    must_equal(shmipc_finder_create(longer, &f), SHMIPC_E_NAME);
    longer[SHMIPC_NAME_MAX] = '\0';
    must_equal(shmipc_finder_create(longer, &f), SHMIPC_OK);
    must_equal(shmipc_finder_get_fd(NULL, &fd), SHMIPC_E_INVALID);
    must_equal(shmipc_finder_get_fd(f, NULL), SHMIPC_E_INVALID);
    must_equal(shmipc_finder_next(NULL, name, sizeof name), SHMIPC_E_INVALID);
    must_equal(shmipc_finder_next(f, NULL, sizeof name), SHMIPC_E_INVALID);
    must_equal(shmipc_finder_next(f, name, sizeof name - 1), SHMIPC_E_INVALID);
    must_equal(shmipc_finder_next(f, name, sizeof name), 0);
    shmipc_finder_free(f);
    shmipc_finder_free(NULL);
}

static void the_longest_name_is_found(void **state) {
    (void)state;
    struct region_name base = new_name();
    char longest[SHMIPC_NAME_MAX + 1];
    memset(longest, 'x', SHMIPC_NAME_MAX);
    longest[SHMIPC_NAME_MAX] = '\0';
    memcpy(longest, base.text, strlen(base.text));
    shmipc_finder *f = finder(longest);
    shmipc_peer *peer = host(longest);
    finds(f, longest);
    shmipc_free(peer);
    shmipc_finder_free(f);
}

static int lowest_free_descriptor(void) {
    int lowest = dup(0);
    must(lowest >= 0);
    must_equal(close(lowest), 0);
    return lowest;
}

static void allow_descriptors_below(int end) {
    struct rlimit limit;
    must_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = (rlim_t)end;
    must_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* Others' files may be reported before it expires. */
static bool timer_is_set(void) {
    struct itimerspec left;
    must_equal(timerfd_gettime(held("anon_inode:[timerfd]"), &left), 0);
    return left.it_value.tv_sec + left.it_value.tv_nsec > 0;
}

/* 0, 1, 2 ... more than there are now. */
static shmipc_finder *finder_with_few_descriptors(int lowest, int needed) {
    for (int more = 0;; more++) {
        shmipc_finder *f;
        int descriptors = count_descriptors();
        allow_descriptors_below(lowest + more);
        int error = shmipc_finder_create(NULL, &f);
        if (error == SHMIPC_OK) {
            must_equal(more, needed);
            return f;
        }
        must_equal(error, SHMIPC_E_NO_DESCRIPTORS);
        must(f == NULL);
        allow_descriptors_below(lowest + 100);
        must_equal(count_descriptors(), descriptors);
    }
}

static int fail_without_descriptors(void *context) {
    (void)context;
    int lowest = lowest_free_descriptor();
    shmipc_finder *f = finder_with_few_descriptors(lowest, 4);
    must_equal(next(f), SHMIPC_E_NO_DESCRIPTORS); /* to list */
    allow_descriptors_below(lowest + 100);
    shmipc_finder_free(f);
    struct region_name name = new_name();
    f = finder(name.text);
    finds_nothing(f);
    shmipc_peer *peer = host(name.text);
    allow_descriptors_below(lowest_free_descriptor());
    answers(f, SHMIPC_E_NO_DESCRIPTORS); /* to look */
    must(timer_is_set());
    must(is_ready(f, 10 * SECOND));
    answers(f, SHMIPC_E_NO_DESCRIPTORS);
    allow_descriptors_below(lowest + 100);
    finds(f, name.text);
    finds_nothing(f);
    shmipc_free(peer);
    shmipc_finder_free(f);
    must_equal(lowest_free_descriptor(), lowest);
    return 0;
}

static void too_few_descriptors_delay_but_lose_nobody(void **state) {
    (void)state;
    must_equal(child_wait(child_start(fail_without_descriptors, NULL)), 0);
}

enum { NOT_ALLOWED = 77 };

/* In a namespace of users that may have none. */
static int fail_without_instances(void *context) {
    (void)context;
    shmipc_finder *f;
    if (unshare(CLONE_NEWUSER) != 0)
        return NOT_ALLOWED;
    int fd = open("/proc/sys/user/max_inotify_instances", O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, "0", 1) != 1)
        return NOT_ALLOWED;
    must_equal(close(fd), 0);
    int descriptors = count_descriptors();
    must_equal(shmipc_finder_create(NULL, &f), SHMIPC_E_NO_DESCRIPTORS);
    must(strstr(shmipc_last_error(), "max_user_instances") != NULL);
    must_equal(count_descriptors(), descriptors);
    return 0;
}

static void a_user_without_instances_of_inotify_is_told_so(void **state) {
    (void)state;
    int result = child_wait(child_start(fail_without_instances, NULL));
    if (result == NOT_ALLOWED) {
        print_message("             not tried: no namespace of users for this user here\n");
        skip();
    }
    must_equal(result, 0);
}

static void fails_and_finds(shmipc_finder *f, const char *name, bool *none) {
    *none = true;
    answers(f, SHMIPC_E_NO_MEMORY);
    *none = false;
    finds(f, name);
    finds_nothing(f);
    shmipc_finder_free(f);
}

static void too_little_memory_delays_but_loses_nobody(void **state) {
    (void)state;
    struct region_name base = new_name();
    const struct long_name other = named(&base, ".other");
    shmipc_finder *told = finder(base.text);
    finds_nothing(told);
    shmipc_finder *remembers = finder(base.text);
    must(plant_object(other.text, (const uint8_t[64]){0}, 64));
    finds_nothing(remembers);
    remove_planted(other.text);
    finds_nothing(remembers);
    finds_nothing(told);
    shmipc_finder_free(told);
    told = finder(base.text);
    finds_nothing(told);
    shmipc_peer *peer = host(base.text);
    fails_and_finds(told, base.text, &no_realloc);
    fails_and_finds(remembers, base.text, &no_realloc); /* it has memory for a name */
    fails_and_finds(finder(base.text), base.text, &no_realloc);
    fails_and_finds(finder(base.text), base.text, &no_calloc);
    no_calloc = true;
    must_equal(shmipc_finder_create(NULL, &told), SHMIPC_E_NO_MEMORY);
    no_calloc = false;
    shmipc_free(peer);
}

static void nothing_stays_open(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_peer *peer = host(name.text);
    int descriptors = count_descriptors();
    for (int i = 0; i < 20; i++) {
        shmipc_finder *f = finder(name.text);
        finds(f, name.text);
        finds_nothing(f);
        must_equal(count_descriptors(), descriptors + 4);
        shmipc_finder_free(f);
    }
    must_equal(count_descriptors(), descriptors);
    shmipc_free(peer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(hosts_that_are_there_and_those_that_come_are_found_once),
        watched_test(the_descriptor_stays_ready_until_all_are_found),
        watched_test(each_host_is_an_edge),
        watched_test(a_host_that_comes_just_after_the_list_is_found),
        watched_test(a_new_host_of_a_name_is_found_again),
        watched_test(a_name_that_vanishes_is_forgotten),
        watched_test(a_region_with_two_names_is_found_once),
        watched_test(only_names_with_the_prefix_are_found),
        watched_test(a_dead_hosts_region_is_passed_over),
        watched_test(a_file_that_is_no_region_is_passed_over),
        watched_test(what_is_no_file_is_passed_over),
        watched_test(no_pipe_is_opened),
        watched_test(what_is_passed_over_is_no_failure),
        watched_test(the_attach_judges_owner_and_mode),
        watched_test(a_region_is_found_when_it_may_be_opened),
        watched_test(nobody_is_missed_when_the_system_drops_reports),
        watched_test(nobody_is_missed_when_the_watch_is_ended),
        watched_test(a_host_behind_many_reports_is_found_by_one_call),
        watched_test(without_lost_reports_there_is_one_list),
        watched_test(arguments_are_checked),
        watched_test(the_longest_name_is_found),
        watched_test(too_few_descriptors_delay_but_lose_nobody),
        watched_test(a_user_without_instances_of_inotify_is_told_so),
        watched_test(too_little_memory_delays_but_loses_nobody),
        watched_test(nothing_stays_open),
    };
    return cmocka_run_group_tests_name("finder", tests, NULL, NULL);
}
