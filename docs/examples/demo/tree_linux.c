#define _GNU_SOURCE
#include "tree.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

static bool visit(struct tree *tree, const char *directory, const char *name) {
    struct stat status;
    char path[PATH_MAX];
    if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return true;
    int length = snprintf(path, sizeof path, "%s/%s", directory, name);
    if (length < 0 || (size_t)length >= sizeof path || lstat(path, &status) != 0)
        return true;
    if (S_ISREG(status.st_mode))
        return tree_add(tree, path);
    return !S_ISDIR(status.st_mode) || tree_leaves_out(path, name) || tree_walk(tree, path);
}

bool tree_walk(struct tree *tree, const char *directory) {
    DIR *entries = opendir(directory);
    if (entries == NULL)
        return errno == EACCES; /* what may not be read is passed over */
    bool good = true;
    for (const struct dirent *e = readdir(entries); good && e != NULL; e = readdir(entries))
        good = visit(tree, directory, e->d_name);
    (void)closedir(entries);
    return good;
}
