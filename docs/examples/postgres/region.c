/* The region: one in a backend, made by the first call, after the fork, and freed when the backend
   ends. */
#include "extension.h"

#include <grp.h>
#include <miscadmin.h>
#include <stdio.h>
#include <storage/ipc.h>
#include <unistd.h>

static struct region region;

static void close_at_exit(int code, Datum unused) {
    (void)code, (void)unused;
    close_region();
}

void close_region(void) {
    shmipc_free(region.host);
    region = (struct region){0};
}

/* The postmaster's list of such functions is not that of its children. */
static void close_when_the_backend_ends(void) {
    static bool registered;
    if (!registered)
        on_proc_exit(close_at_exit, 0);
    registered = true;
}

/* A name that is another user's, or no region's, is as little free as one of a live backend. */
static bool is_taken(int error) {
    return error == SHMIPC_E_NAME_IN_USE || error == SHMIPC_E_DENIED ||
           error == SHMIPC_E_NOT_A_REGION;
}

/* The lowest number that is free: so the regions of backends that were killed are replaced. */
static int create(char *name, size_t size) {
    shmipc_host_config config = SHMIPC_HOST_CONFIG_INIT;
    config.request_capacity = config.response_capacity = CAPACITY;
    config.guest_slots = 0;
    config.mode = setting_guest_group[0] != '\0' ? 0660 : 0600;
    int error = SHMIPC_E_NAME_IN_USE;
    for (int i = 0; is_taken(error) && i < MaxBackends; i++) {
        (void)snprintf(name, size, "%.190s-%d", setting_prefix, i);
        error = shmipc_host_create(name, &config, &region.host);
    }
    return error;
}

/* A host's configuration cannot name the group of its region, by which another user's guest may
   open it. */
static bool give_to_group(const char *name, gid_t group) {
    char path[SHMIPC_NAME_MAX + 32];
    (void)snprintf(path, sizeof path, "/dev/shm/shmipc.%s", name);
    return chown(path, (uid_t)-1, group) == 0;
}

static gid_t group_of_guests(void) {
    if (setting_guest_group[0] == '\0')
        return (gid_t)-1; /* which chown leaves as it is */
    const struct group *group = getgrnam(setting_guest_group);
    if (group == NULL)
        ereport(ERROR, errcode(ERRCODE_UNDEFINED_OBJECT),
                errmsg("shmipc_go.guest_group: there is no group \"%s\"", setting_guest_group));
    return group->gr_gid;
}

/* Backends that ended with the crash of another one have left theirs. Only their user may remove
   them, so the Go process may not. */
static void sweep(void) {
    char prefix[SHMIPC_NAME_MAX + 1];
    (void)snprintf(prefix, sizeof prefix, "%.190s-", setting_prefix);
    (void)shmipc_remove_dead_regions(prefix);
}

/* The descriptor is last: what it is signalled by gets the region's group. */
static void make(void) {
    char name[SHMIPC_NAME_MAX + 1];
    gid_t group = group_of_guests();
    close_when_the_backend_ends();
    int error = create(name, sizeof name);
    bool given = error || give_to_group(name, group);
    int os_error = errno;
    if (error == SHMIPC_OK && given)
        error = shmipc_get_fd(region.host, &region.fd);
    if (error || !given)
        close_region();
    if (error)
        ereport(ERROR, errcode(ERRCODE_EXTERNAL_ROUTINE_INVOCATION_EXCEPTION),
                errmsg("%s", shmipc_last_error()));
    if (!given)
        ereport(ERROR, errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
                errmsg("shmipc_go.guest_group: the region cannot be given to group \"%s\": %s",
                       setting_guest_group, strerror(os_error)));
    sweep();
}

struct region *open_region(void) {
    if (region.host == NULL)
        make();
    return &region;
}
