/*
 * A peer's descriptor for event loops: an epoll instance, which is readable while one of two others
 * is. One is a FIFO beside the region, to which whoever signals the peer writes a byte. It is opened
 * anew for each signal: so there is no descriptor to keep for each peer, nor one that might mean a
 * former peer's FIFO. The other is a timer.
 */
#define _GNU_SOURCE
#include "platform/posix/object.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

struct fifo_path {
    char text[64];
};

struct pollable {
    struct object *object; /* NULL once it is closed */
    int fifo;
    int timer;
    int epoll;
    struct identity file; /* the FIFO's */
    uint64_t until;       /* when the timer expires */
    struct fifo_path path;
};

static struct fifo_path path_of(uint64_t nonce, uint32_t peer) {
    struct fifo_path path;
    (void)snprintf(path.text, sizeof path.text, DIRECTORY "/shmipc-%016llx-ready-%u",
                   (unsigned long long)nonce, (unsigned)peer);
    return path;
}

void shmi_pollable_remove_names(uint64_t nonce) {
    for (uint32_t peer = 0; peer < PEERS; peer++)
        (void)unlink(path_of(nonce, peer).text);
}

/* ---- Signalling ---- */

/* Also for reading: a FIFO that nobody else has open any more would raise SIGPIPE. */
static int open_fifo(const char *path) {
    return open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC);
}

/* Whoever may open the region could have put another file there, which must not be written to. */
static bool is_fifo(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode);
}

/* A FIFO that is full is ready already. */
void shmi_object_signal(struct object *o, uint32_t peer) {
    const int os_error = errno;
    int fd = open_fifo(path_of(o->nonce, peer).text);
    if (fd >= 0) {
        if (is_fifo(fd))
            (void)!write(fd, "", 1);
        close(fd);
    }
    errno = os_error;
}

/* ---- Making the descriptor ---- */

/* Everybody who may open the region may signal: the FIFO gets its owner, group and mode, as far as
   this process may give them. */
static void share_as(int fifo, const struct stat *region) {
    if (fchown(fifo, region->st_uid, region->st_gid) != 0)
        (void)!fchown(fifo, (uid_t)-1, region->st_gid);
    (void)fchmod(fifo, region->st_mode & 0777);
}

/* The index's former owner may have died, and left its FIFO. Another user's cannot be removed; it
   serves as well. */
static int make_fifo(struct pollable *p, const struct stat *region) {
    (void)unlink(p->path.text);
    bool made = mkfifo(p->path.text, 0600) == 0;
    if (!made && errno != EEXIST)
        return shmi_fail_call("mkfifo", p->path.text);
    p->fifo = shmi_descriptor_above_standard(open_fifo(p->path.text));
    struct stat status;
    if (p->fifo < 0 || fstat(p->fifo, &status) != 0)
        return shmi_fail_call("open", p->path.text);
    if (!S_ISFIFO(status.st_mode))
        return shmi_fail(SHMIPC_E_DENIED, "%s is no FIFO (mode 0%o)", p->path.text,
                         (unsigned)status.st_mode);
    p->file = identity_of(&status);
    if (made)
        share_as(p->fifo, region);
    return SHMIPC_OK;
}

static int watch(const struct pollable *p, int fd) {
    struct epoll_event event = {.events = EPOLLIN};
    if (epoll_ctl(p->epoll, EPOLL_CTL_ADD, fd, &event) == 0)
        return SHMIPC_OK;
    return shmi_fail_call("epoll_ctl", p->path.text);
}

static int make_epoll(struct pollable *p) {
    p->timer =
        shmi_descriptor_above_standard(timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK));
    if (p->timer < 0)
        return shmi_fail_needed("timerfd_create", p->path.text);
    p->epoll = shmi_descriptor_above_standard(epoll_create1(EPOLL_CLOEXEC));
    if (p->epoll < 0)
        return shmi_fail_needed("epoll_create1", p->path.text);
    int error = watch(p, p->fifo);
    return error ? error : watch(p, p->timer);
}

static int make(struct pollable *p) {
    struct stat region;
    if (fstat(p->object->fd, &region) != 0)
        return shmi_fail_call("fstat", p->object->path);
    int error = make_fifo(p, &region);
    return error ? error : make_epoll(p);
}

static void discard(struct pollable *p) {
    const int fds[] = {p->epoll, p->timer, p->fifo};
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    (void)unlink(p->path.text);
    free(p);
}

int shmi_pollable_open(struct object *o, struct pollable **pollable) {
    struct pollable *p = calloc(1, sizeof *p);
    if (p == NULL)
        return shmi_fail(SHMIPC_E_NO_MEMORY, "no memory for the descriptor of region %s", o->name);
    *p = (struct pollable){.object = o,
                           .fifo = -1,
                           .timer = -1,
                           .epoll = -1,
                           .until = CLOCK_NEVER,
                           .path = path_of(o->nonce, o->self)};
    shmi_fork_hold();
    int error = make(p);
    if (error)
        discard(p);
    else
        *pollable = o->pollable = p;
    shmi_fork_release();
    return error;
}

/* ---- Using it ---- */

shmipc_fd shmi_pollable_fd(const struct pollable *p) {
    return p->epoll;
}

static bool fifo_is_ours(const struct pollable *p) {
    return p->fifo >= 0 && shmi_descriptor_is(p->fifo, &p->file);
}

/* All instances of epoll, and all timers, share one inode. But a descriptor that epoll knows is the
   very one that was added: what is asked for is what holds already. */
static bool epoll_knows(const struct pollable *p, int fd) {
    struct epoll_event event = {.events = EPOLLIN};
    return p->epoll >= 0 && fd >= 0 && epoll_ctl(p->epoll, EPOLL_CTL_MOD, fd, &event) == 0;
}

static struct itimerspec at(uint64_t time) {
    if (time == CLOCK_NEVER)
        return (struct itimerspec){.it_value = {.tv_sec = 0}};
    return (struct itimerspec){.it_value = {.tv_sec = (time_t)(time / 1000000000u),
                                            .tv_nsec = (long)(time % 1000000000u)}};
}

/* Setting the timer also makes it not readable. */
static void set_timer(struct pollable *p, uint64_t until) {
    const struct itimerspec when = at(until);
    if (until == p->until || !fifo_is_ours(p) || !epoll_knows(p, p->fifo) ||
        !epoll_knows(p, p->timer))
        return;
    if (timerfd_settime(p->timer, TFD_TIMER_ABSTIME, &when, NULL) == 0)
        p->until = until;
}

void shmi_pollable_clear(struct pollable *p, uint64_t until) {
    char bytes[64];
    if (fifo_is_ours(p)) {
        while (read(p->fifo, bytes, sizeof bytes) == (ssize_t)sizeof bytes) {
        }
    }
    set_timer(p, until);
}

/* ---- Closing it ---- */

static void close_held(const struct pollable *p) {
    bool ours = fifo_is_ours(p) && epoll_knows(p, p->fifo);
    if (ours && epoll_knows(p, p->timer))
        close(p->timer);
    if (ours)
        close(p->epoll);
    if (fifo_is_ours(p))
        close(p->fifo);
}

/* In the child the epoll instance is the parent's too: only the child's numbers go. */
void shmi_pollable_forget(struct pollable *p) {
    if (p == NULL)
        return;
    close_held(p);
    p->fifo = p->timer = p->epoll = -1;
}

void shmi_pollable_orphan(struct pollable *p) {
    if (p != NULL)
        p->object = NULL;
}

static void remove_name(const struct pollable *p) {
    struct stat status;
    if (p->fifo >= 0 && lstat(p->path.text, &status) == 0 && is_file(&status, &p->file))
        (void)unlink(p->path.text);
}

void shmi_pollable_close(struct pollable *p) {
    if (p == NULL)
        return;
    shmi_fork_hold();
    remove_name(p);
    close_held(p);
    if (p->object != NULL)
        p->object->pollable = NULL;
    shmi_fork_release();
    free(p);
}
