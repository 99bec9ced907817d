/*
 * The permissions of the objects that this process creates, and the owners that it trusts.
 *
 * The host decides, by the permissions of the region's section. The permissions of all events, its
 * own and its guests', follow from these: a process that may read and write the region may also
 * sleep and wake there.
 */
#ifndef SHMIPC_WIN32_SECURITY_H
#define SHMIPC_WIN32_SECURITY_H

#include "platform/win32/names.h"

struct security {
    SECURITY_ATTRIBUTES attributes;
};

/* Makes the permissions of a host's sections from the security descriptor definition language;
   NULL: everything for this process's user, nothing for others. */
int shmi_security_make(const char *sddl, struct security *security);

/* Makes the permissions of a region's events from its section, which was opened with
   READ_CONTROL. */
int shmi_security_of_events(HANDLE section, const struct object_name *name,
                            struct security *security);

void shmi_security_free(struct security *security);

/* The owner that the permissions name; NULL: none. */
PSID shmi_security_owner(const struct security *security);

/* Parses a SID from its text, or from one of the language's abbreviations; LocalFree frees it. NULL
   gives NULL. */
int shmi_security_parse_owner(const char *text, PSID *owner);

/* DENIED unless `owner` owns the object. NULL: this process's user, or the owner of this process's
   own objects (the Administrators, if it is elevated). */
int shmi_security_check_owner(HANDLE object, const struct object_name *name, PSID owner);

#endif
