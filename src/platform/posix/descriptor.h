/*
 * Descriptors in a process that others share: none of ours is a standard one, and a number that was
 * ours is believed to be so only after a look.
 */
#ifndef SHMIPC_DESCRIPTOR_H
#define SHMIPC_DESCRIPTOR_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

/* As open, with O_CLOEXEC, but never 0, 1 or 2: where these are closed, what the process prints
   would be written into the file. */
int shmi_descriptor_open(const char *path, int flags, mode_t mode);

/* The same to be read as a stream; NULL: it cannot be. */
FILE *shmi_descriptor_read(const char *path);

/* What tells a file from every other one as long as somebody has it open or mapped. */
struct identity {
    dev_t device;
    ino_t inode;
};

static inline struct identity identity_of(const struct stat *status) {
    return (struct identity){status->st_dev, status->st_ino};
}

static inline bool is_file(const struct stat *status, const struct identity *file) {
    return status->st_dev == file->device && status->st_ino == file->inode;
}

/* True if the number means that file now. Anybody in the process may close it, and a file that is
   opened next gets the number. */
bool shmi_descriptor_is(int fd, const struct identity *file);

/* Closes the descriptor, unless it means something else by now. */
void shmi_descriptor_close(int fd, const struct identity *file);

#endif
