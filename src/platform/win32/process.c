/*
 * Processes. An id is reused, so an id and a creation time together identify a process.
 */
#include "platform/win32/process.h"

#include "platform/platform.h"

#include <string.h>

static uint64_t creation_time(HANDLE process) {
    FILETIME created;
    FILETIME exited;
    FILETIME kernel;
    FILETIME user;
    if (!GetProcessTimes(process, &created, &exited, &kernel, &user))
        return 0;
    return (uint64_t)created.dwHighDateTime << 32 | created.dwLowDateTime;
}

uint32_t shmi_process_id(void) {
    return GetCurrentProcessId();
}

uint64_t shmi_process_origin(void) {
    return creation_time(GetCurrentProcess());
}

bool shmi_process_runs(HANDLE process, uint64_t started) {
    return creation_time(process) == started && WaitForSingleObject(process, 0) == WAIT_TIMEOUT;
}

/* RtlDllShutdownInProgress is not in every import library, but in every ntdll.dll. */
bool shmi_process_ends(void) {
    BOOLEAN(NTAPI * is_ending)(void) = NULL;
    HMODULE ntdll = GetModuleHandleW(L"ntdll.dll");
    FARPROC found = ntdll ? GetProcAddress(ntdll, "RtlDllShutdownInProgress") : NULL;
    memcpy(&is_ending, &found, sizeof found);
    return is_ending != NULL && is_ending();
}

bool shmi_process_id_runs(uint32_t pid, uint64_t started) {
    HANDLE process = OpenProcess(SYNCHRONIZE | PROCESS_QUERY_LIMITED_INFORMATION, FALSE, pid);
    if (process == NULL)
        return GetLastError() == ERROR_ACCESS_DENIED;
    bool runs = shmi_process_runs(process, started);
    CloseHandle(process);
    return runs;
}
