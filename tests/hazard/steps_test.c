/*
 * Every system call and allocation of create and attach fails in turn. Whatever fails, the result
 * is an error, nothing is left behind, and the next try succeeds. The linker hands the library's
 * calls to the __wrap_ functions here.
 */
#define _GNU_SOURCE
#include "hazard/peers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- Failing one step ---- */

static unsigned steps;
static unsigned failing_step; /* 0: none */

static bool fails(int error) {
    if (failing_step == 0 || ++steps != failing_step)
        return false;
    errno = error;
    return true;
}

#define WRAP(type, name, failed, error, parameters, arguments)                                     \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters {                                                                \
        if (fails(error))                                                                          \
            return failed;                                                                         \
        return __real_##name arguments;                                                            \
    }

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
WRAP(void *, calloc, NULL, ENOMEM, (size_t count, size_t size), (count, size))
WRAP(void *, aligned_alloc, NULL, ENOMEM, (size_t line, size_t size), (line, size))
WRAP(int, fallocate, -1, ENOSPC, (int fd, int mode, off_t from, off_t size), (fd, mode, from, size))
WRAP(int, ftruncate, -1, EIO, (int fd, off_t size), (fd, size))
WRAP(int, fchmod, -1, EPERM, (int fd, mode_t mode), (fd, mode))
WRAP(void *, mmap, MAP_FAILED, ENOMEM,
     (void *at, size_t size, int protection, int flags, int fd, off_t from),
     (at, size, protection, flags, fd, from))
WRAP(int, madvise, -1, EINVAL, (void *at, size_t size, int advice), (at, size, advice))
WRAP(int, linkat, -1, EMLINK, (int from, const char *old, int to, const char *path, int flags),
     (from, old, to, path, flags))
WRAP(int, unlink, -1, EPERM, (const char *path), (path))
WRAP(int, fstat, -1, EIO, (int fd, struct stat *status), (fd, status))
WRAP(int, lstat, -1, EIO, (const char *path, struct stat *status), (path, status))
WRAP(ssize_t, pread, -1, EIO, (int fd, void *to, size_t size, off_t from), (fd, to, size, from))

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, mode_t mode);
int __wrap_open(const char *path, int flags, mode_t mode) {
    return fails(EMFILE) ? -1 : __real_open(path, flags, mode);
}

int __real_fcntl(int fd, int command, ...);
int __wrap_fcntl(int fd, int command, void *argument);
int __wrap_fcntl(int fd, int command, void *argument) {
    return fails(ENOLCK) ? -1 : __real_fcntl(fd, command, argument);
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* ---- Sweeping ---- */

struct belongings {
    int descriptors;
    int mappings;
    int regions;
};

static struct belongings look(void) {
    return (struct belongings){count_descriptors(), count_mappings(), count_regions()};
}

static void nothing_is_left_since(struct belongings before) {
    struct belongings now = look();
    must_equal(now.descriptors, before.descriptors);
    must_equal(now.mappings, before.mappings);
    must(now.regions <= before.regions); /* what a dead host left may be gone already */
}

static bool is_ours(int error) {
    return error == SHMIPC_E_NO_MEMORY || error == SHMIPC_E_SYSTEM ||
           error == SHMIPC_E_NOT_SUPPORTED || error == SHMIPC_E_NO_DESCRIPTORS ||
           error == SHMIPC_E_NO_SPACE || error == SHMIPC_E_DENIED || error == SHMIPC_E_NOT_FOUND ||
           error == SHMIPC_E_NAME_IN_USE;
}

typedef int (*joining)(const char *name, shmipc_peer **peer);

static int create(const char *name, shmipc_peer **peer) {
    const shmipc_host_config config = test_host_config();
    return shmipc_host_create(name, &config, peer);
}

static int create_lazily(const char *name, shmipc_peer **peer) {
    shmipc_host_config config = test_host_config();
    config.flags = SHMIPC_LAZY;
    return shmipc_host_create(name, &config, peer);
}

static int attach(const char *name, shmipc_peer **peer) {
    const shmipc_guest_config config = test_guest_config();
    return shmipc_guest_attach(name, &config, 0, peer);
}

/* How many steps there were; `prepare` comes before each try, and everything is as it was before
   after each. */
static unsigned sweep(joining join, const char *name, void (*prepare)(const char *name)) {
    shmipc_peer *peer;
    for (unsigned step = 1;; step++) {
        prepare(name);
        struct belongings before = look();
        steps = 0;
        failing_step = step;
        int error = join(name, &peer);
        failing_step = 0;
        if (error == SHMIPC_OK && steps < step) {
            shmipc_free(peer);
            return steps;
        }
        if (error == SHMIPC_OK) { /* it could do without */
            shmipc_free(peer);
            continue;
        }
        must(is_ours(error));
        must(peer == NULL);
        must(shmipc_last_error()[0] != 0);
        nothing_is_left_since(before);
    }
}

static void prepare_nothing(const char *name) {
    (void)name;
}

/* An empty file is what a host that died early in its creation might have left. */
static void prepare_remains(const char *name) {
    char path[256];
    path_of(name, path);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    must(fd >= 0);
    must_equal(close(fd), 0);
}

static void test_each_step_of_create_may_fail(void **state) {
    (void)state;
    must(sweep(create, new_name().text, prepare_nothing) >= 8);
}

static void test_each_step_of_a_lazy_create_may_fail(void **state) {
    (void)state;
    must(sweep(create_lazily, new_name().text, prepare_nothing) >= 8);
}

static void test_each_step_of_a_takeover_may_fail(void **state) {
    char path[256];
    struct region_name name = new_name();
    (void)state;
    must(sweep(create, name.text, prepare_remains) >= 14);
    path_of(name.text, path);
    must(access(path, F_OK) != 0);
}

static void test_each_step_of_attach_may_fail(void **state) {
    shmipc_host_config config = test_host_config();
    struct region_name name = new_name();
    shmipc_peer *host;
    shmipc_event event;
    (void)state;
    must_equal(shmipc_host_create(name.text, &config, &host), 0);
    must(sweep(attach, name.text, prepare_nothing) >= 10);
    /* An attempt that failed was no peer that died. */
    while (shmipc_next_event(host, 0, &event) == SHMIPC_OK)
        must(event.kind != SHMIPC_EVENT_DIED);
    shmipc_free(host);
}

HAZARD_MAIN("steps", hazard_test(test_each_step_of_create_may_fail),
            hazard_test(test_each_step_of_a_lazy_create_may_fail),
            hazard_test(test_each_step_of_a_takeover_may_fail),
            hazard_test(test_each_step_of_attach_may_fail))
