/*
 * What the system's errors mean here.
 */
#include "object.h"

#include "error.h"

#include <errno.h>
#include <string.h>

int shmi_error_of(int os_error) {
    switch (os_error) {
    case EMFILE:
    case ENFILE:
        return SHMIPC_E_NO_DESCRIPTORS;
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return SHMIPC_E_NO_SPACE;
    case ENOMEM:
        return SHMIPC_E_NO_MEMORY;
    case EACCES:
    case EPERM:
        return SHMIPC_E_DENIED;
    case ENOENT:
        return SHMIPC_E_NOT_FOUND;
    case ELOOP: /* O_NOFOLLOW met a symbolic link */
    case ENXIO:
    case EISDIR:
        return SHMIPC_E_NOT_A_REGION;
    default:
        return SHMIPC_E_SYSTEM;
    }
}

int shmi_fail_call(const char *call, const char *path) {
    int os_error = errno;
    return shmi_fail_os(shmi_error_of(os_error), os_error, "%s of %s: %s", call, path,
                        strerror(os_error));
}
