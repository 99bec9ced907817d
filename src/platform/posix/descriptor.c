#define _GNU_SOURCE
#include "platform/posix/descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { STANDARD = 3 };

static bool is_standard(int fd) {
    return fd >= 0 && fd < STANDARD;
}

/* Placeholders for the free standard descriptors during an open. They can be neither read nor
   written: a thread that uses one gets EBADF, as before. */
struct stand_ins {
    int fds[STANDARD];
    int count;
    struct identity file;
};

static int open_stand_in(void) {
    return open("/", O_PATH | O_CLOEXEC);
}

static void take_up_standard(struct stand_ins *s) {
    struct stat status;
    int fd = open_stand_in();
    while (is_standard(fd) && s->count < STANDARD && fstat(fd, &status) == 0) {
        s->file = identity_of(&status);
        s->fds[s->count++] = fd;
        fd = open_stand_in();
    }
    if (fd >= 0)
        close(fd);
}

/* Does not close a file by which another thread replaced a placeholder. */
static void give_back_standard(struct stand_ins *s) {
    int os_error = errno; /* of the open in between */
    while (s->count > 0)
        shmi_descriptor_close(s->fds[--s->count], &s->file);
    errno = os_error;
}

/* Tries again if another thread has closed a standard descriptor in between. */
int shmi_descriptor_make(descriptor_maker *make, const void *context) {
    struct stand_ins stand_ins = {.count = 0};
    int fd;
    do {
        take_up_standard(&stand_ins);
        fd = make(context);
        give_back_standard(&stand_ins);
    } while (is_standard(fd) && close(fd) == 0);
    return fd;
}

struct opening {
    const char *path;
    int flags;
    mode_t mode;
};

static int open_file(const void *context) {
    const struct opening *opening = context;
    return open(opening->path, opening->flags | O_CLOEXEC, opening->mode);
}

int shmi_descriptor_open(const char *path, int flags, mode_t mode) {
    const struct opening opening = {path, flags, mode};
    return shmi_descriptor_make(open_file, &opening);
}

FILE *shmi_descriptor_read(const char *path) {
    int fd = shmi_descriptor_open(path, O_RDONLY, 0);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "r");
    if (file == NULL && fd >= 0)
        close(fd);
    return file;
}

bool shmi_descriptor_is(int fd, const struct identity *file) {
    struct stat status;
    return fstat(fd, &status) == 0 && is_file(&status, file);
}

/* After an error other than EBADF the descriptor may still be that file's, so it is closed. */
void shmi_descriptor_close(int fd, const struct identity *file) {
    struct stat status;
    bool ours = fstat(fd, &status) == 0 ? is_file(&status, file) : errno != EBADF;
    if (ours)
        close(fd);
}
