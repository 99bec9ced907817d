/* The files of a directory. */
#ifndef DEMO_TREE_H
#define DEMO_TREE_H

#include "messages.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/stat.h>

enum file_status {
    FILE_WAITS,      /* not sent */
    FILE_UNREADABLE, /* could not be opened or read */
    FILE_ANSWERED,   /* digest is the guest's, not checked yet */
    FILE_OK,
    FILE_CHANGED, /* somebody wrote to it during the demo, so there is nothing to compare */
    FILE_WRONG,   /* the guest's digest is not the right one */
};

struct file {
    char *path;
    enum file_status status;
    struct stat opened; /* when it was sent */
    uint64_t bytes;     /* sent */
    struct digest digest;
};

struct tree {
    size_t root; /* length of the directory's own part of each path */
    size_t count, room;
    struct file *files; /* sorted by path */
};

/* Finds the regular files below `directory`, but those of .git, .tools and build trees. Returns
   false and says why if that fails. */
bool tree_read(struct tree *tree, const char *directory);

void tree_free(struct tree *tree);

/* How a system walks: each regular file below the directory is added, but nothing below a directory
   that is left out. Links are not followed. */
bool tree_walk(struct tree *tree, const char *directory);
bool tree_add(struct tree *tree, const char *path);
bool tree_leaves_out(const char *path, const char *name);

#endif
