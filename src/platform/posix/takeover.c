/*
 * The takeover lock of a dead host's file: only its holder may take the name away. It is held only
 * for a few system calls, so a process that finds it held waits for it.
 */
#define _GNU_SOURCE
#include "platform/posix/object.h"

#include "base/error.h"

#include <time.h>

enum { TAKEOVER_NS = 1000000000, LOOK_AGAIN_NS = 1000000 };

static void nap(void) {
    const struct timespec time = {.tv_nsec = LOOK_AGAIN_NS};
    (void)nanosleep(&time, NULL); /* if a signal cuts it short, another look follows */
}

int shmi_take_over(struct object *o) {
    uint64_t end = shmi_clock_now() + TAKEOVER_NS;
    enum lock_verdict verdict = shmi_peer_lock(o, TAKEOVER_LOCK);
    while (verdict == LOCK_HELD && shmi_clock_now() < end) {
        nap();
        verdict = shmi_peer_lock(o, TAKEOVER_LOCK);
    }
    if (verdict == LOCK_TAKEN)
        return SHMIPC_OK;
    if (verdict == LOCK_HELD)
        return shmi_fail(SHMIPC_E_NAME_IN_USE, "%s is being taken over", o->path);
    return shmi_fail_lock(o, TAKEOVER_LOCK);
}
