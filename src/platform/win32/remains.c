/*
 * Dead hosts leave no name behind: a host's directory disappears with its process, and no process
 * looks for the name of a section that guests keep alive.
 */
#include "platform/win32/object.h"

#include "base/error.h"

int shmi_object_remove_dead(struct object *o) {
    return shmi_fail(SHMIPC_E_NOT_FOUND, "the host of region %s is dead, its name went with it",
                     o->names.user);
}

int shmi_object_list(const char *prefix, object_visitor visit, void *context) {
    (void)prefix;
    (void)visit;
    (void)context;
    return SHMIPC_OK;
}

bool shmi_object_is_listed(const char *name, struct object_identity *identity) {
    (void)name;
    (void)identity;
    return false;
}
