/*
 * Reserves all memory of a new region, so that a lack of memory is an error at creation and not a
 * fault later.
 */
#define _GNU_SOURCE
#include "platform/posix/object.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

/* Signals are blocked only while this much is reserved: some milliseconds. */
#define PIECE (UINT64_C(4) << 20)

static int fail_reserving(uint64_t size, const char *call) {
    int os_error = errno;
    if (shmi_is_refusal(os_error))
        return shmi_fail_needed(call, DIRECTORY);
    return shmi_fail_os(shmi_error_of(os_error), os_error,
                        "reserving %llu bytes in " DIRECTORY ": %s", (unsigned long long)size,
                        strerror(os_error));
}

/* A file that grows beyond this limit kills the process, by SIGXFSZ. */
static int check_limit(uint64_t size) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY ||
        size <= limit.rlim_cur)
        return SHMIPC_OK;
    return shmi_fail_os(SHMIPC_E_NO_SPACE, EFBIG,
                        "the region has %llu bytes, this process's files may have %llu "
                        "(RLIMIT_FSIZE)",
                        (unsigned long long)size, (unsigned long long)limit.rlim_cur);
}

/* Checked before any piece takes memory in vain. A file system without a limit reports 0 blocks. */
static bool fits(const struct object *o, uint64_t size) {
    struct statvfs status;
    return fstatvfs(o->fd, &status) != 0 || status.f_blocks == 0 ||
           size <= (uint64_t)status.f_bavail * status.f_frsize;
}

/* Before Linux 6.11 tmpfs frees all memory that an interrupted call has reserved: frequent signals
   would keep the call from ever completing. */
static int reserve_piece(const struct object *o, uint64_t from, uint64_t size) {
    sigset_t all;
    sigset_t before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int result = fallocate(o->fd, 0, (off_t)from, (off_t)size);
    int os_error = errno;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = os_error;
    return result;
}

static int reserve_all(const struct object *o, uint64_t size) {
    for (uint64_t from = 0; from < size; from += PIECE) {
        uint64_t left = size - from;
        if (reserve_piece(o, from, left < PIECE ? left : PIECE) != 0)
            return -1;
    }
    return 0;
}

int shmi_reserve(const struct object *o, uint64_t size, bool lazy) {
    int error = check_limit(size);
    if (error)
        return error;
    if (!lazy && !fits(o, size)) {
        errno = ENOSPC;
        return fail_reserving(size, "fallocate");
    }
    int result = lazy ? ftruncate(o->fd, (off_t)size) : reserve_all(o, size);
    return result == 0 ? SHMIPC_OK : fail_reserving(size, lazy ? "ftruncate" : "fallocate");
}
