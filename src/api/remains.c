/*
 * Regions that dead hosts left behind: shmipc.h, Regions of dead hosts. A region is tested for
 * death as a guest tests it, and removed as the next host of its name would.
 */
#include "base/error.h"

#include "base/thread.h"
#include "region/region.h"

/* Only this user's regions, with any permissions. */
static const struct object_rules own = {.mode = 07777, .owner = SHMIPC_OWNER_SELF};

static int check_dead(struct object *object, const char *name) {
    struct geometry geometry;
    int error = shmi_region_check(object, name, &geometry);
    if (error == SHMIPC_OK && shmi_peer_is_locked(object, HOST))
        error = shmi_fail(SHMIPC_E_NAME_IN_USE, "region %s belongs to a live host", name);
    return error;
}

static int open_dead(const char *name, struct object **object) {
    int error = shmi_region_check_name(name);
    if (error == SHMIPC_OK)
        error = shmi_object_open(name, &own, object);
    if (error)
        return error;
    error = check_dead(*object, name);
    if (error)
        shmi_object_close(*object);
    return error;
}

static int remove_dead(const char *name) {
    struct object *object;
    int error = open_dead(name, &object);
    if (error)
        return error;
    error = shmi_object_remove_dead(object);
    shmi_object_close(object);
    return error;
}

int shmipc_remove_dead_region(const char *name) {
    const int cancellation = shmi_cancellation_off();
    int error = remove_dead(name);
    shmi_cancellation_restore(cancellation);
    return error;
}

/* Errors that concern the file and not this process: NAME, NAME_IN_USE, NOT_FOUND, DENIED,
   NOT_A_REGION, BYTE_ORDER, VERSION, NOT_READY, TRUNCATED, CORRUPT. */
static bool is_no_dead_region(int error) {
    return error <= SHMIPC_E_NAME && error >= SHMIPC_E_CORRUPT;
}

struct visit {
    shmipc_dead_region found; /* NULL: remove or only count */
    void *context;
    bool removing;
    int count;
};

static int visit_name(void *context, const char *name) {
    struct visit *visit = context;
    struct object *object;
    int error = open_dead(name, &object);
    if (error)
        return is_no_dead_region(error) ? SHMIPC_OK : error;
    if (visit->removing)
        error = shmi_object_remove_dead(object);
    shmi_object_close(object);
    if (error) /* another process was faster */
        return error == SHMIPC_E_NOT_FOUND || error == SHMIPC_E_NAME_IN_USE ? SHMIPC_OK : error;
    visit->count++;
    if (visit->found != NULL)
        visit->found(visit->context, name);
    return SHMIPC_OK;
}

/* Regions that were passed over are no failure. The user's function is called while the directory
   is open, so that too runs with cancellation disabled. */
static int visit_names(const char *prefix, struct visit *visit) {
    const struct last_failure kept = shmi_thread_state()->last;
    const int cancellation = shmi_cancellation_off();
    int error = shmi_object_list(prefix == NULL ? "" : prefix, visit_name, visit);
    shmi_cancellation_restore(cancellation);
    if (error)
        return error;
    shmi_thread_state()->last = kept;
    return visit->count;
}

int shmipc_dead_regions(const char *prefix, shmipc_dead_region found, void *context) {
    struct visit visit = {.found = found, .context = context};
    return visit_names(prefix, &visit);
}

int shmipc_remove_dead_regions(const char *prefix) {
    struct visit visit = {.removing = true};
    return visit_names(prefix, &visit);
}
