/*
 * A peer's descriptor for event loops: a named timer that stays signalled until it is set anew.
 * A peer that signals this one sets it to a time that has passed.
 */
#include "base/error.h"
#include "platform/win32/failure.h"
#include "platform/win32/object.h"

#include <stdlib.h>

/* The permissions of the region's events serve a timer too. */
_Static_assert(TIMER_MODIFY_STATE == EVENT_MODIFY_STATE, "the right to signal");

struct pollable {
    HANDLE timer;
};

/* A time before the system began has passed. */
static bool set(HANDLE timer, int64_t due) {
    const LARGE_INTEGER when = {.QuadPart = due};
    return SetWaitableTimer(timer, &when, 0, NULL, NULL, FALSE) != 0;
}

bool shmi_object_signal(struct object *o, uint32_t peer) {
    struct object_name name = shmi_name_ready(&o->names, peer);
    HANDLE timer = OpenWaitableTimerW(TIMER_MODIFY_STATE, FALSE, name.text);
    if (timer == NULL)
        return false;
    bool signalled = set(timer, 0);
    CloseHandle(timer);
    return signalled;
}

/* A name lasts no longer than the last handle. */
void shmi_object_unready(struct object *o) {
    (void)o;
}

int shmi_pollable_open(struct object *o, struct pollable **pollable) {
    struct object_name name = shmi_name_ready(&o->names, o->self);
    struct pollable *p = malloc(sizeof *p);
    if (p == NULL)
        return shmi_fail(SHMIPC_E_NO_MEMORY, "no memory for the handle of a timer");
    p->timer = CreateWaitableTimerExW(&o->events_security.attributes, name.text,
                                      CREATE_WAITABLE_TIMER_MANUAL_RESET,
                                      TIMER_MODIFY_STATE | SYNCHRONIZE);
    if (p->timer == NULL) {
        DWORD os_error = GetLastError();
        free(p);
        return shmi_fail_windows("creating", &name, os_error);
    }
    *pollable = p;
    return SHMIPC_OK;
}

shmipc_fd shmi_pollable_fd(const struct pollable *p) {
    return p->timer;
}

/* Relative times are negative, in units of 100 ns. */
int shmi_pollable_clear(struct pollable *p, uint64_t until) {
    const uint64_t longest = UINT64_C(1) << 62;
    uint64_t now = shmi_clock_now();
    uint64_t left = until > now ? until - now : 0;
    if (set(p->timer, -(int64_t)((left < longest ? left : longest) / 100 + 1)))
        return SHMIPC_OK;
    return shmi_fail_os(SHMIPC_E_SYSTEM, (int)GetLastError(),
                        "other code closed the handle of an event loop");
}

void shmi_pollable_signal(struct pollable *p) {
    (void)set(p->timer, 0);
}

/* One handle cannot stand for a timer and a process. */
bool shmi_pollable_watch(struct pollable *p, uint32_t pid) {
    (void)p;
    (void)pid;
    return false;
}

bool shmi_pollable_saw_end(struct pollable *p) {
    (void)p;
    return false;
}

void shmi_pollable_close(struct pollable *p) {
    if (p != NULL)
        CloseHandle(p->timer);
    free(p);
}
