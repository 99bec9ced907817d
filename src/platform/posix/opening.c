/*
 * The object's descriptor. The first opening takes our own lock and is mapped. Then its descriptor
 * is closed, so that only the mapping, which no child inherits, keeps the lock. A second opening of
 * the same file serves to test others' locks, and to take those of the dead. If other code closes
 * that descriptor, the file is opened again by its name.
 */
#define _GNU_SOURCE
#include "platform/posix/object.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum trouble { TROUBLE_NONE, TROUBLE_REOPENED, TROUBLE_BLIND };

int shmi_opening_first(struct object *o, const char *path, int flags, mode_t mode,
                       struct stat *status, bool *opened) {
    shmi_fork_hold();
    int fd = shmi_descriptor_open(path, flags | O_RDWR, mode);
    int os_error = errno;
    *opened = fd >= 0;
    if (fd >= 0 && fstat(fd, status) != 0) {
        os_error = errno;
        close(fd);
        fd = -1;
    }
    if (fd >= 0)
        o->file = identity_of(status);
    o->fd = fd;
    shmi_fork_release();
    errno = os_error;
    return fd;
}

/* ENOENT: the name no longer means our file. */
static int open_again(const struct object *o) {
    struct stat status;
    int fd = shmi_descriptor_open(o->path, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0)
        return fd;
    bool known = fstat(fd, &status) == 0;
    int os_error = known ? ENOENT : errno;
    if (known && is_file(&status, &o->file))
        return fd;
    close(fd);
    errno = os_error;
    return -1;
}

int shmi_object_settle(struct object *o) {
    shmi_fork_hold();
    int fd = open_again(o);
    int os_error = errno;
    if (fd >= 0) {
        shmi_descriptor_close(o->fd, &o->file);
        o->fd = fd;
        o->settled = true;
    }
    shmi_fork_release();
    errno = os_error;
    return fd >= 0 ? SHMIPC_OK : shmi_fail_call("second opening", o->path);
}

static void replace(struct object *o) {
    add_seq_cst32(&o->reopenings, 1);
    int fd = open_again(o);
    bool news = fd >= 0 || !o->blind;
    o->fd = fd;
    o->blind = fd < 0;
    if (news)
        store_relaxed32(&o->trouble, fd < 0 ? TROUBLE_BLIND : TROUBLE_REOPENED);
}

bool shmi_opening_regain(struct object *o) {
    shmi_fork_hold();
    if (o->settled && !shmi_descriptor_is(o->fd, &o->file))
        replace(o);
    bool ours = o->settled && !o->blind;
    shmi_fork_release();
    return ours;
}

const char *shmi_object_trouble(struct object *o) {
    if (load_relaxed32(&o->trouble) == TROUBLE_NONE)
        return NULL;
    switch (exchange_seq_cst32(&o->trouble, TROUBLE_NONE)) {
    case TROUBLE_REOPENED:
        return "somebody else closed the region's descriptor; it was opened again";
    case TROUBLE_BLIND:
        return "somebody else closed the region's descriptor, and the region cannot be opened "
               "again by its name: while that is so no death is noticed";
    default:
        return NULL;
    }
}
