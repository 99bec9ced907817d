/*
 * A peer's descriptor for event loops: an epoll instance, which is readable while one of others is.
 * The first is a FIFO beside the region, to which a peer that signals this one writes a byte. It is
 * opened anew for each signal: so there is no descriptor to keep for each peer, nor one that might
 * mean a former peer's FIFO. The second is a timer, the third a pidfd.
 */
#define _GNU_SOURCE
#include "platform/linux/epoll.h"
#include "platform/posix/object.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct fifo_path {
    char text[64];
};

struct pollable {
    struct pollable *next; /* of all of this process; written while fork is held */
    int fifo;
    int timer;
    int process; /* a pidfd; -1: no process is watched */
    int epoll;
    struct identity file; /* the FIFO's */
    uint64_t until;       /* when the timer expires */
    uint64_t check_at;    /* when to look again whether timer and epoll are ours */
    struct fifo_path path;
};

static struct pollable *pollables;

/* ---- The FIFO's name ---- */

/* By hand, since snprintf is not for signal handlers. */
static struct fifo_path path_of(uint64_t nonce, uint32_t peer) {
    struct fifo_path path = {.text = DIRECTORY "/shmipc-"};
    char *to = path.text + strlen(path.text);
    for (int shift = 60; shift >= 0; shift -= 4)
        *to++ = "0123456789abcdef"[nonce >> shift & 15];
    for (const char *from = "-ready-"; *from != '\0'; from++)
        *to++ = *from;
    if (peer >= 10)
        *to++ = (char)('0' + peer / 10);
    *to = (char)('0' + peer % 10);
    return path;
}

static void remove_name(const struct pollable *p) {
    struct stat status;
    if (p->fifo >= 0 && lstat(p->path.text, &status) == 0 && is_file(&status, &p->file))
        (void)unlink(p->path.text);
}

void shmi_pollable_remove_names(uint64_t nonce) {
    for (uint32_t peer = 0; peer < PEERS; peer++)
        (void)unlink(path_of(nonce, peer).text);
}

void shmi_object_unready(struct object *o) {
    const struct fifo_path own = path_of(o->nonce, o->self);
    shmi_fork_hold();
    if (o->self == HOST_LOCK)
        shmi_pollable_remove_names(o->nonce);
    for (const struct pollable *p = pollables; p != NULL; p = p->next) {
        if (strcmp(p->path.text, own.text) == 0)
            remove_name(p);
    }
    shmi_fork_release();
}

/* ---- Signalling ---- */

/* Also for reading: a FIFO that nobody else has open any more would raise SIGPIPE. */
static int open_fifo(const char *path) {
    return shmi_descriptor_open(path, O_RDWR | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY, 0);
}

/* Whoever may open the region could have put another file there, or another name of a FIFO that
   means something else, which must not be written to. */
static bool is_fifo(int fd) {
    struct stat status;
    return fstat(fd, &status) == 0 && S_ISFIFO(status.st_mode) && status.st_nlink == 1;
}

/* A FIFO that is full is ready already. */
static bool put_byte(int fifo) {
    return write(fifo, "", 1) == 1 || errno == EAGAIN;
}

bool shmi_object_signal(struct object *o, uint32_t peer) {
    const int os_error = errno;
    const int cancellation = shmi_cancellation_off();
    int fd = open_fifo(path_of(o->nonce, peer).text);
    bool signalled = fd >= 0 && is_fifo(fd) && put_byte(fd);
    if (fd >= 0)
        close(fd);
    shmi_cancellation_restore(cancellation);
    errno = os_error;
    return signalled;
}

/* ---- Making the descriptor ---- */

/* Everybody who may open the region may signal: the FIFO gets its owner, group and mode, as far as
   this process may give them. A group that may not be given has no rights. */
static void share_as(int fifo, const struct stat *region) {
    mode_t mode = region->st_mode & 0777;
    if (fchown(fifo, region->st_uid, region->st_gid) != 0 &&
        fchown(fifo, (uid_t)-1, region->st_gid) != 0)
        mode &= ~(mode_t)S_IRWXG;
    (void)fchmod(fifo, mode);
}

static int fail_open(const char *path) {
    int os_error = errno;
    struct stat status;
    if (lstat(path, &status) == 0 && !S_ISFIFO(status.st_mode))
        return shmi_fail_os(SHMIPC_E_DENIED, os_error, "%s is no FIFO (mode 0%o)", path,
                            (unsigned)status.st_mode);
    errno = os_error;
    return shmi_fail_call("open", path);
}

/* The index's former owner may have died, and left its FIFO. Another user's cannot be removed; it
   serves as well. */
static int make_fifo(struct pollable *p, const struct stat *region) {
    (void)unlink(p->path.text);
    bool made = mkfifo(p->path.text, 0600) == 0;
    if (!made && errno != EEXIST)
        return shmi_fail_needed("mkfifo", p->path.text);
    p->fifo = open_fifo(p->path.text);
    struct stat status;
    if (p->fifo < 0 || fstat(p->fifo, &status) != 0 || !S_ISFIFO(status.st_mode)) {
        int error = fail_open(p->path.text);
        if (made)
            (void)unlink(p->path.text);
        return error;
    }
    p->file = identity_of(&status);
    if (made)
        share_as(p->fifo, region);
    return SHMIPC_OK;
}

static int make_epoll(struct pollable *p) {
    p->timer = shmi_descriptor_make(shmi_timer_create, NULL);
    if (p->timer < 0)
        return shmi_fail_needed("timerfd_create", p->path.text);
    p->epoll = shmi_descriptor_make(shmi_epoll_create, NULL);
    if (p->epoll < 0)
        return shmi_fail_needed("epoll_create1", p->path.text);
    if (!shmi_epoll_add(p->epoll, p->fifo) || !shmi_epoll_add(p->epoll, p->timer))
        return shmi_fail_call("epoll_ctl", p->path.text);
    return SHMIPC_OK;
}

static void discard(struct pollable *p) {
    const int fds[] = {p->epoll, p->timer, p->fifo};
    remove_name(p);
    for (size_t i = 0; i < sizeof fds / sizeof *fds; i++) {
        if (fds[i] >= 0)
            close(fds[i]);
    }
    free(p);
}

static int make(struct pollable *p, const struct stat *region) {
    shmi_fork_hold();
    int error = make_fifo(p, region);
    if (error == SHMIPC_OK)
        error = make_epoll(p);
    if (error) {
        discard(p);
    } else {
        p->next = pollables;
        pollables = p;
    }
    shmi_fork_release();
    return error;
}

/* Other code may have closed the region's descriptor. */
static int stat_region(struct object *o, struct stat *region) {
    if (shmi_opening_regain(o) && fstat(o->fd, region) == 0 && is_file(region, &o->file))
        return SHMIPC_OK;
    return shmi_fail(SHMIPC_E_SYSTEM, "%s cannot be opened again to see whom it is for", o->path);
}

int shmi_pollable_open(struct object *o, struct pollable **pollable) {
    struct stat region;
    int error = stat_region(o, &region);
    if (error)
        return error;
    struct pollable *p = calloc(1, sizeof *p);
    if (p == NULL)
        return shmi_fail(SHMIPC_E_NO_MEMORY, "no memory for the descriptor of region %s", o->name);
    *p = (struct pollable){.fifo = -1,
                           .timer = -1,
                           .process = -1,
                           .epoll = -1,
                           .until = CLOCK_NEVER,
                           .path = path_of(o->nonce, o->self)};
    error = make(p, &region);
    if (error == SHMIPC_OK)
        *pollable = p;
    return error;
}

/* ---- Using it ---- */

shmipc_fd shmi_pollable_fd(const struct pollable *p) {
    return p->epoll;
}

static bool fifo_is_ours(const struct pollable *p) {
    return p->fifo >= 0 && shmi_descriptor_is(p->fifo, &p->file);
}

static bool epoll_knows(const struct pollable *p, int fd) {
    return shmi_epoll_knows(p->epoll, fd);
}

/* For a FIFO that is ours: whether epoll instance and timer are, too. These two system calls take
   0.6 us, two thirds of what else arming takes: so a busy loop makes them only now and then. */
static bool rest_is_ours(struct pollable *p, bool at_once) {
    enum { CHECK_NS = 100000 };
    const uint64_t now = shmi_clock_now();
    if (!at_once && now < p->check_at)
        return true;
    if (!epoll_knows(p, p->fifo) || !epoll_knows(p, p->timer))
        return false;
    p->check_at = now + CHECK_NS;
    return true;
}

/* Setting the timer also makes it not readable. */
static bool set_timer(struct pollable *p, uint64_t until) {
    const bool changes = until != p->until;
    if (!rest_is_ours(p, changes) || (changes && !shmi_timer_set(p->timer, until)))
        return false;
    p->until = until;
    return true;
}

/* Reads as much as a FIFO holds by default, and no more: a peer may fill it all the time. */
static void drain(int fifo) {
    enum { READS = 64 };
    char bytes[1024];
    for (int i = 0; i < READS && read(fifo, bytes, sizeof bytes) == (ssize_t)sizeof bytes; i++) {
    }
}

int shmi_pollable_clear(struct pollable *p, uint64_t until) {
    const int cancellation = shmi_cancellation_off();
    bool ours = fifo_is_ours(p);
    if (ours)
        drain(p->fifo);
    ours = ours && set_timer(p, until);
    shmi_cancellation_restore(cancellation);
    return ours ? SHMIPC_OK
                : shmi_fail(SHMIPC_E_SYSTEM, "other code closed the descriptors of an event loop");
}

void shmi_pollable_signal(struct pollable *p) {
    const int cancellation = shmi_cancellation_off();
    if (fifo_is_ours(p))
        (void)put_byte(p->fifo);
    shmi_cancellation_restore(cancellation);
}

/* ---- Watching a process ---- */

static int open_process(const void *pid) {
#ifdef SYS_pidfd_open
    return (int)syscall(SYS_pidfd_open, *(const uint32_t *)pid, 0);
#else
    (void)pid;
    errno = ENOSYS;
    return -1;
#endif
}

bool shmi_pollable_watch(struct pollable *p, uint32_t pid) {
    shmi_fork_hold();
    p->process = shmi_descriptor_make(open_process, &pid);
    bool watched =
        p->process >= 0 && epoll_knows(p, p->fifo) && shmi_epoll_add(p->epoll, p->process);
    if (!watched && p->process >= 0) {
        close(p->process);
        p->process = -1;
    }
    shmi_fork_release();
    return watched;
}

static bool has_ended(int process) {
    struct pollfd entry = {.fd = process, .events = POLLIN};
    const int cancellation = shmi_cancellation_off();
    bool ended = poll(&entry, 1, 0) == 1;
    shmi_cancellation_restore(cancellation);
    return ended;
}

bool shmi_pollable_saw_end(struct pollable *p) {
    if (p->process < 0 || !has_ended(p->process))
        return false;
    shmi_fork_hold();
    if (epoll_knows(p, p->process))
        close(p->process);
    p->process = -1;
    shmi_fork_release();
    return true;
}

/* ---- Closing it ---- */

static void close_held(struct pollable *p) {
    const bool fifo = fifo_is_ours(p);
    const bool epoll = fifo && epoll_knows(p, p->fifo);
    if (epoll && epoll_knows(p, p->process))
        close(p->process);
    if (epoll && epoll_knows(p, p->timer))
        close(p->timer);
    if (epoll)
        close(p->epoll);
    if (fifo)
        close(p->fifo);
    p->fifo = p->timer = p->process = p->epoll = -1;
}

/* The epoll instance is the parent's too: only the child's numbers go. */
void shmi_pollable_forget_all(void) {
    for (struct pollable *p = pollables; p != NULL; p = p->next)
        close_held(p);
}

static void unlist(const struct pollable *p) {
    struct pollable **link = &pollables;
    while (*link != p)
        link = &(*link)->next;
    *link = p->next;
}

void shmi_pollable_close(struct pollable *p) {
    if (p == NULL)
        return;
    shmi_fork_hold();
    unlist(p);
    remove_name(p);
    close_held(p);
    shmi_fork_release();
    free(p);
}
