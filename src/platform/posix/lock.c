/*
 * Peers' locks: open-file-description locks on bytes far behind the end of the memory. The kernel
 * drops them when the last descriptor and the last mapping of that opening are gone.
 *
 * An answer counts only if it was about our own file: other code in this process may have closed
 * the descriptor, so that its number means another file.
 */
#define _GNU_SOURCE
#include "platform/posix/object.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>

#define LOCK_OFFSET (INT64_C(1) << 62)

_Static_assert(sizeof(off_t) == sizeof(int64_t), "off_t must hold the locks' offsets");

static struct flock lock_of(uint32_t peer, short type) {
    return (struct flock){
        .l_type = type, .l_whence = SEEK_SET, .l_start = (off_t)(LOCK_OFFSET + peer), .l_len = 1};
}

/* The descriptor at one moment, and how often it had been replaced. */
struct opening {
    int fd;
    uint32_t reopenings;
};

static struct opening opening_now(const struct object *o) {
    /* Acquire: reads the descriptor after the count; pairs with the count in opening.c. */
    uint32_t reopenings = load_acquire32(&o->reopenings);
    return (struct opening){o->fd, reopenings};
}

/* Called after a lock call: true if it was about our file. A lost number may be ours again by now,
   but then `reopenings` has changed. */
static bool was_ours(const struct object *o, struct opening opening) {
    return shmi_descriptor_is(opening.fd, &o->file) &&
           load_acquire32(&o->reopenings) == opening.reopenings;
}

static enum lock_verdict take(struct object *o, uint32_t peer) {
    struct flock lock = lock_of(peer, F_WRLCK);
    struct opening opening = opening_now(o);
    if (fcntl(opening.fd, F_OFD_SETLK, &lock) != 0)
        return errno == EAGAIN || errno == EACCES ? LOCK_HELD : LOCK_ERROR;
    if (was_ours(o, opening))
        return LOCK_TAKEN;
    lock.l_type = F_UNLCK;
    (void)fcntl(opening.fd, F_OFD_SETLK, &lock);
    errno = EBADF;
    return LOCK_ERROR;
}

enum lock_verdict shmi_peer_lock(struct object *o, uint32_t peer) {
    if (!shmi_descriptor_is(o->fd, &o->file) && !shmi_opening_regain(o)) {
        errno = EBADF;
        return LOCK_ERROR;
    }
    enum lock_verdict verdict = take(o, peer);
    if (verdict == LOCK_TAKEN && o->self == NO_PEER && peer < PEERS)
        o->self = peer; /* no thread sleeps or wakes here before that */
    return verdict;
}

int shmi_fail_lock(const struct object *o, uint32_t peer) {
    (void)peer;
    return shmi_fail_needed("fcntl(F_OFD_SETLK)", o->path);
}

/* Accepts any answer. Taking the own lock later shows that locks can be taken. */
int shmi_lock_try(const struct object *o) {
    struct flock lock = lock_of(HOST_LOCK, F_WRLCK);
    if (fcntl(o->fd, F_OFD_GETLK, &lock) == 0)
        return SHMIPC_OK;
    return shmi_fail_needed("fcntl(F_OFD_GETLK)", o->path);
}

void shmi_peer_unlock(struct object *o, uint32_t peer) {
    struct flock lock = lock_of(peer, F_UNLCK);
    int fd = o->fd;
    if (shmi_descriptor_is(fd, &o->file))
        (void)fcntl(fd, F_OFD_SETLK, &lock);
}

enum answer { FREE, HELD, NO_ANSWER };

static enum answer ask(const struct object *o, uint32_t peer) {
    struct flock lock = lock_of(peer, F_WRLCK);
    struct opening opening = opening_now(o);
    if (fcntl(opening.fd, F_OFD_GETLK, &lock) != 0 || !was_ours(o, opening))
        return NO_ANSWER;
    return lock.l_type == F_UNLCK ? FREE : HELD;
}

/* The mapping's opening holds the own lock, so this opening would see it as another process's. */
bool shmi_peer_is_locked(struct object *o, uint32_t peer) {
    if (peer == o->self)
        return false;
    enum answer answer = ask(o, peer);
    if (answer == NO_ANSWER && shmi_opening_regain(o))
        answer = ask(o, peer);
    return answer != FREE;
}
