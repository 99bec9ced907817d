#include "support/clock.h"

#include "support/child.h"

#include <windows.h>

#ifndef CREATE_WAITABLE_TIMER_HIGH_RESOLUTION
#define CREATE_WAITABLE_TIMER_HIGH_RESOLUTION 0x00000002
#endif

static uint64_t frequency(void) {
    static LARGE_INTEGER per_second;
    if (per_second.QuadPart == 0)
        QueryPerformanceFrequency(&per_second);
    return (uint64_t)per_second.QuadPart;
}

/* In two parts: the product of the whole count would overflow. */
uint64_t now_ns(void) {
    LARGE_INTEGER count;
    QueryPerformanceCounter(&count);
    uint64_t per_second = frequency(), all = (uint64_t)count.QuadPart;
    return all / per_second * SECOND + all % per_second * SECOND / per_second;
}

static HANDLE make_timer(DWORD flags) {
    return CreateWaitableTimerExW(NULL, NULL, flags, TIMER_MODIFY_STATE | SYNCHRONIZE);
}

static void sleep_for(uint64_t ns) {
    const LARGE_INTEGER due = {.QuadPart = -(LONGLONG)((ns + 99) / 100)};
    HANDLE timer = make_timer(CREATE_WAITABLE_TIMER_HIGH_RESOLUTION);
    if (!timer) /* Windows before 10 1803 */
        timer = make_timer(0);
    if (!timer || !SetWaitableTimer(timer, &due, 0, NULL, NULL, FALSE))
        die("timer");
    WaitForSingleObject(timer, INFINITE);
    CloseHandle(timer);
}

void sleep_until(uint64_t ns) {
    for (uint64_t now = now_ns(); now < ns; now = now_ns())
        sleep_for(ns - now);
}

/* The timers that are asked for above are. */
void be_punctual(void) {}
