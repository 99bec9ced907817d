#define _GNU_SOURCE
#include "platform/platform.h"

#include <sys/stat.h>

/* A process id means something within its namespace, whose file's number is its own. */
uint64_t shmi_process_origin(void) {
    struct stat ids;
    return stat("/proc/self/ns/pid", &ids) == 0 ? (uint64_t)ids.st_ino : 0;
}
