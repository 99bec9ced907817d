/*
 * Locks by a descriptor that other code closes at any moment, so that its number means another
 * file.
 */
#define _GNU_SOURCE
#include "support/fixture.h"

#include "peer/peer.h"
#include "platform/posix/object.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SOME_PEER = 5 };

/* ---- Between the library's look and its lock; named for the linker ---- */

static struct object *lost_in_the_middle;

int real_fcntl(int fd, int command, void *argument) __asm__("__real_fcntl");
int test_fcntl(int fd, int command, void *argument) __asm__("__wrap_fcntl");

/* A file of our own takes the descriptor's place. */
static void lose_descriptor(struct object *o) {
    FILE *file = tmpfile();
    must(file != NULL);
    must_equal(dup3(fileno(file), o->fd, O_CLOEXEC), o->fd);
    (void)fclose(file);
}

int test_fcntl(int fd, int command, void *argument) {
    struct object *o = lost_in_the_middle;
    lost_in_the_middle = NULL;
    if (o != NULL)
        lose_descriptor(o);
    return real_fcntl(fd, command, argument);
}

/* ---- Helpers ---- */

static struct flock lock_of(short type) {
    return (struct flock){.l_type = type,
                          .l_whence = SEEK_SET,
                          .l_start = (off_t)(INT64_C(1) << 62) + SOME_PEER,
                          .l_len = 1};
}

static bool is_locked_in(const char *path) {
    struct flock lock = lock_of(F_WRLCK);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    must(fd >= 0);
    must_equal(fcntl(fd, F_OFD_GETLK, &lock), 0);
    must_equal(close(fd), 0);
    return lock.l_type != F_UNLCK;
}

static bool is_locked_through(int fd) {
    char path[64];
    (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    return is_locked_in(path);
}

struct host {
    struct region_name name;
    shmipc_peer *peer;
    struct object *object;
    int number; /* of its descriptor, at first */
};

static struct host host_open(void) {
    const shmipc_host_config config = test_host_config();
    struct host host = {.name = new_name()};
    must_equal(shmipc_host_create(host.name.text, &config, &host.peer), SHMIPC_OK);
    host.object = host.peer->region.object;
    host.number = host.object->fd;
    return host;
}

/* What took the descriptor's place is still there, without a lock. */
static void host_close(const struct host *host) {
    assert_false(is_locked_through(host->number));
    shmipc_free(host->peer);
    assert_int_equal(close(host->number), 0);
}

/* ---- Tests ---- */

static void a_lock_is_taken_in_no_other_file(void **state) {
    (void)state;
    struct host host = host_open();
    lose_descriptor(host.object);
    assert_int_equal(shmi_peer_lock(host.object, SOME_PEER), LOCK_TAKEN);
    assert_true(is_locked_in(host.object->path));
    shmi_peer_unlock(host.object, SOME_PEER);
    assert_false(is_locked_in(host.object->path));
    host_close(&host);
}

static void a_lock_that_was_taken_in_another_file_is_given_back(void **state) {
    (void)state;
    struct host host = host_open();
    lost_in_the_middle = host.object;
    assert_int_equal(shmi_peer_lock(host.object, SOME_PEER), LOCK_ERROR);
    assert_null(lost_in_the_middle);
    assert_false(is_locked_in(host.object->path));
    host_close(&host);
}

static void nothing_is_unlocked_in_another_file(void **state) {
    (void)state;
    struct host host = host_open();
    struct flock lock = lock_of(F_WRLCK);
    struct flock unlock = lock_of(F_UNLCK);
    lose_descriptor(host.object);
    assert_int_equal(fcntl(host.number, F_OFD_SETLK, &lock), 0);
    shmi_peer_unlock(host.object, SOME_PEER);
    assert_true(is_locked_through(host.number));
    assert_int_equal(fcntl(host.number, F_OFD_SETLK, &unlock), 0);
    host_close(&host);
}

static void an_answer_about_another_file_is_not_believed(void **state) {
    (void)state;
    struct host host = host_open();
    shmipc_peer *guest;
    assert_int_equal(shmipc_guest_attach(host.name.text, NULL, 0, &guest), SHMIPC_OK);
    lost_in_the_middle = host.object;
    assert_true(shmi_peer_is_locked(host.object, 1));
    assert_null(lost_in_the_middle);
    assert_int_not_equal(host.object->fd, host.number);
    shmipc_free(guest);
    assert_false(shmi_peer_is_locked(host.object, 1));
    host_close(&host);
}

/* Without a descriptor to be had. */
static bool has_name_without_descriptors(struct object *o) {
    struct rlimit before;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {.rlim_cur = 0, .rlim_max = before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    bool has_name = shmi_object_has_name(o);
    assert_true(shmi_peer_is_locked(o, SOME_PEER)); /* it cannot be told */
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    return has_name;
}

static void a_name_is_looked_at_without_the_descriptor(void **state) {
    (void)state;
    struct host host = host_open();
    char path[256];
    lose_descriptor(host.object);
    assert_true(has_name_without_descriptors(host.object));
    path_of(host.name.text, path);
    assert_int_equal(unlink(path), 0);
    assert_false(has_name_without_descriptors(host.object));
    assert_false(shmi_object_has_name(host.object));
    host_close(&host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_lock_is_taken_in_no_other_file),
        watched_test(a_lock_that_was_taken_in_another_file_is_given_back),
        watched_test(nothing_is_unlocked_in_another_file),
        watched_test(an_answer_about_another_file_is_not_believed),
        watched_test(a_name_is_looked_at_without_the_descriptor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
