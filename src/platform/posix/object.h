/* The shared object of the POSIX files. */
#ifndef SHMIPC_POSIX_OBJECT_H
#define SHMIPC_POSIX_OBJECT_H

#include "platform/platform.h"
#include "platform/posix/descriptor.h"

/* TAKEOVER_LOCK, beyond the peers' locks: held to replace a dead host's name, so that only one
   process does. */
enum { HOST_LOCK = 0, TAKEOVER_LOCK = 16 };

#define DIRECTORY "/dev/shm"
#define FILE_PREFIX "shmipc." /* before a region's name */

struct object {
    _Atomic int fd;       /* opening.c writes it while fork is held; -1 in a forked child */
    struct identity file; /* the file that fd was opened for; set with the first opening */
    bool settled;         /* only the mapping keeps our own lock; written while fork is held */
    bool blind;           /* fd was lost, and the file cannot be opened again; while fork is held */
    atomic_u32 reopenings; /* rises before each reopening, while fork is held */
    atomic_u32 trouble;    /* opening.c's, until it has been reported */
    uint32_t self;         /* our index: that of the first lock taken; NO_PEER before */
    void *base;
    uint64_t size;
    void (*fork_hook)(void *context);
    void *fork_context;
    struct object *next; /* of all open objects, kept by fork.c */
    uint64_t nonce;      /* of the region, once mapped */
    const char *name;    /* the user's part of the path */
    char path[256];
};

/* object.c: make a handle of the name with nothing open yet; open the file of the name, and store
   its status. */
int shmi_object_new(const char *name, struct object **object);
int shmi_object_open_existing(struct object *object, struct stat *status);

/* opening.c: the first opening; stores the file's status. -1 with errno on failure; if *opened, the
   errno is fstat's. */
int shmi_opening_first(struct object *object, const char *path, int flags, mode_t mode,
                       struct stat *status, bool *opened);

/* True if the descriptor means our file; opens the file again if necessary. */
bool shmi_opening_regain(struct object *object);

/* takeover.c: takes the lock that a process must hold to remove a dead host's name; closing the
   handle releases it. NAME_IN_USE if other processes hold it for too long. */
int shmi_take_over(struct object *object);

/* lock.c: tries whether locks can be tested. */
int shmi_lock_try(const struct object *object);

/* reserve.c: gives the file its size and, unless lazy, its memory. */
int shmi_reserve(const struct object *object, uint64_t size, bool lazy);

/* failure.c: the error for an errno; and records "<call> of <path>: ..." for the current errno. */
int shmi_error_of(int os_error);
int shmi_fail_call(const char *call, const char *path);

/* The same for a call that the library needs: NOT_SUPPORTED if the system does not know the call,
   or a sandbox forbids it. */
bool shmi_is_refusal(int os_error);
int shmi_fail_needed(const char *call, const char *path);

/* pollable.c: removes what is named after the region for its peers' descriptors. In a forked child:
   closes all descriptors. */
void shmi_pollable_remove_names(uint64_t nonce);
void shmi_pollable_forget_all(void);

/* names_watch.c: in a forked child: closes all descriptors. */
void shmi_names_watch_forget_all(void);

/* fork.c: installs the handlers of fork, once; before shmi_fork_hold, if there may be no object. */
int shmi_fork_install(void);

/* fork.c: keeps the object's descriptor and mapping out of children. */
int shmi_fork_watch(struct object *object);
void shmi_fork_unwatch(struct object *object); /* while fork is held */
int shmi_fork_keep_out(const struct object *object);

/* While these are held no fork happens, so a new descriptor cannot slip into a child unseen. */
void shmi_fork_hold(void);
void shmi_fork_release(void);

#endif
