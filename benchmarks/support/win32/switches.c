#include "support/switches.h"

#include <stdbool.h>
#include <string.h>
#include <windows.h>

typedef DWORD(WINAPI *enabler)(HANDLE, DWORD, DWORD64, HANDLE *);
typedef DWORD(WINAPI *reader)(HANDLE, DWORD, PERFORMANCE_DATA *);

/* Not every Wine has these functions, so they are looked for. */
static struct {
    bool asked;
    HANDLE thread; /* NULL: nothing is counted */
    enabler enable;
    reader read;
} counter;

/* ISO C has no conversion from one function pointer to another that may be called. */
static bool find(const char *name, void *function) {
    FARPROC found = GetProcAddress(GetModuleHandleA("kernel32.dll"), name);
    memcpy(function, &found, sizeof found);
    return found != NULL;
}

static void start_counting(void) {
    HANDLE thread;
    counter.asked = true;
    if (find("EnableThreadProfiling", &counter.enable) &&
        find("ReadThreadProfilingData", &counter.read) &&
        counter.enable(GetCurrentThread(), THREAD_PROFILING_FLAG_DISPATCH, 0, &thread) ==
            ERROR_SUCCESS)
        counter.thread = thread;
}

/* There is one thread that asks. */
long switches(void) {
    PERFORMANCE_DATA data = {.Size = sizeof data, .Version = PERFORMANCE_DATA_VERSION};
    if (!counter.asked)
        start_counting();
    if (!counter.thread || counter.read(counter.thread, READ_THREAD_PROFILING_FLAG_DISPATCHING,
                                        &data) != ERROR_SUCCESS)
        return 0;
    return (long)data.ContextSwitchCount;
}
