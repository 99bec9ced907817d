/*
 * Shared memory: a file in /dev/shm, created without a name, or opened by its name.
 */
#define _GNU_SOURCE
#include "platform/posix/object.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

int shmi_object_new(const char *name, struct object **object) {
    struct object *o = calloc(1, sizeof *o);
    if (o == NULL)
        return shmi_fail(SHMIPC_E_NO_MEMORY, "no memory for the handle of region %s", name);
    o->fd = -1;
    o->self = NO_PEER;
    (void)snprintf(o->path, sizeof o->path, DIRECTORY "/" FILE_PREFIX "%s", name);
    o->name = o->path + sizeof DIRECTORY "/" FILE_PREFIX - 1;
    int error = shmi_fork_watch(o);
    if (error)
        free(o);
    else
        *object = o;
    return error;
}

static int create_unnamed(struct object *o, const struct geometry *geometry,
                          const struct object_rules *rules) {
    struct stat status;
    bool opened;
    int fd = shmi_opening_first(o, DIRECTORY, O_TMPFILE, (mode_t)rules->mode, &status, &opened);
    if (fd < 0 && opened)
        return shmi_fail_needed("fstat", DIRECTORY);
    if (fd < 0 && (errno == ENOENT || errno == EISDIR || errno == EOPNOTSUPP))
        return shmi_fail_os(SHMIPC_E_NOT_SUPPORTED, errno, DIRECTORY " is no tmpfs: %s",
                            strerror(errno));
    if (fd < 0)
        return shmi_fail_call("open", DIRECTORY);
    if (fchmod(fd, (mode_t)rules->mode) != 0) /* undo the umask */
        return shmi_fail_needed("fchmod", DIRECTORY);
    int error = shmi_reserve(o, geometry->total_size, rules->lazy);
    return error ? error : shmi_object_map(o, geometry);
}

int shmi_object_create(const char *name, const struct geometry *geometry,
                       const struct object_rules *rules, struct object **object) {
    struct object *o = NULL;
    if (rules->sddl != NULL)
        return shmi_fail(SHMIPC_E_INVALID, "config.sddl is for Windows; here config.mode serves");
    int error = shmi_object_new(name, &o);
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

/* For a file that may not be opened, the sentence names its owner. */
static int fail_open(const struct object *o) {
    int os_error = errno;
    struct stat status;
    if (os_error == EACCES && lstat(o->path, &status) == 0)
        return shmi_fail_os(
            SHMIPC_E_DENIED, os_error,
            "%s belongs to user %lld and has mode 0%o, this process is of user %lld", o->path,
            (long long)status.st_uid, (unsigned)status.st_mode & 07777, (long long)geteuid());
    errno = os_error;
    return shmi_fail_call("open", o->path);
}

int shmi_object_open_existing(struct object *o, struct stat *status) {
    bool opened;
    if (shmi_opening_first(o, o->path, O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0, status, &opened) < 0)
        return opened ? shmi_fail_needed("fstat", o->path) : fail_open(o);
    if (!S_ISREG(status->st_mode))
        return shmi_fail(SHMIPC_E_NOT_A_REGION, "%s is not a regular file (mode 0%o)", o->path,
                         (unsigned)status->st_mode);
    o->size = (uint64_t)status->st_size;
    return SHMIPC_OK;
}

static int check_trust(const struct object *o, const struct stat *status,
                       const struct object_rules *rules) {
    int64_t wanted = rules->owner == SHMIPC_OWNER_SELF ? (int64_t)geteuid() : rules->owner;
    if (rules->owner != OWNER_ANY && (int64_t)status->st_uid != wanted)
        return shmi_fail(SHMIPC_E_DENIED, "%s is owned by user %lld, expected %lld", o->path,
                         (long long)status->st_uid, (long long)wanted);
    if ((status->st_mode & 07777 & ~(mode_t)rules->mode) != 0)
        return shmi_fail(SHMIPC_E_DENIED, "%s has mode 0%o, more than the 0%o allowed", o->path,
                         (unsigned)status->st_mode & 07777, (unsigned)rules->mode);
    return SHMIPC_OK;
}

int shmi_object_open(const char *name, const struct object_rules *rules, struct object **object) {
    struct object *o = NULL;
    if (rules->owner_sid != NULL)
        return shmi_fail(SHMIPC_E_INVALID,
                         "config.owner_sid is for Windows; here config.owner serves");
    int error = shmi_object_new(name, &o);
    if (error)
        return error;
    struct stat status;
    error = shmi_object_open_existing(o, &status);
    if (error == SHMIPC_OK)
        error = check_trust(o, &status, rules);
    if (error) {
        shmi_object_close(o);
        return error;
    }
    *object = o;
    return SHMIPC_OK;
}

static int map_held(struct object *o, size_t size, uint64_t nonce) {
    void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, o->fd, 0);
    if (base == MAP_FAILED)
        return shmi_fail_call("mmap", o->path);
    o->base = base;
    o->size = size;
    o->nonce = nonce;
    if (!shmi_descriptor_is(o->fd, &o->file))
        return shmi_fail(SHMIPC_E_SYSTEM, "somebody else closed the descriptor of %s", o->path);
    return shmi_fork_keep_out(o);
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
    int error = map_held(o, (size_t)size, geometry->nonce);
    shmi_fork_release();
    return error;
}

int shmi_object_read(struct object *o, void *to, size_t size) {
    ssize_t got = pread(o->fd, to, size, 0);
    if (got < 0)
        return shmi_fail_call("read", o->path);
    if ((size_t)got < size)
        return shmi_fail(SHMIPC_E_TRUNCATED, "%s has %lld bytes, a header has %zu", o->path,
                         (long long)got, size);
    return SHMIPC_OK;
}

struct object_identity shmi_object_identity(const struct object *o) {
    return (struct object_identity){(uint64_t)o->file.device, (uint64_t)o->file.inode};
}

void *shmi_object_base(const struct object *o) {
    return o->base;
}

void shmi_object_on_fork(struct object *o, void (*hook)(void *context), void *context) {
    o->fork_context = context;
    o->fork_hook = hook;
}

/* In a forked child base is NULL and fd is -1 already: a mapping there now is not ours. */
void shmi_object_close(struct object *o) {
    if (o == NULL)
        return;
    shmi_fork_hold();
    shmi_fork_unwatch(o);
    if (o->base != NULL)
        munmap(o->base, (size_t)o->size);
    if (o->fd >= 0)
        shmi_descriptor_close(o->fd, &o->file);
    shmi_fork_release();
    free(o);
}
