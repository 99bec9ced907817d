#define _GNU_SOURCE
#include "support/switches.h"

#include "support/child.h"

#include <sys/resource.h>

long switches(void) {
    struct rusage usage;
    if (getrusage(RUSAGE_THREAD, &usage) != 0)
        die("getrusage");
    return usage.ru_nvcsw + usage.ru_nivcsw;
}
