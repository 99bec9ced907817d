/*
 * A child process must keep neither a mapping nor a descriptor of a region: either would keep its
 * parent's lock alive after the parent's death. The mapping is not inherited (MADV_DONTFORK); the
 * descriptors are closed in the child right after fork.
 */
#define _GNU_SOURCE
#include "platform/posix/object.h"

#include "base/error.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* What may interrupt a thread: signal handlers, and its cancellation. */
struct mask {
    sigset_t signals; /* blocked before */
    int cancellation;
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct object *objects;
static struct mask of_holder; /* of the thread that holds the mutex */
static int hook_error;

/* A signal handler that forks in the thread that holds the mutex would wait for its own thread; and
   if a thread were cancelled while it holds the mutex, all others would wait for ever. Signals that
   the kernel raises for an instruction are not blocked: blocked, they kill the process. */
static struct mask mask_all(void) {
    static const int of_instructions[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS};
    struct mask before = {.cancellation = shmi_cancellation_off()};
    sigset_t others;
    (void)sigfillset(&others);
    for (size_t i = 0; i < sizeof of_instructions / sizeof *of_instructions; i++)
        (void)sigdelset(&others, of_instructions[i]);
    (void)pthread_sigmask(SIG_BLOCK, &others, &before.signals);
    return before;
}

static void mask_restore(const struct mask *before) {
    (void)pthread_sigmask(SIG_SETMASK, &before->signals, NULL);
    shmi_cancellation_restore(before->cancellation);
}

void shmi_fork_hold(void) {
    const struct mask before = mask_all();
    pthread_mutex_lock(&mutex);
    of_holder = before;
}

/* Keeps errno. */
void shmi_fork_release(void) {
    const struct mask before = of_holder;
    pthread_mutex_unlock(&mutex);
    mask_restore(&before);
}

static void after_fork_in_child(void) {
    for (struct object *o = objects; o != NULL; o = o->next) {
        if (o->fd >= 0)
            shmi_descriptor_close(o->fd, &o->file);
        o->fd = -1;
        o->settled = false; /* never opened again in this child */
        o->base = NULL;
        if (o->fork_hook != NULL)
            o->fork_hook(o->fork_context);
    }
    shmi_pollable_forget_all();
    shmi_names_watch_forget_all();
    shmi_fork_release();
}

static void install(void) {
    hook_error = pthread_atfork(shmi_fork_hold, shmi_fork_release, after_fork_in_child);
}

/* A fork waits while the hooks are being installed. */
static void install_once(void) {
    const struct mask before = mask_all();
    pthread_once(&once, install);
    mask_restore(&before);
}

int shmi_fork_install(void) {
    install_once();
    if (hook_error == 0)
        return SHMIPC_OK;
    return shmi_fail_os(SHMIPC_E_NO_MEMORY, hook_error, "pthread_atfork: %s", strerror(hook_error));
}

int shmi_fork_watch(struct object *o) {
    int error = shmi_fork_install();
    if (error)
        return error;
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

int shmi_fork_keep_out(const struct object *o) {
    if (madvise(o->base, (size_t)o->size, MADV_DONTFORK) == 0)
        return SHMIPC_OK;
    return shmi_fail_needed("madvise(MADV_DONTFORK)", o->path);
}
