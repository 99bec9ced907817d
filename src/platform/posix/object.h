/* What the POSIX files know of an object. */
#ifndef SHMIPC_POSIX_OBJECT_H
#define SHMIPC_POSIX_OBJECT_H

#include "platform/platform.h"
#include "platform/posix/descriptor.h"

/* Besides the peers': who replaces a dead host's name holds this, so that only one does. */
enum { HOST_LOCK = 0, TAKEOVER_LOCK = 16 };

#define DIRECTORY "/dev/shm"

struct object {
    _Atomic int fd; /* written while fork is held, by opening.c; -1 after fork, in the child */
    struct identity file; /* what fd was opened to mean; set with the first opening */
    bool settled;         /* the mapping alone keeps the own lock; written while fork is held */
    bool blind;           /* fd was lost, and the file cannot be opened again; while fork is held */
    atomic_u32 reopenings; /* counted before each of them, while fork is held */
    atomic_u32 trouble;    /* of opening.c, until somebody has been told */
    uint32_t self;         /* the first lock that was taken says who we are; NO_PEER */
    void *base;
    uint64_t size;
    void (*fork_hook)(void *context);
    void *fork_context;
    struct object *next; /* of all open objects, kept by fork.c */
    const char *name;    /* the user's part of the path */
    char path[256];
};

/* object.c: a handle of the name that has nothing open yet, and opening what has the name,
   whose status it tells. */
int shmi_object_new(const char *name, struct object **object);
int shmi_object_open_existing(struct object *object, struct stat *status);

/* opening.c: the first opening, whose status it tells; -1 with errno, which is fstat's if it was
   *opened. */
int shmi_opening_first(struct object *object, const char *path, int flags, mode_t mode,
                       struct stat *status, bool *opened);

/* True if the descriptor means our file, if need be after it was opened again. */
bool shmi_opening_regain(struct object *object);

/* takeover.c: takes the lock without which nobody takes a dead host's name away; it goes with the
   handle. NAME_IN_USE if others hold it for long. */
int shmi_take_over(struct object *object);

/* lock.c: tries to ask for a lock. */
int shmi_lock_try(const struct object *object);

/* reserve.c: gives the file its size and, unless it is to be lazy, its memory. */
int shmi_reserve(const struct object *object, uint64_t size, bool lazy);

/* failure.c: the error that an errno means, and "<call> of <path>: ..." recorded for the present
   one. */
int shmi_error_of(int os_error);
int shmi_fail_call(const char *call, const char *path);

/* The same for a call that the library cannot do without: a refusal, since the system does not know
   it or a sandbox forbids it, is NOT_SUPPORTED. */
bool shmi_is_refusal(int os_error);
int shmi_fail_needed(const char *call, const char *path);

/* fork.c: keeps the object's descriptor and mapping out of children. */
int shmi_fork_watch(struct object *object);
void shmi_fork_unwatch(struct object *object); /* while fork is held */
int shmi_fork_keep_out(const struct object *object);

/* While these are held no fork happens, so a new descriptor cannot slip into a child unseen. */
void shmi_fork_hold(void);
void shmi_fork_release(void);

#endif
