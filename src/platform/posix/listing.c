/*
 * Listing the names of regions.
 */
#define _GNU_SOURCE
#include "platform/posix/object.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static bool begins_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Anything but a plain file is no region, and must not even be opened: opening a pipe has
   effects. */
static bool may_be_region(const struct dirent *entry) {
    return begins_with(entry->d_name, FILE_PREFIX) &&
           (entry->d_type == DT_REG || entry->d_type == DT_UNKNOWN);
}

static int visit_all(DIR *directory, const char *prefix, object_visitor visit, void *context) {
    const struct dirent *entry;
    int result = 0;
    while (result == 0) {
        errno = 0;
        entry = readdir(directory);
        if (entry == NULL)
            return errno == 0 ? 0 : shmi_fail_call("readdir", DIRECTORY);
        const char *name = entry->d_name + sizeof FILE_PREFIX - 1;
        if (may_be_region(entry) && begins_with(name, prefix))
            result = visit(context, name);
    }
    return result;
}

int shmi_object_list(const char *prefix, object_visitor visit, void *context) {
    int fd = shmi_descriptor_open(DIRECTORY, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return errno == ENOENT ? 0 : shmi_fail_call("open", DIRECTORY);
    DIR *directory = fdopendir(fd);
    if (directory == NULL) {
        int error = shmi_fail_call("fdopendir", DIRECTORY);
        (void)close(fd);
        return error;
    }
    int result = visit_all(directory, prefix, visit, context);
    (void)closedir(directory);
    return result;
}

bool shmi_object_is_listed(const char *name, struct object_identity *identity) {
    char path[256];
    struct stat status;
    (void)snprintf(path, sizeof path, DIRECTORY "/" FILE_PREFIX "%s", name);
    if (lstat(path, &status) != 0 || !S_ISREG(status.st_mode))
        return false;
    *identity = (struct object_identity){(uint64_t)status.st_dev, (uint64_t)status.st_ino};
    return true;
}
