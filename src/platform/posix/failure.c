/*
 * Translates the system's error codes into the library's.
 */
#include "platform/posix/object.h"

#include "base/error.h"

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

bool shmi_is_refusal(int os_error) {
    return os_error == EPERM || os_error == ENOSYS || os_error == EINVAL || os_error == EOPNOTSUPP;
}

int shmi_fail_needed(const char *call, const char *path) {
    int os_error = errno;
    if (!shmi_is_refusal(os_error))
        return shmi_fail_call(call, path);
    return shmi_fail_os(SHMIPC_E_NOT_SUPPORTED, os_error,
                        "%s of %s: %s; the library cannot do without it", call, path,
                        strerror(os_error));
}

int shmi_fail_call(const char *call, const char *path) {
    int os_error = errno;
    return shmi_fail_os(shmi_error_of(os_error), os_error, "%s of %s: %s", call, path,
                        strerror(os_error));
}
