/*
 * The processors of this process: its affinity mask, limited by its job's rate if that has a hard
 * cap.
 */
#include "base/error.h"
#include "platform/platform.h"
#include "platform/win32/system.h"

void shmi_cpu_yield(void) {
    SwitchToThread();
}

static uint32_t affinity_count(void) {
    DWORD_PTR ours;
    DWORD_PTR all;
    uint32_t count = 0;
    if (!GetProcessAffinityMask(GetCurrentProcess(), &ours, &all))
        return 1;
    for (; ours != 0; ours &= ours - 1)
        count++;
    return count == 0 ? 1 : count; /* 0: threads in several groups of processors */
}

/* The rate is in hundredths of a percent of all the machine's processors. */
static uint32_t rate_count(void) {
    enum { WHOLE = 10000 };
    JOBOBJECT_CPU_RATE_CONTROL_INFORMATION rate = {0};
    const DWORD capped = JOB_OBJECT_CPU_RATE_CONTROL_ENABLE | JOB_OBJECT_CPU_RATE_CONTROL_HARD_CAP;
    SYSTEM_INFO system;
    if (!QueryInformationJobObject(NULL, JobObjectCpuRateControlInformation, &rate, sizeof rate,
                                   NULL) ||
        (rate.ControlFlags & capped) != capped)
        return UINT32_MAX;
    GetSystemInfo(&system);
    uint32_t count = (uint32_t)((uint64_t)system.dwNumberOfProcessors * rate.CpuRate / WHOLE);
    return count == 0 ? 1 : count;
}

int shmi_cpu_pin(uint32_t cpu) {
    const uint32_t group = 8 * sizeof(DWORD_PTR); /* processors that one mask can name */
    if (cpu < group && SetThreadAffinityMask(GetCurrentThread(), (DWORD_PTR)1 << cpu) != 0)
        return SHMIPC_OK;
    return shmi_fail_os(SHMIPC_E_INVALID, cpu < group ? (int)GetLastError() : 0,
                        "processor %u is none of the %u below %u that this process may use",
                        (unsigned)cpu, (unsigned)affinity_count(), (unsigned)group);
}

uint32_t shmi_cpu_count(void) {
    uint32_t affinity = affinity_count();
    uint32_t rate = rate_count();
    return rate < affinity ? rate : affinity;
}
