/*
 * Memory for a new region, all of it, so that what does not fit is an error at creation and no
 * fault later.
 */
#define _GNU_SOURCE
#include "object.h"

#include "error.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

int shmi_reserve(const struct object *o, uint64_t size, bool lazy) {
    int result;
    do {
        result = lazy ? ftruncate(o->fd, (off_t)size) : fallocate(o->fd, 0, 0, (off_t)size);
    } while (result != 0 && errno == EINTR);
    if (result == 0)
        return SHMIPC_OK;
    int os_error = errno;
    return shmi_fail_os(shmi_error_of(os_error), os_error,
                        "reserving %llu bytes in " DIRECTORY ": %s", (unsigned long long)size,
                        strerror(os_error));
}
