#define _GNU_SOURCE
#include "support/shared_mapping.h"

#include "support/fixture.h"

#include "platform/platform.h"

#include <sys/mman.h>
#include <sys/stat.h>

enum { MAPPINGS = 16 };

struct mapping {
    dev_t device;
    ino_t inode;
    void *base;
    size_t size;
    int users;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct mapping mappings[MAPPINGS];

/* Named for the linker, which puts ours in place of the real ones. */
void *real_mmap(void *base, size_t size, int protection, int flags, int fd,
                off_t offset) __asm__("__real_mmap");
void *shared_mmap(void *base, size_t size, int protection, int flags, int fd,
                  off_t offset) __asm__("__wrap_mmap");
int real_munmap(void *base, size_t size) __asm__("__real_munmap");
int shared_munmap(void *base, size_t size) __asm__("__wrap_munmap");
int keep_descriptor(struct object *object) __asm__("__wrap_shmi_object_settle");

static struct mapping *find_file(const struct stat *status) {
    for (int i = 0; i < MAPPINGS; i++) {
        struct mapping *m = &mappings[i];
        if (m->users > 0 && m->device == status->st_dev && m->inode == status->st_ino)
            return m;
    }
    return NULL;
}

static struct mapping *find_base(const void *base) {
    for (int i = 0; i < MAPPINGS; i++) {
        if (mappings[i].users > 0 && mappings[i].base == base)
            return &mappings[i];
    }
    return NULL;
}

static struct mapping *find_unused(void) {
    for (int i = 0; i < MAPPINGS; i++) {
        if (mappings[i].users == 0)
            return &mappings[i];
    }
    return NULL;
}

static struct mapping *map_anew(const struct stat *status, size_t size, int protection, int flags,
                                int fd) {
    struct mapping *m = find_unused();
    must(m != NULL);
    void *base = real_mmap(NULL, size, protection, flags, fd, 0);
    if (base == MAP_FAILED)
        return NULL;
    *m = (struct mapping){status->st_dev, status->st_ino, base, size, 0};
    return m;
}

void *shared_mmap(void *base, size_t size, int protection, int flags, int fd, off_t offset) {
    struct stat status;
    if ((flags & MAP_SHARED) == 0 || fd < 0)
        return real_mmap(base, size, protection, flags, fd, offset);
    must_equal(fstat(fd, &status), 0);
    pthread_mutex_lock(&mutex);
    struct mapping *m = find_file(&status);
    if (m == NULL)
        m = map_anew(&status, size, protection, flags, fd);
    if (m != NULL) {
        must_equal(m->size, size);
        m->users++;
    }
    pthread_mutex_unlock(&mutex);
    return m != NULL ? m->base : MAP_FAILED;
}

int shared_munmap(void *base, size_t size) {
    int result = 0;
    pthread_mutex_lock(&mutex);
    struct mapping *m = find_base(base);
    if (m == NULL || --m->users == 0)
        result = real_munmap(base, size);
    pthread_mutex_unlock(&mutex);
    return result;
}

/* Of several openings the mapping keeps but one: so each peer's descriptor keeps its lock. */
int keep_descriptor(struct object *object) {
    (void)object;
    return SHMIPC_OK;
}

static int sum(bool users) {
    int result = 0;
    pthread_mutex_lock(&mutex);
    for (int i = 0; i < MAPPINGS; i++)
        result += users ? mappings[i].users : mappings[i].users > 0;
    pthread_mutex_unlock(&mutex);
    return result;
}

int shared_mappings(void) {
    return sum(false);
}

int shared_mapping_users(void) {
    return sum(true);
}
