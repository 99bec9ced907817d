/*
 * Keeping late writes out of the region: a private mapping of the same file replaces the shared
 * one. It shows the same bytes; a page that is written becomes private to this process.
 */
#define _GNU_SOURCE
#include "platform/posix/object.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14; before, EINVAL */
#endif

static void *usable(void *mapping) {
    return mapping == MAP_FAILED ? NULL : mapping;
}

/* False if the descriptor's number has come to mean another file: then the bytes differ. */
static bool shows_the_same(const struct object *o, const void *mapping) {
    struct stat status;
    return fstat(o->fd, &status) == 0 && (uint64_t)status.st_size >= o->size &&
           memcmp(mapping, o->base, offsetof(struct header, ready)) == 0;
}

static void *map_privately(const struct object *o) {
    void *mapping = usable(mmap(NULL, o->size, PROT_READ | PROT_WRITE, MAP_PRIVATE, o->fd, 0));
    if (mapping == NULL)
        return NULL;
    if (shows_the_same(o, mapping) && madvise(mapping, o->size, MADV_DONTFORK) == 0)
        return mapping;
    munmap(mapping, o->size);
    return NULL;
}

/* The kernel moves one mapping over the other atomically: no thread can touch either meanwhile. */
static bool replace(const struct object *o, void *mapping) {
    if (mremap(mapping, o->size, o->size, MREMAP_MAYMOVE | MREMAP_FIXED, o->base) == o->base)
        return true;
    munmap(mapping, o->size);
    return false;
}

/* An old size of 0 makes a second mapping of the same opening, which keeps the lock. */
static void *detach(const struct object *o) {
    void *view = usable(mremap(o->base, 0, o->size, MREMAP_MAYMOVE));
    if (view == NULL)
        return NULL;
    void *mapping = madvise(view, o->size, MADV_DONTFORK) == 0 ? map_privately(o) : NULL;
    if (mapping != NULL && replace(o, mapping))
        return view;
    munmap(view, o->size);
    return NULL;
}

void *shmi_object_detach(struct object *o) {
    if (!shmi_opening_regain(o))
        return NULL;
    shmi_fork_hold();
    void *view = detach(o);
    shmi_fork_release();
    return view;
}

/* Adding 0 to a byte writes its page. Atomically, so that another thread's write at the same moment
   is not lost. Volatile, since a compiler turns the addition of a known 0 into a load. */
// NOLINTNEXTLINE(readability-non-const-parameter): it writes, though the bytes stay the same
static void touch(char *start, const char *end, size_t page) {
    static const volatile char nothing = 0;
    for (; start < end; start += page)
        (void)__atomic_fetch_add(start, nothing, __ATOMIC_RELAXED);
}

void shmi_object_keep(struct object *o, void *start, size_t size) {
    const size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t from = (size_t)((char *)start - (char *)o->base) / page * page;
    char *begin = (char *)o->base + from;
    char *end = (char *)start + size;
    if (madvise(begin, (size_t)(end - begin), MADV_POPULATE_WRITE) != 0 && errno == EINVAL)
        touch(begin, end, page);
}

/* The view was the last mapping of the opening that has the lock. */
void shmi_object_let_go(struct object *o, void *view) {
    munmap(view, o->size);
}
