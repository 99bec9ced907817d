/* Regions of dead hosts are listed and removed, and nothing else is. */
#define _GNU_SOURCE
#include "support/fixture.h"

#include "region/region.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* ---- Hosts that die ---- */

struct host_child {
    char name[512];
    struct gate ready;
};

_Noreturn static int host_and_wait(void *context) {
    struct host_child *child = context;
    const shmipc_host_config config = test_host_config();
    shmipc_peer *host;
    must_equal(shmipc_host_create(child->name, &config, &host), SHMIPC_OK);
    gate_pass(&child->ready);
    for (;;)
        pause();
}

struct living {
    struct host_child *shared;
    pid_t pid;
};

static struct living live_host(const char *name) {
    struct living living = {.shared = shared_memory(sizeof *living.shared)};
    (void)snprintf(living.shared->name, sizeof living.shared->name, "%s", name);
    living.pid = child_start(host_and_wait, living.shared);
    gate_await(&living.shared->ready, 1);
    return living;
}

static void kill_host(struct living living) {
    child_kill(living.pid);
    shared_memory_free(living.shared, sizeof *living.shared);
}

static void leave_dead_region(const char *name) {
    kill_host(live_host(name));
}

static bool exists(const char *name) {
    char path[256];
    struct stat status;
    path_of(name, path);
    return lstat(path, &status) == 0;
}

/* ---- What was found ---- */

struct found {
    int count;
    char names[8][96];
};

static void note(void *context, const char *name) {
    struct found *found = context;
    assert_true(found->count < 8);
    (void)snprintf(found->names[found->count++], sizeof found->names[0], "%s", name);
}

static struct found find(const char *prefix) {
    struct found found = {.count = 0};
    int count = shmipc_dead_regions(prefix, note, &found);
    assert_int_equal(count, found.count);
    return found;
}

static int dead_of_this_process(void) {
    char prefix[48];
    name_prefix(prefix);
    return find(prefix).count;
}

/* ---- Dead and alive ---- */

static void a_dead_hosts_region_is_listed_and_removed(void **state) {
    (void)state;
    struct region_name name = new_name();
    leave_dead_region(name.text);
    struct found found = find(name.text);
    assert_int_equal(found.count, 1);
    assert_string_equal(found.names[0], name.text);
    assert_int_equal(shmipc_remove_dead_region(name.text), SHMIPC_OK);
    assert_false(exists(name.text));
    assert_int_equal(find(name.text).count, 0);
    assert_int_equal(shmipc_remove_dead_region(name.text), SHMIPC_E_NOT_FOUND);
}

static void is_left_alone(const char *name) {
    shmipc_peer *guest;
    assert_int_equal(find(name).count, 0);
    assert_int_equal(shmipc_remove_dead_region(name), SHMIPC_E_NAME_IN_USE);
    assert_non_null(strstr(shmipc_last_error(), "live host"));
    assert_int_equal(shmipc_remove_dead_regions(name), 0);
    assert_int_equal(shmipc_guest_attach(name, NULL, 0, &guest), SHMIPC_OK);
    shmipc_free(guest);
}

static void a_live_hosts_region_is_left_alone(void **state) {
    (void)state;
    struct region_name name = new_name();
    struct pair pair;
    struct living other = live_host(name.text);
    is_left_alone(name.text);
    kill_host(other);
    assert_int_equal(shmipc_remove_dead_region(name.text), SHMIPC_OK);
    pair_open(&pair, NULL);
    is_left_alone(pair.name.text); /* of this very process */
    pair_close(&pair);
}

/* The region was found dead, and has a successor by the time that it is removed. */
static void a_name_that_has_another_host_by_now_is_left_alone(void **state) {
    (void)state;
    const struct object_rules own = {.mode = 07777, .owner = SHMIPC_OWNER_SELF};
    const shmipc_host_config config = test_host_config();
    struct region_name name = new_name();
    struct object *dead;
    shmipc_peer *host;
    leave_dead_region(name.text);
    assert_int_equal(shmi_object_open(name.text, &own, &dead), SHMIPC_OK);
    assert_int_equal(shmipc_host_create(name.text, &config, &host), SHMIPC_OK);
    assert_int_equal(shmi_object_remove_dead(dead), SHMIPC_E_NOT_FOUND);
    shmi_object_close(dead);
    is_left_alone(name.text);
    shmipc_free(host);
}

static void a_dead_region_is_removed_under_its_guests(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_event event;
    shmipc_peer *guest;
    struct living host = live_host(name.text);
    assert_int_equal(shmipc_guest_attach(name.text, NULL, 0, &guest), SHMIPC_OK);
    is_left_alone(name.text);
    kill_host(host);
    assert_int_equal(find(name.text).count, 1);
    assert_int_equal(shmipc_remove_dead_region(name.text), SHMIPC_OK);
    assert_int_equal(shmipc_next_event(guest, SHMIPC_FOREVER, &event), SHMIPC_OK);
    assert_int_equal(event.kind, SHMIPC_EVENT_DIED);
    shmipc_free(guest);
}

/* ---- Which ---- */

static void the_prefix_says_which(void **state) {
    (void)state;
    struct region_name base = new_name();
    char names[3][96];
    char prefix[96];
    const char *const endings[] = {".a1", ".a2", ".b"};
    for (int i = 0; i < 3; i++) {
        (void)snprintf(names[i], sizeof names[i], "%s%s", base.text, endings[i]);
        leave_dead_region(names[i]);
    }
    assert_true(shmipc_dead_regions(NULL, NULL, NULL) >= 3);
    assert_true(shmipc_dead_regions("", NULL, NULL) >= 3);
    assert_int_equal(find(base.text).count, 3);
    (void)snprintf(prefix, sizeof prefix, "%s.a", base.text);
    assert_int_equal(shmipc_remove_dead_regions(prefix), 2);
    assert_false(exists(names[0]));
    assert_false(exists(names[1]));
    assert_true(exists(names[2]));
    assert_int_equal(shmipc_remove_dead_regions(prefix), 0);
    assert_int_equal(shmipc_remove_dead_regions(base.text), 1);
    assert_false(exists(names[2]));
}

static void remove_found(void *context, const char *name) {
    (void)context;
    assert_int_equal(shmipc_remove_dead_region(name), SHMIPC_OK);
}

static void a_callback_may_remove_the_region_that_it_is_told_of(void **state) {
    (void)state;
    struct region_name name = new_name();
    leave_dead_region(name.text);
    assert_int_equal(shmipc_dead_regions(name.text, remove_found, NULL), 1);
    assert_false(exists(name.text));
}

/* ---- What is no region ---- */

/* The file stays, whichever way it is asked for. */
static void stays(const char *name, int error) {
    assert_int_equal(find(name).count, 0);
    assert_int_equal(shmipc_remove_dead_regions(name), 0);
    assert_int_equal(shmipc_remove_dead_region(name), error);
    assert_true(exists(name));
}

static void planted_stays(const void *header, uint64_t size, int error) {
    struct region_name name = new_name();
    assert_true(plant_object(name.text, header, size));
    stays(name.text, error);
    remove_planted(name.text);
}

static void a_file_that_is_no_region_stays(void **state) {
    (void)state;
    struct geometry g = {.host_slots = 2,
                         .guest_slots = 2,
                         .request_capacity = 64,
                         .response_capacity = 64,
                         .nonce = 1};
    struct header header = {.magic = 0};
    assert_true(shmi_geometry_compute(&g));
    planted_stays(&header, 0, SHMIPC_E_TRUNCATED);
    planted_stays(&header, 64, SHMIPC_E_NOT_READY);
    planted_stays("somebody else's notes, 64 bytes of them, that nobody may remove.", 64,
                  SHMIPC_E_NOT_A_REGION);
    shmi_header_write(&header, &g);
    planted_stays(&header, g.total_size, SHMIPC_E_NOT_READY);
    store_relaxed32(&header.ready, READY);
    header.version = PROTOCOL_VERSION - 1; /* whose hosts may hold other locks */
    planted_stays(&header, g.total_size, SHMIPC_E_VERSION);
    header.version = PROTOCOL_VERSION;
    header.total_size++;
    planted_stays(&header, g.total_size, SHMIPC_E_CORRUPT);
}

static void an_object_that_is_no_file_stays(void **state) {
    (void)state;
    struct region_name dead = new_name();
    struct region_name name = new_name();
    char path[256];
    char target[256];
    path_of(name.text, path);
    assert_int_equal(mkdir(path, 0700), 0);
    stays(name.text, SHMIPC_E_NOT_A_REGION);
    assert_int_equal(rmdir(path), 0);
    assert_int_equal(mkfifo(path, 0600), 0);
    stays(name.text, SHMIPC_E_NOT_A_REGION);
    assert_int_equal(unlink(path), 0);
    leave_dead_region(dead.text);
    path_of(dead.text, target);
    assert_int_equal(symlink(target, path), 0);
    stays(name.text, SHMIPC_E_NOT_A_REGION);
    assert_true(exists(dead.text));
    assert_int_equal(unlink(path), 0);
    assert_int_equal(shmipc_remove_dead_region(dead.text), SHMIPC_OK);
}

/* The pipe's reader would take a process that opens it for a writer, and see the end of the
   stream. */
static void a_search_opens_no_pipe(void **state) {
    (void)state;
    struct region_name name = new_name();
    char path[256];
    path_of(name.text, path);
    assert_int_equal(mkfifo(path, 0600), 0);
    struct pollfd reader = {.fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC), .events = POLLIN};
    assert_true(reader.fd >= 0);
    assert_int_equal(find(name.text).count, 0);
    assert_int_equal(shmipc_remove_dead_regions(name.text), 0);
    assert_int_equal(poll(&reader, 1, 0), 0);
    assert_int_equal(close(reader.fd), 0);
    assert_int_equal(unlink(path), 0);
}

static void another_users_region_stays(void **state) {
    enum { NOBODY = 65534 };
    (void)state;
    struct region_name name = new_name();
    char path[256];
    if (geteuid() != 0) {
        print_message("             not tried: only root can give a file away\n");
        skip();
    }
    leave_dead_region(name.text);
    path_of(name.text, path);
    assert_int_equal(chown(path, NOBODY, (gid_t)-1), 0);
    stays(name.text, SHMIPC_E_DENIED);
    assert_int_equal(unlink(path), 0);
}

static void names_are_checked(void **state) {
    (void)state;
    assert_int_equal(shmipc_remove_dead_region(NULL), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_remove_dead_region(""), SHMIPC_E_NAME);
    assert_int_equal(shmipc_remove_dead_region("../x"), SHMIPC_E_NAME);
    assert_int_equal(shmipc_dead_regions("../", note, NULL), 0);
}

/* ---- Failures ---- */

/* As many descriptors as are open, and `more`. */
static void limit_descriptors(unsigned more) {
    struct rlimit limit;
    int lowest = dup(0);
    assert_true(lowest >= 0);
    assert_int_equal(close(lowest), 0);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = (rlim_t)lowest + more;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
}

/* The directory takes one, each region another. */
static void too_few_descriptors_are_an_error_and_no_empty_list(void **state) {
    (void)state;
    struct region_name name = new_name();
    struct rlimit before;
    int results[3];
    leave_dead_region(name.text);
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    for (unsigned more = 0; more < 3; more++) {
        limit_descriptors(more);
        results[more] = shmipc_dead_regions(name.text, NULL, NULL);
        assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    }
    assert_int_equal(results[0], SHMIPC_E_NO_DESCRIPTORS);
    assert_int_equal(results[1], SHMIPC_E_NO_DESCRIPTORS);
    assert_int_equal(results[2], 1);
    assert_int_equal(shmipc_remove_dead_region(name.text), SHMIPC_OK);
}

static void a_file_that_is_passed_over_is_no_failure(void **state) {
    (void)state;
    struct region_name name = new_name();
    char text[600];
    assert_int_equal(shmipc_remove_dead_region("../x"), SHMIPC_E_NAME);
    (void)snprintf(text, sizeof text, "%s", shmipc_last_error());
    assert_true(plant_object(name.text, (const uint8_t[64]){0}, 64));
    assert_int_equal(find(name.text).count, 0);
    assert_int_equal(shmipc_remove_dead_regions(name.text), 0);
    assert_string_equal(shmipc_last_error(), text);
    remove_planted(name.text);
}

static void nothing_stays_open(void **state) {
    (void)state;
    struct region_name dead = new_name();
    struct region_name alive = new_name();
    struct living host = live_host(alive.text);
    leave_dead_region(dead.text);
    int descriptors = count_descriptors();
    for (int i = 0; i < 100; i++) {
        assert_int_equal(dead_of_this_process(), 1);
        assert_int_equal(shmipc_remove_dead_region(alive.text), SHMIPC_E_NAME_IN_USE);
    }
    assert_int_equal(shmipc_remove_dead_region(dead.text), SHMIPC_OK);
    assert_int_equal(count_descriptors(), descriptors);
    kill_host(host);
    assert_int_equal(shmipc_remove_dead_region(alive.text), SHMIPC_OK);
}

/* ---- The takeover lock ---- */

/* As held by another process that takes over or removes the region. Closed when a thread naps
   because the lock is held. */
static int others_lock = -1;
static unsigned naps;

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
int __real_nanosleep(const struct timespec *time, struct timespec *left);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left);
int __wrap_nanosleep(const struct timespec *time, struct timespec *left) {
    if (others_lock >= 0 && ++naps == 3) {
        (void)close(others_lock);
        others_lock = -1;
    }
    return __real_nanosleep(time, left);
}
/* NOLINTEND(bugprone-reserved-identifier) */

static int take_over(const char *name) {
    char path[256];
    struct flock lock = {.l_type = F_WRLCK,
                         .l_whence = SEEK_SET,
                         .l_start = (off_t)(INT64_C(1) << 62) + PEERS,
                         .l_len = 1};
    path_of(name, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(fcntl(fd, F_OFD_SETLK, &lock), 0);
    naps = 0;
    return fd;
}

static void a_creation_waits_for_a_removal_under_way(void **state) {
    (void)state;
    struct region_name name = new_name();
    const shmipc_host_config config = test_host_config();
    shmipc_peer *host;
    leave_dead_region(name.text);
    others_lock = take_over(name.text);
    assert_int_equal(shmipc_host_create(name.text, &config, &host), SHMIPC_OK);
    assert_int_equal(naps, 3);
    shmipc_free(host);
}

static void a_removal_waits_for_another(void **state) {
    (void)state;
    struct region_name name = new_name();
    leave_dead_region(name.text);
    others_lock = take_over(name.text);
    assert_int_equal(shmipc_remove_dead_region(name.text), SHMIPC_OK);
    assert_int_equal(naps, 3);
}

/* By a process that was stopped, say. */
static void a_lock_that_is_held_on_is_not_waited_for_for_ever(void **state) {
    (void)state;
    struct region_name name = new_name();
    const shmipc_host_config config = test_host_config();
    shmipc_peer *host;
    leave_dead_region(name.text);
    int held = take_over(name.text);
    assert_int_equal(shmipc_host_create(name.text, &config, &host), SHMIPC_E_NAME_IN_USE);
    assert_non_null(strstr(shmipc_last_error(), "being taken over"));
    assert_int_equal(shmipc_remove_dead_region(name.text), SHMIPC_E_NAME_IN_USE);
    assert_int_equal(find(name.text).count, 1);
    assert_int_equal(close(held), 0);
    assert_int_equal(shmipc_remove_dead_region(name.text), SHMIPC_OK);
}

/* ---- Between the look and the removal ---- */

static const char *wanted; /* a name that another host tries to get just before it is unlinked */
static int others_result;

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __wrap_unlink(const char *path) {
    const shmipc_host_config config = test_host_config();
    const char *name = wanted;
    shmipc_peer *host;
    wanted = NULL;
    if (name != NULL) {
        others_result = shmipc_host_create(name, &config, &host);
        /* A host that got the name would lose it now, and not be told. */
    }
    return __real_unlink(path);
}
/* NOLINTEND(bugprone-reserved-identifier) */

static void nobody_gets_a_name_that_is_about_to_be_removed(void **state) {
    (void)state;
    struct region_name name = new_name();
    leave_dead_region(name.text);
    wanted = name.text;
    assert_int_equal(shmipc_remove_dead_region(name.text), SHMIPC_OK);
    assert_null(wanted);
    assert_int_equal(others_result, SHMIPC_E_NAME_IN_USE);
    assert_false(exists(name.text));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_dead_hosts_region_is_listed_and_removed),
        watched_test(a_live_hosts_region_is_left_alone),
        watched_test(a_name_that_has_another_host_by_now_is_left_alone),
        watched_test(a_dead_region_is_removed_under_its_guests),
        watched_test(the_prefix_says_which),
        watched_test(a_callback_may_remove_the_region_that_it_is_told_of),
        watched_test(a_file_that_is_no_region_stays),
        watched_test(an_object_that_is_no_file_stays),
        watched_test(a_search_opens_no_pipe),
        watched_test(another_users_region_stays),
        watched_test(names_are_checked),
        watched_test(too_few_descriptors_are_an_error_and_no_empty_list),
        watched_test(a_file_that_is_passed_over_is_no_failure),
        watched_test(nothing_stays_open),
        watched_test(a_creation_waits_for_a_removal_under_way),
        watched_test(a_removal_waits_for_another),
        watched_test(a_lock_that_is_held_on_is_not_waited_for_for_ever),
        watched_test(nobody_gets_a_name_that_is_about_to_be_removed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
