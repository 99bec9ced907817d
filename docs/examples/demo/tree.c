#define _GNU_SOURCE
#include "tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool tree_add(struct tree *tree, const char *path) {
    if (tree->count == tree->room) {
        size_t room = tree->room ? 2 * tree->room : 256;
        struct file *files = realloc(tree->files, room * sizeof *files);
        if (!files)
            return false;
        tree->files = files;
        tree->room = room;
    }
    char *copy = strdup(path);
    if (!copy)
        return false;
    tree->files[tree->count++] = (struct file){.path = copy};
    return true;
}

bool tree_leaves_out(const char *path, const char *name) {
    if (strcmp(name, ".git") == 0 || strcmp(name, ".tools") == 0)
        return true;
    char cache[4096];
    int length = snprintf(cache, sizeof cache, "%s/CMakeCache.txt", path);
    return length > 0 && (size_t)length < sizeof cache && access(cache, F_OK) == 0;
}

static int by_path(const void *a, const void *b) {
    return strcmp(((const struct file *)a)->path, ((const struct file *)b)->path);
}

bool tree_read(struct tree *tree, const char *directory) {
    *tree = (struct tree){.root = strlen(directory) + 1};
    errno = 0;
    if (!tree_walk(tree, directory)) {
        fprintf(stderr, "demo: cannot read %s: %s\n", directory, strerror(errno));
        return false;
    }
    if (tree->count == 0) {
        fprintf(stderr, "demo: %s has no files\n", directory);
        return false;
    }
    qsort(tree->files, tree->count, sizeof *tree->files, by_path);
    return true;
}

void tree_free(struct tree *tree) {
    for (size_t i = 0; i < tree->count; i++)
        free(tree->files[i].path);
    free(tree->files);
}
