#include "tree.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

static bool visit(struct tree *tree, const char *directory, const WIN32_FIND_DATAA *found) {
    const DWORD no_file = FILE_ATTRIBUTE_REPARSE_POINT | FILE_ATTRIBUTE_DEVICE;
    char path[MAX_PATH];
    if ((found->dwFileAttributes & no_file) != 0 || strcmp(found->cFileName, ".") == 0 ||
        strcmp(found->cFileName, "..") == 0)
        return true;
    int length = snprintf(path, sizeof path, "%s/%s", directory, found->cFileName);
    if (length < 0 || (size_t)length >= sizeof path)
        return true;
    if ((found->dwFileAttributes & FILE_ATTRIBUTE_DIRECTORY) == 0)
        return tree_add(tree, path);
    return tree_leaves_out(path, found->cFileName) || tree_walk(tree, path);
}

bool tree_walk(struct tree *tree, const char *directory) {
    char pattern[MAX_PATH + 2];
    WIN32_FIND_DATAA found;
    (void)snprintf(pattern, sizeof pattern, "%s/*", directory);
    HANDLE search = FindFirstFileA(pattern, &found);
    bool good = search != INVALID_HANDLE_VALUE;
    bool more = good;
    while (good && more) {
        good = visit(tree, directory, &found);
        more = FindNextFileA(search, &found);
    }
    if (search != INVALID_HANDLE_VALUE)
        FindClose(search);
    return good;
}
