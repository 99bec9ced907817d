/*
 * Who may open the objects that are made, and whose objects are trusted.
 */
#ifndef SHMIPC_WIN32_SECURITY_H
#define SHMIPC_WIN32_SECURITY_H

#include "names.h"

struct security {
    SECURITY_ATTRIBUTES attributes;
};

/* Permissions in the security descriptor definition language; NULL: everything for this process's
   user and nothing for anybody else. */
int shmi_security_make(const char *sddl, struct security *security);
void shmi_security_free(struct security *security);

/* DENIED unless the object belongs to this process's user, or to whom this process's own objects
   belong: the Administrators, if it is elevated. */
int shmi_security_check_owner(HANDLE object, const struct object_name *name);

#endif
