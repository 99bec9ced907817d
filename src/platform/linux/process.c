#define _GNU_SOURCE
#include "platform.h"

#include <sys/stat.h>

/* A process id means something within its namespace, whose file's number is its own. */
uint64_t shmi_process_origin(void) {
    struct stat namespace;
    return stat("/proc/self/ns/pid", &namespace) == 0 ? (uint64_t) namespace.st_ino : 0;
}
