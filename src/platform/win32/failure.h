/*
 * Translates Windows' error codes into the library's.
 */
#ifndef SHMIPC_WIN32_FAILURE_H
#define SHMIPC_WIN32_FAILURE_H

#include "platform/win32/names.h"

/* Records the failure of a call that concerned the object of this name; its value is the code. */
int shmi_fail_windows(const char *call, const struct object_name *name, DWORD os_error);

/* The name in UTF-8, for sentences. */
struct object_label {
    char text[3 * OBJECT_NAME_MAX];
};

struct object_label shmi_label(const struct object_name *name);

#endif
