/*
 * Named memory: a file in /dev/shm. A new one has no name until it is complete, and a name is never
 * given to a second region in the same file; so whoever opens a name finds a complete region.
 */
#define _GNU_SOURCE
#include "object.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define DIRECTORY "/dev/shm"

static int error_of(int os_error) {
    switch (os_error) {
    case EMFILE:
    case ENFILE:
        return SHMIPC_E_NO_DESCRIPTORS;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return SHMIPC_E_NO_SPACE;
    case ENOMEM:
        return SHMIPC_E_NO_MEMORY;
    case EACCES:
    case EPERM:
        return SHMIPC_E_DENIED;
    case ENOENT:
        return SHMIPC_E_NOT_FOUND;
    case ELOOP: /* O_NOFOLLOW met a symbolic link */
    case ENXIO:
    case EISDIR:
        return SHMIPC_E_NOT_A_REGION;
    default:
        return SHMIPC_E_SYSTEM;
    }
}

static int fail_call(const char *call, const char *path) {
    int os_error = errno;
    return shmi_fail_os(error_of(os_error), os_error, "%s of %s: %s", call, path,
                        strerror(os_error));
}

static int object_new(const char *name, struct object **object) {
    struct object *o = calloc(1, sizeof *o);
    if (o == NULL)
        return shmi_fail(SHMIPC_E_NO_MEMORY, "no memory for the handle of region %s", name);
    o->fd = -1;
    o->self = NO_PEER;
    (void)snprintf(o->path, sizeof o->path, DIRECTORY "/shmipc.%s", name);
    o->name = o->path + sizeof DIRECTORY "/shmipc." - 1;
    int error = shmi_fork_watch(o);
    if (error)
        free(o);
    else
        *object = o;
    return error;
}

static void open_held(struct object *o, const char *path, int flags, mode_t mode) {
    shmi_fork_hold();
    o->fd = open(path, flags | O_RDWR | O_CLOEXEC, mode);
    shmi_fork_release();
}

static int allocate(const struct object *o, uint64_t size, bool lazy) {
    int result;
    do {
        result = lazy ? ftruncate(o->fd, (off_t)size) : fallocate(o->fd, 0, 0, (off_t)size);
    } while (result != 0 && errno == EINTR);
    if (result == 0)
        return SHMIPC_OK;
    int os_error = errno;
    return shmi_fail_os(error_of(os_error), os_error, "reserving %llu bytes in " DIRECTORY ": %s",
                        (unsigned long long)size, strerror(os_error));
}

static int create_unnamed(struct object *o, const struct geometry *geometry,
                          const struct object_rules *rules) {
    open_held(o, DIRECTORY, O_TMPFILE, (mode_t)rules->mode);
    if (o->fd < 0 && (errno == ENOENT || errno == EISDIR || errno == EOPNOTSUPP))
        return shmi_fail_os(SHMIPC_E_NOT_SUPPORTED, errno, DIRECTORY " is no tmpfs: %s",
                            strerror(errno));
    if (o->fd < 0)
        return fail_call("open", DIRECTORY);
    if (fchmod(o->fd, (mode_t)rules->mode) != 0) /* whatever the umask took away */
        return fail_call("chmod", o->path);
    int error = allocate(o, geometry->total_size, rules->lazy);
    return error ? error : shmi_object_map(o, geometry);
}

/* An unnamed file needs no nonce to be told from others. */
int shmi_object_create(const char *name, uint64_t nonce, const struct geometry *geometry,
                       const struct object_rules *rules, struct object **object) {
    struct object *o = NULL;
    (void)nonce;
    if (rules->sddl != NULL)
        return shmi_fail(SHMIPC_E_INVALID, "config.sddl is for Windows; here config.mode serves");
    int error = object_new(name, &o);
    if (error)
        return error;
    error = create_unnamed(o, geometry, rules);
    if (error) {
        shmi_object_close(o);
        return error;
    }
    *object = o;
    return SHMIPC_OK;
}

static bool means_same_file(const char *path, int fd) {
    struct stat by_path;
    struct stat by_fd;
    return lstat(path, &by_path) == 0 && fstat(fd, &by_fd) == 0 && by_path.st_ino == by_fd.st_ino &&
           by_path.st_dev == by_fd.st_dev;
}

/* Only the holder of a dead file's takeover lock unlinks it, so between the look and the unlink the
   name cannot come to mean another file. */
static int unlink_dead(const struct object *o) {
    if (means_same_file(o->path, o->fd) && unlink(o->path) != 0 && errno != ENOENT)
        return fail_call("unlink", o->path);
    return SHMIPC_OK;
}

static int open_existing(struct object *o) {
    open_held(o, o->path, O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
    if (o->fd < 0)
        return fail_call("open", o->path);
    struct stat status;
    if (fstat(o->fd, &status) != 0)
        return fail_call("stat", o->path);
    if (!S_ISREG(status.st_mode))
        return shmi_fail(SHMIPC_E_NOT_A_REGION, "%s is not a regular file (mode 0%o)", o->path,
                         (unsigned)status.st_mode);
    o->size = (uint64_t)status.st_size;
    return SHMIPC_OK;
}

static int replace_if_dead(struct object *squatter) {
    switch (shmi_peer_lock(squatter, TAKEOVER_LOCK)) {
    case LOCK_TAKEN:
        break;
    case LOCK_HELD:
        return shmi_fail(SHMIPC_E_NAME_IN_USE, "%s is being taken over", squatter->path);
    default:
        return fail_call("lock", squatter->path);
    }
    if (shmi_peer_is_locked(squatter, HOST_LOCK))
        return shmi_fail(SHMIPC_E_NAME_IN_USE, "%s belongs to a live host", squatter->path);
    return unlink_dead(squatter);
}

static int clear_name(const struct object *o) {
    struct object *squatter = NULL;
    int error = object_new(o->name, &squatter);
    if (error)
        return error;
    error = open_existing(squatter);
    if (error == SHMIPC_OK)
        error = replace_if_dead(squatter);
    shmi_object_close(squatter);
    return error == SHMIPC_E_NOT_FOUND ? SHMIPC_OK : error;
}

static int link_name(const struct object *o) {
    char self[64];
    (void)snprintf(self, sizeof self, "/proc/self/fd/%d", o->fd);
    if (linkat(AT_FDCWD, self, AT_FDCWD, o->path, AT_SYMLINK_FOLLOW) == 0)
        return SHMIPC_OK;
    /* Without /proc: needs a privilege, or a recent kernel. */
    if (errno == ENOENT && linkat(o->fd, "", AT_FDCWD, o->path, AT_EMPTY_PATH) == 0)
        return SHMIPC_OK;
    return errno == EEXIST ? SHMIPC_E_NAME_IN_USE : fail_call("link", o->path);
}

int shmi_object_publish(struct object *o) {
    for (;;) {
        int error = link_name(o);
        if (error != SHMIPC_E_NAME_IN_USE)
            return error;
        error = clear_name(o);
        if (error)
            return error;
    }
}

void shmi_object_unpublish(struct object *o) {
    if (o->fd >= 0 && means_same_file(o->path, o->fd))
        unlink(o->path);
}

static int check_trust(const struct object *o, const struct object_rules *rules) {
    struct stat status;
    if (fstat(o->fd, &status) != 0)
        return fail_call("stat", o->path);
    int64_t wanted = rules->owner == SHMIPC_OWNER_SELF ? (int64_t)geteuid() : rules->owner;
    if ((int64_t)status.st_uid != wanted)
        return shmi_fail(SHMIPC_E_DENIED, "%s is owned by user %lld, expected %lld", o->path,
                         (long long)status.st_uid, (long long)wanted);
    if ((status.st_mode & 07777 & ~(mode_t)rules->mode) != 0)
        return shmi_fail(SHMIPC_E_DENIED, "%s has mode 0%o, more than the 0%o allowed", o->path,
                         (unsigned)status.st_mode & 07777, (unsigned)rules->mode);
    return SHMIPC_OK;
}

int shmi_object_open(const char *name, const struct object_rules *rules, struct object **object) {
    struct object *o = NULL;
    int error = object_new(name, &o);
    if (error)
        return error;
    error = open_existing(o);
    if (error == SHMIPC_OK)
        error = check_trust(o, rules);
    if (error) {
        shmi_object_close(o);
        return error;
    }
    *object = o;
    return SHMIPC_OK;
}

static int map_held(struct object *o, size_t size) {
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, o->fd, 0);
    if (base == MAP_FAILED)
        return fail_call("mmap", o->path);
    o->base = base;
    o->size = size;
    return shmi_fork_keep_out(base, size);
}

int shmi_object_map(struct object *o, const struct geometry *geometry) {
    uint64_t size = geometry->total_size;
    if (o->size != 0 && o->size < size)
        return shmi_fail(SHMIPC_E_TRUNCATED, "%s has %llu bytes, its header says %llu", o->path,
                         (unsigned long long)o->size, (unsigned long long)size);
    if ((size_t)size != size)
        return shmi_fail(SHMIPC_E_NO_MEMORY, "%s has %llu bytes, this process can map %zu", o->path,
                         (unsigned long long)size, SIZE_MAX);
    shmi_fork_hold();
    int error = map_held(o, (size_t)size);
    shmi_fork_release();
    return error;
}

int shmi_object_read(struct object *o, void *to, size_t size) {
    ssize_t got = pread(o->fd, to, size, 0);
    if (got < 0)
        return fail_call("read", o->path);
    if ((size_t)got < size)
        return shmi_fail(SHMIPC_E_TRUNCATED, "%s has %lld bytes, a header has %zu", o->path,
                         (long long)got, size);
    return SHMIPC_OK;
}

void *shmi_object_base(const struct object *o) {
    return o->base;
}

bool shmi_object_has_name(const struct object *o) {
    struct stat status;
    return fstat(o->fd, &status) == 0 && status.st_nlink > 0;
}

void shmi_object_on_fork(struct object *o, void (*hook)(void *context), void *context) {
    o->fork_context = context;
    o->fork_hook = hook;
}

/* In a forked child base is NULL and fd is -1 already: whatever lies there now is not ours. */
void shmi_object_close(struct object *o) {
    if (o == NULL)
        return;
    shmi_fork_hold();
    shmi_fork_unwatch(o);
    if (o->base != NULL)
        munmap(o->base, (size_t)o->size);
    if (o->fd >= 0)
        close(o->fd);
    shmi_fork_release();
    free(o);
}
