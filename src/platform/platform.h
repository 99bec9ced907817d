/*
 * The porting contract: all the library needs of a system. Everything above this layer is the same
 * on every system; docs/porting.md says what an implementation must prove.
 *
 * Functions that return int return SHMIPC_OK or an error, with its sentence recorded.
 */
#ifndef SHMIPC_PLATFORM_H
#define SHMIPC_PLATFORM_H

#include "wire/layout.h"

/* ---- The shared object: named memory with one lock per peer (object.c, names.c, lock.c) ---- */

struct object;

struct object_rules {
    uint32_t mode;    /* permissions: of the new object, or the most an existing one may have */
    int64_t owner;    /* who must own an existing one; SHMIPC_OWNER_SELF */
    bool lazy;        /* do not reserve the memory */
    bool global;      /* the name means the same in every session, where there are sessions */
    const char *sddl; /* permissions of the new object in Windows' language, or NULL */
    const char *owner_sid; /* who must own an existing one, in Windows' language, or NULL */
};

/* A new zeroed object of the geometry's size, mapped, that has no name yet. `nonce`, which is to be
   written to its header, keeps its parts apart from those of every other object. */
int shmi_object_create(const char *name, uint64_t nonce, const struct geometry *geometry,
                       const struct object_rules *rules, struct object **object);

/* Gives the object its name. A name held by an object whose host lock is held is refused with
   NAME_IN_USE; one whose host lock is free is replaced, without its being held for a moment: a lock
   that is held proves a live host. The caller holds its own host lock. */
int shmi_object_publish(struct object *object);

/* Takes the name away again, if it still means this object. DENIED: this process may not, any
   more. */
int shmi_object_unpublish(struct object *object);

/* Opens what has the name, not mapped yet. NOT_FOUND if nothing has. */
int shmi_object_open(const char *name, const struct object_rules *rules, struct object **object);

/* Maps an opened object; its real size must be at least the geometry's. */
int shmi_object_map(struct object *object, const struct geometry *geometry);

/* Copies the first `size` bytes of an object that is not mapped; TRUNCATED if it is smaller. */
int shmi_object_read(struct object *object, void *to, size_t size);

void *shmi_object_base(const struct object *object);

/* Takes the name away from an object whose host lock is free; the object is of no use afterwards
   but to be closed. Of several that try at the same time one succeeds. NAME_IN_USE: the lock is
   held; NOT_FOUND: the name does not mean this object any more. */
int shmi_object_remove_dead(struct object *object);

/* Calls visit(context, name) for everything that has a name and begins with `prefix`, region or
   not, until one returns other than 0: the result is that, 0, or an error. Where nothing outlives
   those who use it there is nothing to visit. */
typedef int (*object_visitor)(void *context, const char *name);
int shmi_object_list(const char *prefix, object_visitor visit, void *context);

/* False once the name has been taken away: the host has gone, another has taken over, or somebody
   has removed it. True if it cannot be told. */
bool shmi_object_has_name(struct object *object);

/* Tries, in an object that is mapped, what the functions below are going to ask of the system, and
   changes nothing. NOT_SUPPORTED, with a sentence that names the call: a death would go unnoticed,
   or a wait would not sleep. */
int shmi_object_try(struct object *object);

/* By the holder of its own lock in an object that is mapped and has its name: from now on the
   mapping alone keeps the lock, and no child that inherits descriptors does. NOT_FOUND: the name
   means another object by now. */
int shmi_object_settle(struct object *object);

/* Something that somebody did to the object and that its user should read in the log; told once.
   NULL: nothing. */
const char *shmi_object_trouble(struct object *object);

/* Unmaps and closes; the locks go with it. NULL is allowed. */
void shmi_object_close(struct object *object);

/* Turns the mapping, where it lies, into memory of this process alone, at one instant: what any
   thread writes there from then on nobody else sees. Reads still show what others write, but for
   what is kept. Returns a second mapping, in which the caller goes on as the peer that it is; NULL:
   the system cannot do that now, and nothing has changed. */
void *shmi_object_detach(struct object *object);

/* `size` bytes from `start` in the memory of a detached object keep the contents they have. */
void shmi_object_keep(struct object *object, void *start, size_t size);

/* Unmaps what shmi_object_detach returned, and gives up this peer's lock: nothing of this process
   can write to the object any more. The private memory stays until the object is closed. */
void shmi_object_let_go(struct object *object, void *view);

/* Has `hook(context)` called in a child process after fork, when the child has neither mapping
   nor locks any more; it may only store flags. */
void shmi_object_on_fork(struct object *object, void (*hook)(void *context), void *context);

enum lock_verdict { LOCK_TAKEN, LOCK_HELD, LOCK_ERROR };

/* A lock belongs to the object opened here, not to a thread, and is held until released or until
   the mapping is gone, whatever ends the process. A lock that somebody else could take therefore
   proves that its former holder can no longer write to the memory. */
enum lock_verdict shmi_peer_lock(struct object *object, uint32_t peer);

/* Directly after LOCK_ERROR: the error that it was, with its sentence. */
int shmi_fail_lock(const struct object *object, uint32_t peer);

void shmi_peer_unlock(struct object *object, uint32_t peer);

/* True if another opening of the object than this peer's holds the lock, or it cannot be told. */
bool shmi_peer_is_locked(struct object *object, uint32_t peer);

/* ---- Waiting ---- */

/* A word that is slept on lies in the memory of `object`, or, if that is NULL, in this process's
   own and is slept on by its threads only. */

/* Sleeps while *word == expected, until woken or `deadline` (shmi_clock_now), or for no reason at
   all. `home` is a number by which the sleeper can be found, or NO_HOME. True if the process of
   another peer was seen to end meanwhile: the caller then looks for the dead at once. A system that
   does not tell says false, and the ticks find out. */
bool shmi_word_wait(struct object *object, atomic_u32 *word, uint32_t expected, uint64_t deadline,
                    uint32_t home);
#define NO_HOME UINT32_MAX

/* Wakes `count` sleepers on the word, in all processes; legal to wake more of them. Returns how
   many it woke, or may have woken. */
uint32_t shmi_word_wake(struct object *object, atomic_u32 *word, uint32_t count);

/* Wakes one sleeper on a word of a region whose own lock is that peer's. Returns 0 if there was
   none, or if the system does not tell; where it cannot choose, only one of the own peer is woken.
   */
uint32_t shmi_word_wake_peer(struct object *object, atomic_u32 *word, uint32_t peer);

/* The same for a sleeper of that peer with this home. Another one may be woken in its place, as
   many homes share few bits; 0 where the system cannot choose. */
uint32_t shmi_word_wake_home(struct object *object, atomic_u32 *word, uint32_t peer, uint32_t home);

/* ---- Time and processors (clock.c, cpu.c) ---- */

#define CLOCK_NEVER UINT64_MAX

/* Monotonic nanoseconds. */
uint64_t shmi_clock_now(void);

/* For the spin loop: tells the processor that this is one. */
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

/* Has the compiler branch where this stands, instead of choosing between two values: what is
   read next by the value of the likely branch then does not wait for what decides. */
static inline void cpu_branch(void) {
#if !defined(_MSC_VER)
    __asm__ volatile("");
#endif
}

/* Passes some cycles a turn, for what is shorter than a pause. */
static inline void cpu_delay(uint32_t turns) {
    for (volatile uint32_t left = turns; left > 0; left--) {
    }
}

/* Has a cache line brought here, without waiting for it. */
static inline void cpu_prefetch(const void *line) {
#if defined(_MSC_VER) && defined(_M_X64)
    _mm_prefetch((const char *)line, _MM_HINT_T0);
#elif !defined(_MSC_VER)
    __builtin_prefetch(line);
#else
    (void)line; /* nothing rests on it */
#endif
}

/* The same for a line that is going to be changed here: whoever else has it loses it. x86-64
   processors that lack the instruction pass over it, but for the very first; compilers only emit it
   where they are told that there is one. */
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

/* Gives the processor to another thread that is ready to run. */
void shmi_cpu_yield(void);

/* How many processors this process may really use at a time: its affinity and its quota. */
uint32_t shmi_cpu_count(void);

/* Binds the calling thread to processor `cpu`. INVALID: there is no such processor for it. */
int shmi_cpu_pin(uint32_t cpu);

uint32_t shmi_process_id(void);

/* What tells this process from others of the same id, at other times or in other places: when it
   was started, or the number of its process-id namespace; 0: nothing does. */
uint64_t shmi_process_origin(void);

uint64_t shmi_random_nonce(void);

/* Whether this process is ending and its other threads are gone already, whatever they were in:
   what they hold is never given back. On Windows that is so while modules hear of the end. */
bool shmi_process_ends(void);

/* ---- Cancellation (thread.c) ---- */

/* The calling thread is not cancelled (pthread_cancel) from the one to the other, which is given
   what the first returned; they nest. Around what has cancellation points in it, of the system's or
   of the user's: whoever were cancelled there would take to the grave what it holds. Nothing else
   below this layer is a cancellation point. */
int shmi_cancellation_off(void);
void shmi_cancellation_restore(int before);

/* ---- Memory (memory.c) ---- */

/* Zeroed memory of this process that shares no pair of cache lines with any other; NULL if there is
   none. */
void *shmi_memory_allocate(size_t size);
void shmi_memory_free(void *memory); /* NULL is allowed */

#endif
