/*
 * No watch on names: no documented call lists the names of sections.
 */
#include "platform/platform.h"

#include "base/error.h"

static int refuse(void) {
    return shmi_fail(SHMIPC_E_NOT_SUPPORTED, "on Windows the names of regions cannot be listed");
}

int shmi_names_watch_open(struct names_watch **watch) {
    (void)watch;
    return refuse();
}

void shmi_names_watch_close(struct names_watch *watch) {
    (void)watch;
}

int shmi_names_watch_fd(const struct names_watch *watch, shmipc_fd *fd) {
    (void)watch;
    (void)fd;
    return refuse();
}

int shmi_names_watch_take(struct names_watch *watch, object_visitor visit, void *context) {
    (void)watch;
    (void)visit;
    (void)context;
    return refuse();
}

void shmi_names_watch_until(struct names_watch *watch, uint64_t until) {
    (void)watch;
    (void)until;
}
