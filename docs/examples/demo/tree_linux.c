#define _GNU_SOURCE
#include "tree.h"

#include <ftw.h>

static struct tree *reading; /* nftw hands no context to its visitor */

static int visit(const char *path, const struct stat *status, int kind, struct FTW *where) {
    if (kind == FTW_D && where->level > 0 && tree_leaves_out(path, path + where->base))
        return FTW_SKIP_SUBTREE;
    if (kind == FTW_F && S_ISREG(status->st_mode) && !tree_add(reading, path))
        return FTW_STOP;
    return FTW_CONTINUE;
}

bool tree_walk(struct tree *tree, const char *directory) {
    enum { DESCRIPTORS = 16 };
    reading = tree;
    return nftw(directory, visit, DESCRIPTORS, FTW_PHYS | FTW_ACTIONRETVAL) == 0;
}
