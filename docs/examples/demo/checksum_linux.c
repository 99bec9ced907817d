#define _GNU_SOURCE
#include "checksum.h"

#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

const char *const digest_program = "sha256sum";

enum { HEX = 64, SEPARATOR = 2, COMMAND_NOT_FOUND = 127 };

static void write_names(const struct tree *tree, FILE *names) {
    for (size_t i = 0; i < tree->count; i++) {
        if (tree->files[i].status == FILE_ANSWERED)
            fwrite(tree->files[i].path, strlen(tree->files[i].path) + 1, 1, names);
    }
    rewind(names); /* flushes, too: the child reads the descriptor */
}

/* Runs sha256sum for the names in one file, its output going to the other. It returns non-zero if
   it could not read a file; that file then has no line. */
static bool run_sha256sum(FILE *names, FILE *sums) {
    char *arguments[] = {"xargs", "-0", "sha256sum", "-z", "--", NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, fileno(names), 0);
    posix_spawn_file_actions_adddup2(&actions, fileno(sums), 1);
    int error = posix_spawnp(&child, arguments[0], &actions, NULL, arguments, environ);
    posix_spawn_file_actions_destroy(&actions);
    int status = 0;
    if (error || waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
        WEXITSTATUS(status) == COMMAND_NOT_FOUND) {
        fprintf(stderr, "demo: cannot run sha256sum, so nothing checks the digests\n");
        return false;
    }
    rewind(sums);
    return true;
}

static bool same_digest(const struct file *file, const char *hex) {
    char ours[HEX + 1];
    for (size_t i = 0; i < sizeof file->digest.sha256; i++)
        (void)snprintf(ours + 2 * i, 3, "%02x", file->digest.sha256[i]);
    return strncmp(ours, hex, HEX) == 0;
}

static bool is_unchanged(const struct file *file) {
    struct stat now;
    return stat(file->path, &now) == 0 && now.st_size == file->opened.st_size &&
           now.st_mtim.tv_sec == file->opened.st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == file->opened.st_mtim.tv_nsec;
}

/* The lines "<digest>  <path>" come in the order of the names. */
static void compare(struct tree *tree, FILE *sums) {
    char *line = NULL;
    size_t room = 0;
    ssize_t length = getdelim(&line, &room, '\0', sums);
    for (size_t i = 0; i < tree->count; i++) {
        struct file *file = &tree->files[i];
        if (file->status != FILE_ANSWERED)
            continue;
        bool listed = length > HEX + SEPARATOR && strcmp(line + HEX + SEPARATOR, file->path) == 0;
        if (listed && same_digest(file, line))
            file->status = FILE_OK;
        else
            file->status = is_unchanged(file) ? FILE_WRONG : FILE_CHANGED;
        if (listed)
            length = getdelim(&line, &room, '\0', sums);
    }
    free(line);
}

bool check_digests(struct tree *tree) {
    FILE *names = tmpfile();
    FILE *sums = tmpfile();
    bool ran = false;
    if (names && sums) {
        write_names(tree, names);
        ran = run_sha256sum(names, sums);
    } else {
        perror("demo: tmpfile");
    }
    if (ran)
        compare(tree, sums);
    if (sums)
        fclose(sums);
    if (names)
        fclose(names);
    return ran;
}
