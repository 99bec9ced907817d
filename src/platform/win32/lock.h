/*
 * A lock that is an object's existence: who makes the event holds it until the event is closed.
 */
#ifndef SHMIPC_WIN32_LOCK_H
#define SHMIPC_WIN32_LOCK_H

#include "platform/platform.h"
#include "platform/win32/names.h"
#include "platform/win32/security.h"

/* The event, to be closed when the lock is to be released; NULL unless it was taken. */
HANDLE shmi_existence_take(const struct object_name *name, const struct security *security,
                           enum lock_verdict *verdict);
bool shmi_existence_is_held(const struct object_name *name);

#endif
