/* The processors of this process: its affinity mask, limited by its cgroup's quota, if any. */
#define _GNU_SOURCE
#include "platform/platform.h"

#include "base/error.h"
#include "platform/linux/quota.h"

#include <errno.h>
#include <sched.h>
#include <string.h>

void shmi_cpu_yield(void) {
    sched_yield();
}

static uint32_t affinity_count(void) {
    cpu_set_t set;
    if (sched_getaffinity(0, sizeof set, &set) != 0)
        return 1;
    return (uint32_t)CPU_COUNT(&set);
}

static int no_such_cpu(uint32_t cpu) {
    return shmi_fail_os(SHMIPC_E_INVALID, EINVAL,
                        "processor %u is none of the %u below %d that this thread may use",
                        (unsigned)cpu, (unsigned)affinity_count(), CPU_SETSIZE);
}

int shmi_cpu_pin(uint32_t cpu) {
    cpu_set_t set;
    if (cpu >= CPU_SETSIZE)
        return no_such_cpu(cpu);
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof set, &set) == 0)
        return SHMIPC_OK;
    int os_error = errno;
    if (os_error == EINVAL)
        return no_such_cpu(cpu);
    return shmi_fail_os(SHMIPC_E_SYSTEM, os_error, "sched_setaffinity to processor %u: %s",
                        (unsigned)cpu, strerror(os_error));
}

uint32_t shmi_cpu_count(void) {
    uint32_t affinity = affinity_count();
    uint32_t quota = shmi_quota_read("");
    return quota < affinity ? quota : affinity;
}
