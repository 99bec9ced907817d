/*
 * A watch on the names of regions: an epoll instance, which is readable while one of two others is.
 * One is an inotify instance that watches the directory, the other a timer. A third is never
 * readable: it is a socket, whose inode no other descriptor has, so it tells the epoll instance
 * from others', and that tells the other two.
 */
#define _GNU_SOURCE
#include "platform/linux/epoll.h"
#include "platform/posix/object.h"

#include "base/error.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ANCHOR, EPOLL, INOTIFY, TIMER, HELD };

/* A read takes 64 reports at least. So the reads of one call take all that the system keeps, unless
   it is set up to keep more than 16,384: the rest then waits for the next call, and a loop that
   watches by edge makes that call when another name is reported. */
enum { READS = 256, REPORTS = 64 };

struct names_watch {
    struct names_watch *next; /* of all of this process; written while fork is held */
    int fds[HELD];
    struct identity anchor;
    int number;     /* the directory's, in the inotify instance; -1: it is not watched */
    uint64_t until; /* when the timer expires */
    char reports[REPORTS * (sizeof(struct inotify_event) + NAME_MAX + 1)];
};

static struct names_watch *watches;

/* A host links a complete file, so a name is reported when its region is complete. */
enum { REPORTED = IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_DELETE | IN_MOVED_FROM };

/* ---- Making it ---- */

static int create_anchor(const void *context) {
    (void)context;
    return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

static int create_inotify(const void *context) {
    (void)context;
    return inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
}

static const struct {
    descriptor_maker *make;
    const char *call;
} makers[HELD] = {[ANCHOR] = {create_anchor, "socket"},
                  [EPOLL] = {shmi_epoll_create, "epoll_create1"},
                  [INOTIFY] = {create_inotify, "inotify_init1"},
                  [TIMER] = {shmi_timer_create, "timerfd_create"}};

/* inotify says EMFILE also if a process may open more files, but its user has no instance left. */
static int fail_make(int which) {
    if (which == INOTIFY && errno == EMFILE)
        return shmi_fail_os(SHMIPC_E_NO_DESCRIPTORS, EMFILE,
                            "inotify_init1: no descriptor is left, or this user has no instance "
                            "left (fs.inotify.max_user_instances)");
    return shmi_fail_needed(makers[which].call, DIRECTORY);
}

static int watch_directory(struct names_watch *w) {
    w->number = inotify_add_watch(w->fds[INOTIFY], DIRECTORY, REPORTED | IN_ONLYDIR);
    if (w->number >= 0)
        return SHMIPC_OK;
    if (errno == ENOSPC)
        return shmi_fail_os(SHMIPC_E_NO_DESCRIPTORS, ENOSPC,
                            "inotify_add_watch: this user has no watch left "
                            "(fs.inotify.max_user_watches)");
    return shmi_fail_needed("inotify_add_watch", DIRECTORY);
}

static int make_descriptors(struct names_watch *w) {
    struct stat status;
    for (int i = 0; i < HELD; i++) {
        w->fds[i] = shmi_descriptor_make(makers[i].make, NULL);
        if (w->fds[i] < 0)
            return fail_make(i);
        if (i > EPOLL && !shmi_epoll_add(w->fds[EPOLL], w->fds[i]))
            return shmi_fail_call("epoll_ctl", DIRECTORY);
    }
    if (fstat(w->fds[ANCHOR], &status) != 0 || !shmi_epoll_add(w->fds[EPOLL], w->fds[ANCHOR]))
        return shmi_fail_call("epoll_ctl", DIRECTORY);
    w->anchor = identity_of(&status);
    return watch_directory(w);
}

static void discard(struct names_watch *w) {
    for (int i = 0; i < HELD; i++) {
        if (w->fds[i] >= 0)
            close(w->fds[i]);
    }
    free(w);
}

static int make(struct names_watch *w) {
    shmi_fork_hold();
    int error = make_descriptors(w);
    if (error) {
        discard(w);
    } else {
        w->next = watches;
        watches = w;
    }
    shmi_fork_release();
    return error;
}

int shmi_names_watch_open(struct names_watch **watch) {
    int error = shmi_fork_install();
    if (error)
        return error;
    struct names_watch *w = calloc(1, sizeof *w);
    if (w == NULL)
        return shmi_fail(SHMIPC_E_NO_MEMORY, "no memory for a watch on names");
    for (int i = 0; i < HELD; i++)
        w->fds[i] = -1;
    w->until = CLOCK_NEVER;
    error = make(w);
    if (error == SHMIPC_OK)
        *watch = w;
    return error;
}

/* ---- Whether its descriptors are ours ---- */

static bool anchor_is_ours(const struct names_watch *w) {
    return w->fds[ANCHOR] >= 0 && shmi_descriptor_is(w->fds[ANCHOR], &w->anchor);
}

/* No other instance of epoll knows the anchor. */
static bool epoll_knows(const struct names_watch *w, int which) {
    return shmi_epoll_knows(w->fds[EPOLL], w->fds[which]);
}

static bool epoll_is_ours(const struct names_watch *w) {
    return anchor_is_ours(w) && epoll_knows(w, ANCHOR);
}

static int check(const struct names_watch *w) {
    if (w->fds[EPOLL] < 0)
        return shmi_fail(SHMIPC_E_CLOSED, "the finder was made before the fork");
    if (epoll_is_ours(w) && epoll_knows(w, INOTIFY) && epoll_knows(w, TIMER))
        return SHMIPC_OK;
    return shmi_fail(SHMIPC_E_SYSTEM, "other code closed the descriptors of a finder");
}

int shmi_names_watch_fd(const struct names_watch *w, shmipc_fd *fd) {
    if (w->fds[EPOLL] < 0)
        return check(w);
    *fd = w->fds[EPOLL];
    return SHMIPC_OK;
}

/* ---- Reports ---- */

/* What one read has taken; 1: reports were lost. */
static int visit_reports(struct names_watch *w, const char *from, const char *end,
                         object_visitor visit, void *context) {
    const size_t prefix = sizeof FILE_PREFIX - 1;
    int lost = 0;
    int error = SHMIPC_OK;
    while (error == SHMIPC_OK && from < end) {
        struct inotify_event report;
        memcpy(&report, from, sizeof report);
        const char *name = from + sizeof report;
        from = name + report.len;
        if ((report.mask & IN_Q_OVERFLOW) != 0)
            lost = 1;
        else if ((report.mask & IN_IGNORED) != 0 && report.wd == w->number)
            w->number = -1;
        else if (report.len > prefix && strncmp(name, FILE_PREFIX, prefix) == 0)
            error = visit(context, name + prefix);
    }
    return error ? error : lost;
}

static int take(struct names_watch *w, object_visitor visit, void *context) {
    int result = 0;
    ssize_t size = 1;
    for (int i = 0; i < READS && size > 0 && result == 0; i++) {
        size = read(w->fds[INOTIFY], w->reports, sizeof w->reports);
        if (size > 0)
            result = visit_reports(w, w->reports, w->reports + size, visit, context);
    }
    if (size < 0 && errno != EAGAIN && errno != EINTR)
        return shmi_fail_call("read of inotify", DIRECTORY);
    return result;
}

/* The directory was unmounted, or other code has ended the watch. */
static int watch_again(struct names_watch *w) {
    int error = watch_directory(w);
    return error ? error : 1;
}

int shmi_names_watch_take(struct names_watch *w, object_visitor visit, void *context) {
    int result = check(w);
    if (result == SHMIPC_OK)
        result = take(w, visit, context);
    return w->number < 0 && result >= 0 ? watch_again(w) : result;
}

void shmi_names_watch_until(struct names_watch *w, uint64_t until) {
    if (until != w->until && check(w) == SHMIPC_OK && shmi_timer_set(w->fds[TIMER], until))
        w->until = until;
}

/* ---- Closing it ---- */

static void close_held(struct names_watch *w) {
    if (epoll_is_ours(w)) {
        for (int i = INOTIFY; i < HELD; i++) {
            if (epoll_knows(w, i))
                close(w->fds[i]);
        }
        close(w->fds[EPOLL]);
    }
    if (anchor_is_ours(w))
        close(w->fds[ANCHOR]);
    for (int i = 0; i < HELD; i++)
        w->fds[i] = -1;
}

/* What is known of them is the parent's too: only the child's numbers go. */
void shmi_names_watch_forget_all(void) {
    for (struct names_watch *w = watches; w != NULL; w = w->next)
        close_held(w);
}

void shmi_names_watch_close(struct names_watch *w) {
    if (w == NULL)
        return;
    shmi_fork_hold();
    struct names_watch **link = &watches;
    while (*link != w)
        link = &(*link)->next;
    *link = w->next;
    close_held(w);
    shmi_fork_release();
    free(w);
}
