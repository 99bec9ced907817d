/*
 * A process tries the system calls that a peer relies on before it becomes one: otherwise a sandbox
 * that refuses one of them would show as a death that is never noticed, or a wait that never
 * sleeps.
 */
#define _GNU_SOURCE
#include "base/error.h"
#include "platform/linux/futex.h"
#include "platform/posix/object.h"

#include <errno.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* The deadline has passed, so the call returns at once for any value of the word. */
static int try_wait(const struct object *o) {
    const struct timespec past = {.tv_sec = 0};
    long result =
        syscall(SYS_futex, o->base, FUTEX_WAIT_BITSET, 0, &past, NULL, FUTEX_BITSET_MATCH_ANY);
    if (result == 0 || errno == EAGAIN || errno == ETIMEDOUT || errno == EINTR)
        return SHMIPC_OK;
    return shmi_fail_needed("futex(FUTEX_WAIT_BITSET)", o->path);
}

/* No thread sleeps on the header. */
static int try_wake(const struct object *o, int operation, const char *call) {
    if (syscall(SYS_futex, o->base, operation, 0, NULL, NULL, FUTEX_BITSET_MATCH_ANY) >= 0)
        return SHMIPC_OK;
    return shmi_fail_needed(call, o->path);
}

int shmi_object_try(struct object *o) {
    int error = shmi_lock_try(o);
    if (error == SHMIPC_OK)
        error = try_wait(o);
    if (error == SHMIPC_OK)
        error = try_wake(o, FUTEX_WAKE, "futex(FUTEX_WAKE)");
    if (error == SHMIPC_OK)
        error = try_wake(o, FUTEX_WAKE_BITSET, "futex(FUTEX_WAKE_BITSET)");
    return error;
}
