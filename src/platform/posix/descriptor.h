/*
 * Descriptors in a process shared with other code: ours are never standard descriptors, and a
 * number is taken for ours only after a check, since other code may have closed it.
 */
#ifndef SHMIPC_DESCRIPTOR_H
#define SHMIPC_DESCRIPTOR_H

#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

/* The descriptor that `make` makes by a system call, but never 0, 1 or 2: if these are closed, the
   process's output would otherwise be written into the file. -1, with errno, if `make` fails. */
typedef int descriptor_maker(const void *context);
int shmi_descriptor_make(descriptor_maker *make, const void *context);

/* The same for open, with O_CLOEXEC. */
int shmi_descriptor_open(const char *path, int flags, mode_t mode);

/* Opens a file for reading as a stream; NULL on failure. */
FILE *shmi_descriptor_read(const char *path);

/* Identifies a file as long as any process has it open or mapped. */
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

/* True if the number means that file now. Any code in the process may close it, and the next file
   that is opened gets the number. */
bool shmi_descriptor_is(int fd, const struct identity *file);

/* Closes the descriptor, unless it means something else by now. */
void shmi_descriptor_close(int fd, const struct identity *file);

#endif
