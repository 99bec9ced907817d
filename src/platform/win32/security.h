/*
 * Who may open the objects that are made, and whose objects are trusted.
 *
 * The host decides, by the permissions of the region's section. Those of all events, its own and
 * its guests', follow from them: who may read and write the region may sleep and wake there too.
 */
#ifndef SHMIPC_WIN32_SECURITY_H
#define SHMIPC_WIN32_SECURITY_H

#include "platform/win32/names.h"

struct security {
    SECURITY_ATTRIBUTES attributes;
};

/* Of a host's sections: permissions in the security descriptor definition language; NULL:
   everything for this process's user and nothing for anybody else. */
int shmi_security_make(const char *sddl, struct security *security);

/* Of the events of the region of this section, which was opened with READ_CONTROL. */
int shmi_security_of_events(HANDLE section, const struct object_name *name,
                            struct security *security);

void shmi_security_free(struct security *security);

/* The owner that the permissions name; NULL: none. */
PSID shmi_security_owner(const struct security *security);

/* A SID from its text, or one of the language's abbreviations, to be freed by LocalFree; NULL from
   NULL. */
int shmi_security_parse_owner(const char *text, PSID *owner);

/* DENIED unless the object belongs to `owner`; NULL: to this process's user, or to whom this
   process's own objects belong: the Administrators, if it is elevated. */
int shmi_security_check_owner(HANDLE object, const struct object_name *name, PSID owner);

#endif
