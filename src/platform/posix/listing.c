/*
 * Which names there are.
 */
#define _GNU_SOURCE
#include "object.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

#define FILE_PREFIX "shmipc."

static bool begins_with(const char *text, const char *prefix) {
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

/* Anything but a plain file is none of ours, and may not even be opened: a pipe would notice. */
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
    DIR *directory = opendir(DIRECTORY);
    if (directory == NULL)
        return errno == ENOENT ? 0 : shmi_fail_call("opendir", DIRECTORY);
    int result = visit_all(directory, prefix, visit, context);
    (void)closedir(directory);
    return result;
}
