/*
 * Peers' locks: open-file-description locks on bytes far behind the end of the memory. The kernel
 * drops them when the last descriptor and the last mapping of that opening are gone.
 */
#define _GNU_SOURCE
#include "object.h"

#include <errno.h>
#include <fcntl.h>

#define LOCK_OFFSET (INT64_C(1) << 62)

_Static_assert(sizeof(off_t) == sizeof(int64_t), "off_t must hold the locks' offsets");

static struct flock range(short type, uint32_t first, uint32_t count) {
    return (struct flock){.l_type = type,
                          .l_whence = SEEK_SET,
                          .l_start = (off_t)(LOCK_OFFSET + first),
                          .l_len = (off_t)count};
}

enum lock_verdict shmi_peer_lock(struct object *o, uint32_t peer) {
    struct flock lock = range(F_WRLCK, peer, 1);
    if (fcntl(o->fd, F_OFD_SETLK, &lock) != 0)
        return errno == EAGAIN || errno == EACCES ? LOCK_HELD : LOCK_ERROR;
    if (o->self == NO_PEER && peer < PEERS) /* nobody sleeps or wakes here before that */
        o->self = peer;
    return LOCK_TAKEN;
}

void shmi_peer_unlock(struct object *o, uint32_t peer) {
    struct flock lock = range(F_UNLCK, peer, 1);
    (void)fcntl(o->fd, F_OFD_SETLK, &lock);
}

bool shmi_any_peer_is_locked(struct object *o, uint32_t first, uint32_t count) {
    struct flock lock = range(F_WRLCK, first, count);
    return fcntl(o->fd, F_OFD_GETLK, &lock) != 0 || lock.l_type != F_UNLCK;
}

bool shmi_peer_is_locked(struct object *o, uint32_t peer) {
    return shmi_any_peer_is_locked(o, peer, 1);
}
