#include "platform/win32/failure.h"

#include "base/error.h"

static int error_of(DWORD os_error) {
    switch (os_error) {
    case ERROR_TOO_MANY_OPEN_FILES:
    case ERROR_NO_SYSTEM_RESOURCES:
        return SHMIPC_E_NO_DESCRIPTORS;
    case ERROR_COMMITMENT_LIMIT:
    case ERROR_DISK_FULL:
        return SHMIPC_E_NO_SPACE;
    case ERROR_NOT_ENOUGH_MEMORY:
    case ERROR_OUTOFMEMORY:
        return SHMIPC_E_NO_MEMORY;
    case ERROR_ACCESS_DENIED:
    case ERROR_PRIVILEGE_NOT_HELD:
        return SHMIPC_E_DENIED;
    case ERROR_FILE_NOT_FOUND:
        return SHMIPC_E_NOT_FOUND;
    case ERROR_INVALID_HANDLE: /* the name belongs to another kind of object */
        return SHMIPC_E_NOT_A_REGION;
    default:
        return SHMIPC_E_SYSTEM;
    }
}

struct object_label shmi_label(const struct object_name *name) {
    struct object_label label;
    if (WideCharToMultiByte(CP_UTF8, 0, name->text, -1, label.text, sizeof label.text, NULL,
                            NULL) == 0)
        label.text[0] = 0;
    return label;
}

int shmi_fail_windows(const char *call, const struct object_name *name, DWORD os_error) {
    int error = error_of(os_error);
    if (error == SHMIPC_E_NOT_A_REGION)
        return shmi_fail_os(error, (int)os_error, "%s is an object of another kind (error %lu)",
                            shmi_label(name).text, (unsigned long)os_error);
    return shmi_fail_os(error, (int)os_error, "%s of %s: error %lu", call, shmi_label(name).text,
                        (unsigned long)os_error);
}
