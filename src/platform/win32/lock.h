/*
 * A lock by an object's existence: the process that creates the event holds the lock until it
 * closes the event.
 */
#ifndef SHMIPC_WIN32_LOCK_H
#define SHMIPC_WIN32_LOCK_H

#include "platform/platform.h"
#include "platform/win32/names.h"
#include "platform/win32/security.h"

/* Takes the lock and returns its event: closing it releases the lock. NULL if the lock was not
   taken. */
HANDLE shmi_existence_take(const struct object_name *name, const struct security *security,
                           enum lock_verdict *verdict);
bool shmi_existence_is_held(const struct object_name *name);

#endif
