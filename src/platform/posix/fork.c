/*
 * A child process must keep neither a mapping nor a descriptor of a region: either would keep its
 * parent's lock alive after the parent's death. The mapping is not inherited (MADV_DONTFORK); the
 * descriptors are closed in the child right after fork.
 */
#define _GNU_SOURCE
#include "object.h"

#include "error.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct object *objects;
static int hook_error;

void shmi_fork_hold(void) {
    pthread_mutex_lock(&mutex);
}

void shmi_fork_release(void) {
    pthread_mutex_unlock(&mutex);
}

static void after_fork_in_child(void) {
    for (struct object *o = objects; o != NULL; o = o->next) {
        if (o->fd >= 0)
            close(o->fd);
        o->fd = -1;
        o->base = NULL;
        if (o->fork_hook != NULL)
            o->fork_hook(o->fork_context);
    }
    pthread_mutex_unlock(&mutex);
}

static void install(void) {
    hook_error = pthread_atfork(shmi_fork_hold, shmi_fork_release, after_fork_in_child);
}

int shmi_fork_watch(struct object *o) {
    pthread_once(&once, install);
    if (hook_error != 0)
        return shmi_fail_os(SHMIPC_E_NO_MEMORY, hook_error, "pthread_atfork: %s",
                            strerror(hook_error));
    shmi_fork_hold();
    o->next = objects;
    objects = o;
    shmi_fork_release();
    return SHMIPC_OK;
}

void shmi_fork_unwatch(struct object *o) {
    for (struct object **link = &objects; *link != NULL; link = &(*link)->next) {
        if (*link == o) {
            *link = o->next;
            break;
        }
    }
}

int shmi_fork_keep_out(void *base, size_t size) {
    if (madvise(base, size, MADV_DONTFORK) == 0)
        return SHMIPC_OK;
    int os_error = errno;
    return shmi_fail_os(SHMIPC_E_SYSTEM, os_error, "madvise(MADV_DONTFORK) of %zu bytes: %s", size,
                        strerror(os_error));
}
