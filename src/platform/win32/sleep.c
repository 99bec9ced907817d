/*
 * Time-outs of the system's waits are rounded to its tick, some 15 ms. For a nearer deadline the
 * wait includes a timer.
 */
#include "platform/win32/sleep.h"

#include "platform/platform.h"

#include <string.h>

#ifndef CREATE_WAITABLE_TIMER_HIGH_RESOLUTION
#define CREATE_WAITABLE_TIMER_HIGH_RESOLUTION 0x00000002
#endif

#define NEAR_NS UINT64_C(20000000)

static HANDLE make_timer(DWORD flags) {
    return CreateWaitableTimerExW(NULL, NULL, flags, TIMER_MODIFY_STATE | SYNCHRONIZE);
}

static HANDLE start_timer(uint64_t ns) {
    HANDLE timer = make_timer(CREATE_WAITABLE_TIMER_HIGH_RESOLUTION);
    if (timer == NULL) /* Windows before 10 1803 */
        timer = make_timer(0);
    LARGE_INTEGER due = {.QuadPart = -(LONGLONG)((ns + 99) / 100)};
    if (timer == NULL || SetWaitableTimer(timer, &due, 0, NULL, NULL, FALSE))
        return timer;
    CloseHandle(timer);
    return NULL;
}

static DWORD milliseconds(uint64_t ns) {
    uint64_t ms = ns / 1000000 + (ns % 1000000 != 0);
    return ms < INFINITE ? (DWORD)ms : INFINITE - 1;
}

/* Without handles only time passes. */
static DWORD wait_for_any(const HANDLE *handles, DWORD count, DWORD timeout) {
    if (count == 0) {
        Sleep(timeout);
        return 0;
    }
    DWORD result = WaitForMultipleObjects(count, handles, FALSE, timeout);
    if (result == WAIT_FAILED)
        Sleep(1); /* do not spin on an invalid handle */
    return result < WAIT_OBJECT_0 + count ? result - WAIT_OBJECT_0 : count;
}

static DWORD wait_with_timer(const HANDLE *handles, DWORD count, uint64_t ns) {
    HANDLE all[SLEEP_HANDLES_MAX + 1];
    HANDLE timer = count > SLEEP_HANDLES_MAX ? NULL : start_timer(ns);
    if (timer == NULL)
        return wait_for_any(handles, count, milliseconds(ns));
    if (count > 0)
        memcpy(all, handles, count * sizeof *handles);
    all[count] = timer;
    DWORD which = wait_for_any(all, count + 1, milliseconds(ns) + 100);
    CloseHandle(timer);
    return which < count ? which : count;
}

DWORD shmi_sleep_on_handles(const HANDLE *handles, DWORD count, uint64_t deadline) {
    if (deadline == CLOCK_NEVER)
        return wait_for_any(handles, count, INFINITE);
    uint64_t now = shmi_clock_now();
    if (deadline <= now)
        return count;
    if (deadline - now < NEAR_NS)
        return wait_with_timer(handles, count, deadline - now);
    return wait_for_any(handles, count, milliseconds(deadline - now));
}
