/*
 * The porting contract: everything the library needs of a system. All code above this layer is the
 * same on every system; docs/porting.md says what an implementation must prove.
 *
 * Functions that return int return SHMIPC_OK or an error, with its sentence recorded.
 */
#ifndef SHMIPC_PLATFORM_H
#define SHMIPC_PLATFORM_H

#include "wire/layout.h"

#include "shmipc/shmipc.h"

/* ---- The shared object: named memory with one lock per peer (object.c, names.c, lock.c) ---- */

struct object;

struct object_rules {
    uint32_t mode;    /* permissions of the new object, or the most that an existing one may have */
    int64_t owner;    /* the required owner of an existing one; SHMIPC_OWNER_SELF, OWNER_ANY */
    bool lazy;        /* do not reserve the memory */
    bool global;      /* the name means the same in every session, where there are sessions */
    const char *sddl; /* permissions of the new object in Windows' language, or NULL */
    const char *owner_sid; /* the required owner, in Windows' language, or NULL */
};

#define OWNER_ANY INT64_MIN

/* Creates a zeroed object of the geometry's size, maps it, and gives it no name yet. The geometry's
   nonce distinguishes its parts from those of every other object. */
int shmi_object_create(const char *name, const struct geometry *geometry,
                       const struct object_rules *rules, struct object **object);

/* Gives the object its name. NAME_IN_USE: an object with this name has its host lock held. An
   object whose host lock is free loses the name; its host lock is never taken for that, not even
   briefly, since a held lock proves a live host. The caller holds its own host lock. */
int shmi_object_publish(struct object *object);

/* Removes the name, if it still means this object. DENIED: this process may not do so any more. */
int shmi_object_unpublish(struct object *object);

/* Opens the object of this name without mapping it. NOT_FOUND if there is none. */
int shmi_object_open(const char *name, const struct object_rules *rules, struct object **object);

/* Maps an opened object; its real size must be at least the geometry's. */
int shmi_object_map(struct object *object, const struct geometry *geometry);

/* Copies the first `size` bytes of an object that is not mapped; TRUNCATED if it is smaller. */
int shmi_object_read(struct object *object, void *to, size_t size);

void *shmi_object_base(const struct object *object);

/* Tells an object from every other as long as it has its name. */
struct object_identity {
    uint64_t device;
    uint64_t number;
};
struct object_identity shmi_object_identity(const struct object *object);

/* Removes the name of an object whose host lock is free; afterwards the object may only be closed.
   If several processes try at the same time, one succeeds. NAME_IN_USE: the lock is held.
   NOT_FOUND: the name no longer means this object. */
int shmi_object_remove_dead(struct object *object);

/* Calls visit(context, name) for each object whose name begins with `prefix`, region or not, until
   a call returns a value other than 0. Returns that value, 0, or an error. On a system where no
   object outlives its users it visits none. */
typedef int (*object_visitor)(void *context, const char *name);
int shmi_object_list(const char *prefix, object_visitor visit, void *context);

/* Stores the identity of the object that the name means, also of one that may not be opened. False
   if the name means nothing that shmi_object_list would visit. */
bool shmi_object_is_listed(const char *name, struct object_identity *identity);

/* False once the object has lost its name: the host has gone, another host has taken over, or
   another program has removed the name. True if that cannot be found out. */
bool shmi_object_has_name(struct object *object);

/* Tries, in a mapped object, the system calls that the functions below need, and changes nothing.
   NOT_SUPPORTED, with a sentence that names the call: without it a death would go unnoticed, or a
   wait would not sleep. */
int shmi_object_try(struct object *object);

/* For the holder of its own lock, in a mapped object that has its name: from now on only the
   mapping keeps the lock, and a child that inherits descriptors does not. NOT_FOUND: the name means
   another object by now. */
int shmi_object_settle(struct object *object);

/* A sentence for the user's log, returned once, if other code has interfered with the object; else
   NULL. */
const char *shmi_object_trouble(struct object *object);

/* Unmaps and closes; the locks go with it. NULL is allowed. */
void shmi_object_close(struct object *object);

/* Turns the mapping into private memory at the same address, atomically: no other process sees what
   any thread writes there from then on. Reads still show the writes of others, except in bytes that
   are kept (shmi_object_keep). Returns a second mapping, in which the caller goes on as the same
   peer. NULL: the system cannot do that now, and nothing has changed. */
void *shmi_object_detach(struct object *object);

/* Keeps the present contents of `size` bytes from `start` in the memory of a detached object. */
void shmi_object_keep(struct object *object, void *start, size_t size);

/* Unmaps the view that shmi_object_detach returned, and gives up this peer's lock: this process can
   no longer write to the object. The private memory stays until the object is closed. */
void shmi_object_let_go(struct object *object, void *view);

/* Installs `hook(context)`, to be called in a child process after fork, when the child has neither
   mapping nor locks any more. The hook may only store flags. */
void shmi_object_on_fork(struct object *object, void (*hook)(void *context), void *context);

enum lock_verdict { LOCK_TAKEN, LOCK_HELD, LOCK_ERROR };

/* A lock belongs to this opening of the object, not to a thread, and is held until it is released
   or the mapping is gone, however the process ends. So a lock that another process could take
   proves that its former holder can no longer write to the memory. */
enum lock_verdict shmi_peer_lock(struct object *object, uint32_t peer);

/* Called directly after LOCK_ERROR: returns its error, with a sentence. */
int shmi_fail_lock(const struct object *object, uint32_t peer);

void shmi_peer_unlock(struct object *object, uint32_t peer);

/* True if an opening of the object other than this peer's holds the lock, or if that cannot be
   found out. */
bool shmi_peer_is_locked(struct object *object, uint32_t peer);

/* ---- Waiting ---- */

/* The word lies in the memory of `object`; or, if `object` is NULL, in private memory of this
   process, and only its threads sleep on it. */

/* Sleeps while *word == expected, until woken or `deadline` (shmi_clock_now); may wake up
   spuriously. `home` is a number by which the sleeper can be found, or NO_HOME. True if the process
   of another peer was seen to end meanwhile: the caller then looks for deaths at once. A system
   that does not report ends returns false: then the ticks find deaths. */
bool shmi_word_wait(struct object *object, atomic_u32 *word, uint32_t expected, uint64_t deadline,
                    uint32_t home);
#define NO_HOME UINT32_MAX

/* Wakes `count` sleepers on the word, in all processes. Legal to wake more. Returns how many it
   woke, or may have woken. */
uint32_t shmi_word_wake(struct object *object, atomic_u32 *word, uint32_t count);

/* Wakes one sleeper of peer `peer` on a word of a region. Returns 0 if there was none, or if the
   system does not report it. A system that cannot choose wakes only a sleeper of the own peer. */
uint32_t shmi_word_wake_peer(struct object *object, atomic_u32 *word, uint32_t peer);

/* The same for a sleeper of that peer with this home. May wake another one instead, since many
   homes share few bits. Returns 0 if the system cannot choose. */
uint32_t shmi_word_wake_home(struct object *object, atomic_u32 *word, uint32_t peer, uint32_t home);

/* ---- Descriptors that an event loop can watch (pollable.c) ---- */

struct pollable;

/* Makes the descriptor of the peer that holds its own lock in this mapped object: at most one. It
   may outlive the object. */
int shmi_pollable_open(struct object *object, struct pollable **pollable);
void shmi_pollable_close(struct pollable *pollable); /* NULL is allowed */

shmipc_fd shmi_pollable_fd(const struct pollable *pollable);

/* Makes the descriptor not ready, until it is signalled or the clock passes `until`. SYSTEM: other
   code has closed it. */
int shmi_pollable_clear(struct pollable *pollable, uint64_t until);

/* Makes the descriptor ready, for its owner. */
void shmi_pollable_signal(struct pollable *pollable);

/* Makes the descriptor ready also when process `pid` ends, by this process's reckoning of ids. At
   most one at a time. False: the system does not report ends so, or cannot now. */
bool shmi_pollable_watch(struct pollable *pollable, uint32_t pid);

/* True, once, if that process has ended; it is not watched any more then. */
bool shmi_pollable_saw_end(struct pollable *pollable);

/* Makes the descriptor of peer `peer` ready; false if it has none, or this process cannot. A few
   system calls. May run in a signal handler where shmi_word_wake may. */
bool shmi_object_signal(struct object *object, uint32_t peer);

/* For a peer that leaves and still has its lock: nobody can signal its descriptor any more; nor
   those of the others if it is the host. */
void shmi_object_unready(struct object *object);

/* ---- Names that come and go (names_watch.c) ---- */

struct names_watch;

/* Watches the names of all objects from now on. NOT_SUPPORTED where names cannot be listed. */
int shmi_names_watch_open(struct names_watch **watch);
void shmi_names_watch_close(struct names_watch *watch); /* NULL is allowed */

/* A descriptor that is ready while there are reports to take. CLOSED: in a forked child. */
int shmi_names_watch_fd(const struct names_watch *watch, shmipc_fd *fd);

/* Takes reports: calls visit(context, name) for each name that has come to mean an object, does so
   no longer, or whose object has got other permissions; some perhaps twice, and others' as well.
   Returns 1 if any name may have changed meanwhile, since reports were lost; 0; or what a visit
   returned; or an error. Leaves what a few reads do not take. CLOSED: in a forked child. SYSTEM:
   other code has closed the descriptor. */
int shmi_names_watch_take(struct names_watch *watch, object_visitor visit, void *context);

/* Makes the descriptor ready also when the clock passes `until`, until that is changed. */
void shmi_names_watch_until(struct names_watch *watch, uint64_t until);

/* ---- Time and processors (clock.c, cpu.c) ---- */

#define CLOCK_NEVER UINT64_MAX

/* Monotonic nanoseconds. */
uint64_t shmi_clock_now(void);

/* Tells the processor that this is a spin loop. */
static inline void cpu_pause(void) {
#if defined(_MSC_VER) && defined(_M_X64)
    _mm_pause();
#elif defined(_MSC_VER)
    __isb(_ARM64_BARRIER_SY);
#elif defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    __asm__ volatile("isb" ::: "memory");
#endif
}

/* Makes the compiler branch here instead of selecting one of two values: then the next read, at the
   address of the predicted branch, does not wait for the condition. */
static inline void cpu_branch(void) {
#if !defined(_MSC_VER)
    __asm__ volatile("");
#endif
}

/* Takes a few cycles for each of the `turns` iterations: for delays shorter than a pause. */
static inline void cpu_delay(uint32_t turns) {
    for (volatile uint32_t left = turns; left > 0; left--) {
    }
}

/* Prefetches a cache line, without waiting for it. */
static inline void cpu_prefetch(const void *line) {
#if defined(_MSC_VER) && defined(_M_X64)
    _mm_prefetch((const char *)line, _MM_HINT_T0);
#elif !defined(_MSC_VER)
    __builtin_prefetch(line);
#else
    (void)line; /* only an optimization */
#endif
}

/* The same for a line that is about to be written here: other processors lose it. All but the very
   first x86-64 processors ignore the instruction if they lack it; compilers emit it only if told
   that it exists. */
static inline void cpu_prefetch_to_write(const void *line) {
#if defined(_MSC_VER) && defined(_M_X64) && !defined(__clang__)
    _m_prefetchw(line);
#elif defined(__x86_64__)
    __asm__ volatile("prefetchw %0" ::"m"(*(const char *)line));
#elif !defined(_MSC_VER)
    __builtin_prefetch(line, 1);
#else
    (void)line;
#endif
}

/* Yields the processor to another thread that is ready to run. */
void shmi_cpu_yield(void);

/* How many processors this process may use at a time, by its affinity and its quota. */
uint32_t shmi_cpu_count(void);

/* Binds the calling thread to processor `cpu`. INVALID: there is no such processor for it. */
int shmi_cpu_pin(uint32_t cpu);

uint32_t shmi_process_id(void);

/* Tells this process from others with the same id, at other times or in other namespaces: its start
   time, or the number of its process-id namespace. 0: unknown. */
uint64_t shmi_process_origin(void);

uint64_t shmi_random_nonce(void);

/* True if this process is ending and its other threads were ended already, at any point of their
   code: they never give back what they hold. On Windows this is so while modules are notified of
   the end. */
bool shmi_process_ends(void);

/* ---- Cancellation (thread.c) ---- */

/* Between these two calls the calling thread is not cancelled (pthread_cancel); `before` is the
   first one's result, and pairs nest. They enclose code with cancellation points, of the system or
   of the user: a thread that is cancelled there would never give back what it holds. No other code
   below this layer is a cancellation point. */
int shmi_cancellation_off(void);
void shmi_cancellation_restore(int before);

/* ---- Memory (memory.c) ---- */

/* Zeroed private memory that shares no pair of cache lines with any other; NULL if there is
   none. */
void *shmi_memory_allocate(size_t size);
void shmi_memory_free(void *memory); /* NULL is allowed */

#endif
