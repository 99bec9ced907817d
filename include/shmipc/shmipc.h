/*
 * libshmipc: calls between processes through shared memory.
 *
 * A host creates a named region; up to 15 guests attach to it. Either side calls the other:
 *
 *     // host                                        // guest
 *     shmipc_peer *peer;                             shmipc_peer *peer;
 *     shmipc_host_create("demo", NULL, &peer);       shmipc_guest_attach("demo", NULL,
 *     shmipc_wait_guests(peer, 1,                                        SHMIPC_FOREVER, &peer);
 *                        SHMIPC_FOREVER);            shmipc_serve(peer, handler, NULL);
 *
 *     char answer[64];
 *     shmipc_request request = {.data = "hello", .length = 5};
 *     shmipc_response response = {.data = answer, .capacity = sizeof answer};
 *     int error = shmipc_call(peer, &request, &response, SHMIPC_TIMEOUT_DEFAULT);
 *     if (error) fprintf(stderr, "%s\n", shmipc_last_error());
 *
 * Errors. Every function that can fail returns an int: SHMIPC_OK (0), or a negative code of
 * shmipc_error. A count is zero or more. The comments below leave out the prefix SHMIPC_E_.
 *
 * Threads. Every function may be called from any thread at any time, also two on the same peer. The
 * exceptions say so: shmipc_free, and what belongs to one thread at a time: a slot, a peer's
 * descriptor for event loops, a finder.
 *
 * Cancellation (pthread_cancel). No function is a cancellation point, however long it waits: a
 * thread that is cancelled inside a function goes on until the function returns, and ends at the
 * next cancellation point after that. So neither a slot nor a lock is lost. What does end a wait is
 * shmipc_stop, shmipc_wake, shmipc_slot_cancel, shmipc_close or a time-out; docs/running.md says
 * which of them ends what. A log function, response->allocate and shmipc_dead_region run with
 * cancellation disabled, a handler with the thread's own setting: see shmipc_handler. A thread that
 * is cancelled asynchronously (PTHREAD_CANCEL_ASYNCHRONOUS) must not be inside the library.
 *
 * Time-outs. In nanoseconds: 0 means "do not wait", SHMIPC_FOREVER waits without end, other
 * negative values are refused with SHMIPC_E_INVALID. A wait may overrun its time-out by the time
 * it spins before it first looks at the clock, some 100 microseconds at most.
 *
 * Structures. A program and a library of different versions work together: structures only gain
 * members, and 0 in a new member means the behaviour without it. Fill in a structure by an
 * initialiser, such as {.data = "hello", .length = 5}: members that the initialiser does not name
 * become 0. The two configurations begin with their size: members beyond that size have their
 * defaults, and members that the library does not know must be 0. All other structures keep their
 * size. Their reserved members are for later versions: the library does not read them, and sets
 * them to 0 where it fills in a whole structure.
 *
 * Processes. Create and attach after fork (and daemon), never before: in a forked child every
 * function ends with CLOSED. Free every peer before the library is unloaded. docs/running.md says
 * more.
 *
 * Trust. A process that may open a region may write all of it, at any time: docs/SECURITY.md.
 *
 * Quiet. The library starts no thread, installs no signal handler, and prints nothing.
 */
#ifndef SHMIPC_SHMIPC_H
#define SHMIPC_SHMIPC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The header's version. A new major version may change the API and the ABI. */
#define SHMIPC_VERSION_MAJOR 0
/* A new minor version adds to the API; while the major version is 0, it may change both. */
#define SHMIPC_VERSION_MINOR 1
/* A new patch version changes neither. */
#define SHMIPC_VERSION_PATCH 0
/* The version as one number: major * 65536 + minor * 256 + patch. */
#define SHMIPC_VERSION                                                                             \
    (SHMIPC_VERSION_MAJOR * 65536 + SHMIPC_VERSION_MINOR * 256 + SHMIPC_VERSION_PATCH)

/* Stands before each function. Define SHMIPC_SHARED to link with the DLL on Windows (the exported
   CMake target does). SHMIPC_STATIC is for compiling the library's sources into another binary,
   which then exports none of these functions. */
#if defined(_WIN32) && defined(SHMIPC_SHARED)
#ifdef SHMIPC_BUILDING
#define SHMIPC_API __declspec(dllexport)
#else
#define SHMIPC_API __declspec(dllimport)
#endif
#elif defined(__GNUC__) && !defined(SHMIPC_STATIC)
#define SHMIPC_API __attribute__((visibility("default")))
#else
#define SHMIPC_API
#endif

/* Has the compiler check a call's arguments against its format, which is that of C99's printf. */
#if defined(__clang__)
#define SHMIPC_PRINTF_LIKE(text, first) __attribute__((format(printf, text, first)))
#elif defined(__GNUC__)
#define SHMIPC_PRINTF_LIKE(text, first) __attribute__((format(gnu_printf, text, first)))
#else
#define SHMIPC_PRINTF_LIKE(text, first)
#endif

/* Stands in the line above what a later version removes: where that is used, the compiler warns,
   and says since which version, and what to use. Define SHMIPC_NO_DEPRECATED for no warnings. */
#if defined(__GNUC__) && !defined(SHMIPC_NO_DEPRECATED)
#define SHMIPC_DEPRECATED(since, instead) __attribute__((deprecated("since " since ": " instead)))
#elif defined(_MSC_VER) && !defined(SHMIPC_NO_DEPRECATED)
#define SHMIPC_DEPRECATED(since, instead) __declspec(deprecated("since " since ": " instead))
#else
#define SHMIPC_DEPRECATED(since, instead)
#endif

/* The version of the library in use; SHMIPC_VERSION is the header's. */
SHMIPC_API uint32_t shmipc_version(void);

/* ---- Errors ---------------------------------------------------------------------------------- */

/* What a function that can fail returns. Values never change, and new ones are appended. "Never
   started" means: no handler has seen the request and none ever will. */
typedef enum shmipc_error {
    SHMIPC_OK = 0, /* success */

    /* The arguments, the machine. */
    SHMIPC_E_INVALID = -1,        /* an argument is outside its range */
    SHMIPC_E_NO_MEMORY = -2,      /* the process's own memory is exhausted */
    SHMIPC_E_SYSTEM = -3,         /* the system refused; shmipc_last_os_error says why */
    SHMIPC_E_NOT_SUPPORTED = -4,  /* this system lacks what the library needs */
    SHMIPC_E_NO_DESCRIPTORS = -5, /* the process or the system is out of file descriptors */
    SHMIPC_E_NO_SPACE = -6,       /* the shared-memory file system is full */

    /* Create and attach. */
    SHMIPC_E_NAME = -7,          /* empty, too long, a forbidden character, or no UTF-8 */
    SHMIPC_E_NAME_IN_USE = -8,   /* a live host has a region of this name */
    SHMIPC_E_NOT_FOUND = -9,     /* no live host had a region of this name within the time-out */
    SHMIPC_E_DENIED = -10,       /* no permission, or the region's owner or mode is not trusted */
    SHMIPC_E_FULL = -11,         /* 15 guests are attached already */
    SHMIPC_E_NOT_A_REGION = -12, /* the object of this name is something else */
    SHMIPC_E_BYTE_ORDER = -13,   /* the region was made on a machine of the other byte order */
    SHMIPC_E_VERSION = -14,      /* the region speaks another protocol version */
    SHMIPC_E_NOT_READY = -15,    /* the region's header is not complete */
    SHMIPC_E_TRUNCATED = -16,    /* the object is smaller than its header says */
    SHMIPC_E_CORRUPT = -17,      /* the region holds what no correct peer could have written */

    /* Calls. */
    SHMIPC_E_TOO_LARGE = -18,         /* a message exceeds a capacity; nothing was cut */
    SHMIPC_E_TYPE = -19,              /* the message type is reserved for the library */
    SHMIPC_E_TIMEOUT = -20,           /* timed out; if it was a call, never started */
    SHMIPC_E_TIMEOUT_STARTED = -21,   /* timed out after a handler had started on it */
    SHMIPC_E_CANCELLED = -22,         /* cancelled; never started */
    SHMIPC_E_CANCELLED_STARTED = -23, /* cancelled after a handler had started on it */
    SHMIPC_E_NO_PEER = -24,           /* no live peer is attached; never started */
    SHMIPC_E_PEER_DIED = -25,         /* died or left after a handler had started on the call */
    SHMIPC_E_CLOSED = -26,            /* this peer was closed here; if a call, never started */
    SHMIPC_E_CLOSED_STARTED = -27,    /* closed here after a handler had started on the call */
    SHMIPC_E_SHUTDOWN = -28,          /* a peer is shutting down gracefully; never started */
    SHMIPC_E_HANDLER = -29,           /* the handler failed; the response is its message */

    /* Slots and waits. */
    SHMIPC_E_STALE = -30, /* the slot was released, or its call ended without an answer */
    SHMIPC_E_STATE = -31, /* not now: a request is under way, or none is, or a handler runs */
    SHMIPC_E_WOKEN = -32, /* shmipc_wake ended the wait */

    /* A host's region. */
    SHMIPC_E_NAME_LOST = -33 /* another program removed its name; shut down, then create it again */
} shmipc_error;

/* A short sentence for an error code; never NULL. The text lives as long as the library. */
SHMIPC_API const char *shmipc_strerror(int error);

/*
 * This thread's last failure in a sentence: it names the value and the limit, for people. Never
 * NULL; "" when nothing failed yet. Valid until the thread's next failure: a call that succeeds
 * does not change it, nor do the functions that only give something back, whatever they return:
 * shmipc_slot_release, shmipc_slot_cancel, shmipc_close and shmipc_free.
 *
 * The sentence is one line of UTF-8, and so is each text for shmipc_log. In a part that comes from
 * elsewhere, such as a handler's message, line feed, return and tab are shown as \n, \r and \t, and
 * \xNN stands for each byte of other control characters, of line and paragraph separators, of
 * characters that change the direction of writing, and of invalid UTF-8.
 */
SHMIPC_API const char *shmipc_last_error(void);

/* The system's code of this thread's last failure. It is an errno, on Windows a code of
   GetLastError; 0 if the system had no part in the failure. */
SHMIPC_API int shmipc_last_os_error(void);

/* ---- Peers: create, attach, leave ------------------------------------------------------------ */

/* One end of a region: the host's, or a guest's. */
typedef struct shmipc_peer shmipc_peer;

#define SHMIPC_FOREVER INT64_C(-1)                  /* a time-out that never passes */
#define SHMIPC_TIMEOUT_DEFAULT INT64_C(10000000000) /* a time-out of 10 s */

#define SHMIPC_GUESTS_MAX 15            /* guests attached to one region at a time */
#define SHMIPC_SLOTS_MAX 4096           /* slots in one direction */
#define SHMIPC_CAPACITY_MAX 0x40000000u /* 1 GiB for one message */
/* Bytes that travel with the slot's state: the first 48 in its cache line, the rest in the next. */
#define SHMIPC_INLINE 112
/* The most bytes of a name. A name is UTF-8; its ASCII characters are only [A-Za-z0-9_.-]. */
#define SHMIPC_NAME_MAX 200

/*
 * A token by which shmipc_stop ends waits: shmipc_serve_until, a guest's attach, and all waits of a
 * thread that has called shmipc_set_thread_token. The application owns the token:
 * begin with SHMIPC_STOP_TOKEN_INIT (or zeroed memory), and give the same token to all calls that
 * are to end together, such as those of a pool of threads, of one peer or of several. A token must
 * not be moved or copied, must outlive every call that uses it, and is of no use in a forked child,
 * which initialises its own.
 */
typedef struct shmipc_stop_token {
    uint64_t words[8]; /* private */
} shmipc_stop_token;

/* Initialises a token: shmipc_stop_token token = SHMIPC_STOP_TOKEN_INIT; */
#define SHMIPC_STOP_TOKEN_INIT                                                                     \
    {                                                                                              \
        { 0, 0, 0, 0, 0, 0, 0, 0 }                                                                 \
    }

/*
 * Stops `token`: ends its waits, also later ones, with SHMIPC_E_CANCELLED, and started calls with
 * CANCELLED_STARTED. Waits without it go on. A running handler is not interrupted: its worker
 * ends when the handler returns. Returns at once. May be called from any thread, also from a
 * handler, as often as you like; and, except on Windows, in a signal handler: it allocates nothing,
 * waits for no lock, and changes neither errno nor shmipc_last_error. NULL is harmless.
 */
SHMIPC_API void shmipc_stop(shmipc_stop_token *token);

/* Returns 1 once `token` is stopped; until then, or if it is NULL, 0. For long handlers. */
SHMIPC_API int shmipc_stopped(const shmipc_stop_token *token);

/*
 * Sets this thread's token, which ends its waits: NULL is none. A thread that sleeps, or is about
 * to, when its token is stopped ends its call with CANCELLED or CANCELLED_STARTED, and any other
 * wait with CANCELLED: claims, waits, attaches, serving. shmipc_slot_wait_any ends no
 * call; shmipc_shutdown and shmipc_close ignore the token, and so does a call that is answered
 * before its thread would sleep. A token that is passed to a function (shmipc_serve_until,
 * config.stop) takes this one's place there.
 *
 * Returns the previous token, so that it can be restored. A token must live as long as it is set.
 * While no call uses it, SHMIPC_STOP_TOKEN_INIT may be assigned to it, to use it again.
 */
SHMIPC_API shmipc_stop_token *shmipc_set_thread_token(shmipc_stop_token *token);

/* What a line of the log is about. */
typedef enum shmipc_log_level {
    SHMIPC_LOG_DEBUG = 0, /* not used yet */
    SHMIPC_LOG_INFO = 1,  /* this peer came, or left */
    SHMIPC_LOG_WARN = 2,  /* another peer died, or other code interfered */
    SHMIPC_LOG_ERROR = 3  /* the region is corrupt, or this program made a mistake */
} shmipc_log_level;

/*
 * Receives one line of text: without a line end, valid during the call. Called by the thread that
 * meets the event, so by several at once, and never on the path of a call that succeeds. Must not
 * call the library, and must return normally, not leave by longjmp or a C++ exception.
 */
typedef void (*shmipc_log)(void *context, shmipc_log_level level, const char *text);

/* How a host creates a region. Begin with SHMIPC_HOST_CONFIG_INIT, then set what differs. `sddl`
   may be freed after shmipc_host_create; what log_context points to must outlive the peer. */
typedef struct shmipc_host_config {
    size_t size;                /* sizeof(shmipc_host_config): set by the initialiser */
    uint32_t host_slots;        /* calls to guests at one time: 0 to SHMIPC_SLOTS_MAX */
    uint32_t guest_slots;       /* calls to the host at one time, of all guests: same range.
                                   Not both 0. See shmipc_call for calls that time out */
    uint32_t request_capacity;  /* bytes of the largest request: 1 to SHMIPC_CAPACITY_MAX */
    uint32_t response_capacity; /* bytes of the largest response. Both are rounded up to 64 */
    uint32_t mode;              /* permissions of the region, as for chmod: 0600 and what of
                                   0777 you add. Not on Windows */
    uint32_t flags;             /* of SHMIPC_LAZY, SHMIPC_GLOBAL and SHMIPC_WAIT_READY */
    int64_t spin_ns;            /* ns that a wait spins before it sleeps: 0 or more, or
                                   SHMIPC_SPIN_AUTO */
    shmipc_log log;             /* NULL: no log */
    void *log_context;          /* given to each call of log */

    /* Windows: who may open the region, in the security descriptor definition language; a guest
       needs GRGW, and so does this user. NULL: this user alone. On other systems `sddl` must be
       NULL, and `mode` applies. */
    const char *sddl;
} shmipc_host_config;

/* Do not reserve the region's memory at creation. Creation is then fast and memory is used only
   where messages touch it. But if the file system fills up later, a process that touches the region
   is killed (SIGBUS); without this flag creation would have failed with SHMIPC_E_NO_SPACE. */
#define SHMIPC_LAZY 1u

/*
 * Windows: the name means the same in every session of the machine, so that a service and a program
 * of a logged-in user can meet. Both sides must set this flag, and only a process with a privilege
 * that services have can create the region. The program may open the region if the service's `sddl`
 * says so, and trusts the region if its own `owner_sid` names the service's user: docs/windows.md
 * has an example. Without this flag a name belongs to its session. Ignored on other systems.
 */
#define SHMIPC_GLOBAL 2u

/* A guest that only calls: shmipc_serve, shmipc_poll and shmipc_wait on it end with INVALID. If
   only such guests are attached, a host's call fails with NO_PEER at once. shmipc_wait_guests does
   not count them. */
#define SHMIPC_CALLS_ONLY 4u

/*
 * For all calls of a host (in its configuration) or for one (in the request's flags, or in those of
 * shmipc_slot_send): if no guest can answer, the call waits until one can, within its time-out,
 * instead of failing with NO_PEER. So a call outlives a guest's restart, unless a handler had
 * started on it (PEER_DIED). TIMEOUT then means that no guest came. The flag changes nothing in a
 * guest's calls: a guest whose host is gone has to attach again.
 */
#define SHMIPC_WAIT_READY 8u

/* At most 50,000 ns, plus 1 ns for each 16 bytes that request and response may have together, up to
   100,000 ns; 0 on a single processor. A wait learns to spin less if spinning is in vain. */
#define SHMIPC_SPIN_AUTO INT64_C(-1)

/* The defaults: 4 host slots, 2 guest slots, 4,096 bytes each way, mode 0600, SHMIPC_SPIN_AUTO. */
#define SHMIPC_HOST_CONFIG_INIT                                                                    \
    { sizeof(shmipc_host_config), 4, 2, 4096, 4096, 0600, 0, SHMIPC_SPIN_AUTO, NULL, NULL, NULL }

/* How a guest attaches. Begin with SHMIPC_GUEST_CONFIG_INIT, then set what differs. `owner_sid` and
   `stop` serve shmipc_guest_attach alone; what log_context points to must outlive the peer. */
typedef struct shmipc_guest_config {
    size_t size;       /* sizeof(shmipc_guest_config): set by the initialiser */
    uint32_t mode;     /* the permission bits that a region may have: others are refused with
                          DENIED. Not on Windows */
    uint32_t flags;    /* of SHMIPC_GLOBAL and SHMIPC_CALLS_ONLY */
    int64_t owner;     /* user id that must own the region; SHMIPC_OWNER_SELF, on Windows always */
    int64_t spin_ns;   /* as in shmipc_host_config */
    shmipc_log log;    /* NULL: no log */
    void *log_context; /* given to each call of log */

    /* Windows: the SID that must own the region, such as "S-1-5-18", or an abbreviation as in
       `sddl`, such as "SY". NULL: this user's; an elevated process also trusts the Administrators'.
       On other systems it must be NULL, and `owner` applies. */
    const char *owner_sid;

    shmipc_stop_token *stop; /* ends an attach that waits for its host; NULL: nothing does */

    /* What this guest serves: a number of the application's, or eight characters in one. The host
       reads it in shmipc_event.service and finds it by shmipc_find_guest. 0: nothing in
       particular. */
    uint64_t service;
} shmipc_guest_config;

#define SHMIPC_OWNER_SELF INT64_C(-1) /* the user that this process runs as */

/* The defaults: mode 0600, SHMIPC_OWNER_SELF, SHMIPC_SPIN_AUTO. */
#define SHMIPC_GUEST_CONFIG_INIT                                                                   \
    {                                                                                              \
        sizeof(shmipc_guest_config), 0600, 0, SHMIPC_OWNER_SELF, SHMIPC_SPIN_AUTO, NULL, NULL,     \
            NULL, NULL, 0                                                                          \
    }

/*
 * Creates the region `name` and becomes its host. `config` NULL means all defaults. A region left
 * behind by a dead host is replaced. On success the caller owns *peer, and frees it by shmipc_free;
 * on failure *peer is NULL.
 * If another program removes the name later (a cleaner of /dev/shm, systemd's RemoveIPC at logout),
 * guests leave and no new guest finds this host. Within 200 ms the host logs the loss, and its
 * calls, waits and serving end with NAME_LOST. Shut down then, and create the region again. (Only
 * waits look: as long as all of a peer's last less than 100 ms, its calls go on with this guest.)
 * Errors: INVALID, NAME, NAME_IN_USE, DENIED, NO_SPACE, NO_DESCRIPTORS, NO_MEMORY, NOT_A_REGION,
 * NOT_SUPPORTED, NAME_LOST (removed before this was done), SYSTEM.
 */
SHMIPC_API int shmipc_host_create(const char *name, const shmipc_host_config *config,
                                  shmipc_peer **peer);

/*
 * Attaches to the region `name` as a guest; waits up to `timeout` for its host to appear.
 * `config` NULL means all defaults. On success the caller owns *peer, and frees it by shmipc_free;
 * on failure *peer is NULL. Errors: INVALID, NAME, NOT_FOUND (the time-out passed), CANCELLED
 * (a stop token), DENIED, FULL, NOT_A_REGION, BYTE_ORDER, VERSION, NOT_READY, TRUNCATED, CORRUPT,
 * NO_DESCRIPTORS, NO_MEMORY, NOT_SUPPORTED, SYSTEM.
 */
SHMIPC_API int shmipc_guest_attach(const char *name, const shmipc_guest_config *config,
                                   int64_t timeout, shmipc_peer **peer);

/*
 * Leaves gracefully: refuses new calls with SHMIPC_E_SHUTDOWN (this peer's; if the host leaves,
 * also its guests'), and waits up to `timeout` for calls under way, running handlers and held
 * slots. Then it ends those that are left as shmipc_close does, gives them 5 ms to return, and
 * closes the peer.
 *
 * TIMEOUT: closed, but a handler, a call or a held slot is cut off. A handler that still runs goes
 * on in private memory: its request stays as it is, shmipc_abandoned returns 1, and its answer is
 * discarded; the other side's call ends with PEER_DIED at once. A slot that is still held keeps its
 * bytes until shmipc_free, and every call on it ends with CLOSED or STALE, or with CLOSED_STARTED
 * if a handler had started, also if its answer has come but was not received. No code that handlers
 * may still run may be unloaded: shmipc_close waits for them. (Windows: docs/windows.md has what
 * differs.)
 *
 * DENIED: closed, but this host has given up rights since it created the region, and may not remove
 * its name: the file stays. (shmipc_close only logs that.) Errors: INVALID, STATE (called by a
 * handler of this peer: nothing is done), CLOSED, TIMEOUT, DENIED.
 */
SHMIPC_API int shmipc_shutdown(shmipc_peer *peer, int64_t timeout);

/*
 * Leaves at once: every call and wait on `peer`, now or later, ends with SHMIPC_E_CLOSED or
 * _CLOSED_STARTED. To the others that is a graceful end too (SHMIPC_EVENT_LEFT). Returns when no
 * handler runs and no thread waits, however long a handler takes. Does not wait for held slots, but
 * cuts them off as shmipc_shutdown does (a shutdown that waits for them then ends with TIMEOUT).
 * Closing twice is harmless, and so is NULL. After a shutdown that timed out, waits for the
 * handlers that it left running.
 * Errors: STATE (called by a handler of this peer: nothing is done).
 */
SHMIPC_API int shmipc_close(shmipc_peer *peer);

/*
 * Closes `peer` if necessary and frees it. No other call on the peer or its slots may be running or
 * follow, except a shmipc_serve or shmipc_poll that a shutdown left running: shmipc_free does not
 * wait for these, and the last of them frees the rest when it returns. In a handler of this peer
 * shmipc_free only logs an error. NULL is harmless.
 */
SHMIPC_API void shmipc_free(shmipc_peer *peer);

/* A region as it is, and this peer's place in it. */
typedef struct shmipc_info {
    uint32_t host_slots;        /* calls to guests at one time */
    uint32_t guest_slots;       /* calls to the host at one time */
    uint32_t request_capacity;  /* bytes of the largest request: a multiple of 64 */
    uint32_t response_capacity; /* bytes of the largest response: a multiple of 64 */
    uint32_t index;             /* of this peer: 0 is the host, 1 to 15 a guest */
    uint32_t guests;            /* guests attached and alive now */
    uint64_t region_size;       /* bytes of shared memory */
    uint32_t serving;           /* of those guests: without SHMIPC_CALLS_ONLY, and not leaving */
    uint32_t reserved_word;
    uint64_t reserved[7];
} shmipc_info;

/* Stores in *info what the region and this peer are now. Errors: INVALID, CLOSED. */
SHMIPC_API int shmipc_get_info(shmipc_peer *peer, shmipc_info *info);

/* Waits, in a host, for guests: until at least `count` that serve are attached. At most
   SHMIPC_GUESTS_MAX. Errors: INVALID, TIMEOUT, CANCELLED, SHUTDOWN, CLOSED, CORRUPT, NAME_LOST. */
SHMIPC_API int shmipc_wait_guests(shmipc_peer *peer, uint32_t count, int64_t timeout);

/* ---- Calls ----------------------------------------------------------------------------------- */

/* Message types 0 to 127 are the library's; of these an application may send only the next three. A
   type only tells the application's messages apart. */

#define SHMIPC_TYPE_NORMAL 0u        /* any bytes */
#define SHMIPC_TYPE_FLATBUFFER 10u   /* a FlatBuffer, not verified; ALIGN_END or not */
#define SHMIPC_TYPE_GUEST_CALL 11u   /* any bytes; for programs that tell guests' calls apart */
#define SHMIPC_TYPE_APPLICATION 128u /* this and all above are free for the application */

/*
 * Alignment. Both ends of a request buffer and of a response buffer are 64-byte aligned. A message
 * in shared memory (a handler's request->data, shmipc_slot_receive's response->data) begins aligned
 * to 64 if it has more than SHMIPC_INLINE bytes. A shorter one is moved beside the slot's state,
 * and is aligned to 16, or to 32 or 64 if its length is a multiple of that: enough for any object
 * of such a length.
 */

/* The message lies at the end of its buffer instead of the beginning, as FlatBuffers builds it. For
   the other side, its end, data + length, is aligned to 64, at any length. */
#define SHMIPC_ALIGN_END 1u

/* What a caller sends, and what a handler gets. */
typedef struct shmipc_request {
    const void *data; /* may be NULL if length is 0 */
    size_t length;    /* bytes: 0 to the request capacity */
    uint32_t type;    /* SHMIPC_TYPE_NORMAL (0), one of the others, or an application's own */
    uint32_t peer;    /* in a handler: the calling peer's index (0: the host), which another peer
                         could forge. Ignored in a call */
    uint32_t slot;    /* in a handler: index of the slot, over both directions. Ignored in a call */
    uint32_t flags;   /* 0 or SHMIPC_WAIT_READY; a call refuses others. In a handler 0 */
    uint64_t to;      /* in a host's call: the address of the guest that alone may answer, from
                         shmipc_event or shmipc_find_guest; 0: any guest. In a handler 0 */
    uint64_t reserved[3];
} shmipc_request;

/* What a handler answers, and what a caller gets. */
typedef struct shmipc_response {
    void *data;      /* a caller's memory; in a handler and in place, the slot's */
    size_t capacity; /* bytes at data */
    size_t length;   /* bytes of the response */
    uint32_t type;   /* as in a request */
    uint32_t flags;  /* set by a handler: 0 or SHMIPC_ALIGN_END */

    /* For calls that copy; NULL: none. See shmipc_call. */
    void *(*allocate)(void *context, size_t length);
    void *allocate_context; /* given to allocate */
    uint64_t reserved[2];
} shmipc_response;

/*
 * Calls the other side, and copies request and answer: the host calls any one guest, or the one
 * that request->to names; a guest calls the host. The caller sets response->data and capacity (NULL
 * and 0 if no bytes are expected); length and type are set on return. `response` may be NULL if the
 * answer has no bytes and its type is of no interest. Waits for a free slot, one besides those that
 * this thread holds, then for the answer, within `timeout` altogether.
 *
 * A call that ends after a handler had started on it (a code that ends in _STARTED) leaves its slot
 * to the handler: the slot can be claimed again when the handler has returned, or its process has
 * died. With as many stuck handlers as there are slots, every later call ends with TIMEOUT.
 *
 * SHMIPC_E_TOO_LARGE: the request exceeds the request capacity (never sent), the handler's answer
 * exceeded the response capacity, or the answer exceeds response->capacity; in the last case
 * response->length is the answer's size. SHMIPC_E_HANDLER: the response holds the handler's message
 * (as much of it as fits), and so does shmipc_last_error.
 *
 * An answer of unknown size: set response->allocate. If the answer, or the handler's message,
 * exceeds response->capacity, this thread calls allocate(allocate_context, length) once, with the
 * answer's size. The returned memory becomes response->data, with that capacity; the answer is
 * copied once, into it, and the caller frees it. If allocate returns NULL, the answer is lost:
 * NO_MEMORY, and response->length is the answer's size. A C++ exception out of allocate passes
 * through shmipc_call, which gives its slot back; longjmp out of it is not allowed.
 *
 * Errors: INVALID, TYPE, TOO_LARGE, TIMEOUT, TIMEOUT_STARTED, CANCELLED, CANCELLED_STARTED (a stop
 * token of the thread), NO_PEER, PEER_DIED, SHUTDOWN, HANDLER, NO_MEMORY, CLOSED, CLOSED_STARTED,
 * CORRUPT, NAME_LOST.
 */
SHMIPC_API int shmipc_call(shmipc_peer *peer, const shmipc_request *request,
                           shmipc_response *response, int64_t timeout);

/* Measures a round trip: sends a heartbeat, which the other side's library answers, and stores the
   time in nanoseconds in *rtt (NULL: not wanted). Some thread of the other side must be serving.
   Errors: as shmipc_call. */
SHMIPC_API int shmipc_ping(shmipc_peer *peer, int64_t timeout, int64_t *rtt);

/* ---- Slots: without copies, in flight, or one for many calls --------------------------------- */

/*
 * A claimed slot, passed by value. A slot belongs to one thread at a time; only shmipc_slot_cancel
 * may be called by another while it is in use. A slot that was released, or whose call ended
 * without an answer, is stale: every call on it is refused with STALE and touches nothing.
 */
typedef struct shmipc_slot {
    shmipc_peer *peer; /* private */
    uint32_t index;    /* private */
    uint32_t ticket;   /* private */
} shmipc_slot;

/* Claims a slot, waiting for one up to `timeout`. On failure *slot is a slot that is stale. Errors:
   INVALID, TIMEOUT, CANCELLED, NO_PEER (a guest's host has died), SHUTDOWN, CLOSED, CORRUPT,
   NAME_LOST. */
SHMIPC_API int shmipc_slot_claim(shmipc_peer *peer, int64_t timeout, shmipc_slot *slot);

/* Returns the request buffer; both its ends are aligned to 64 bytes. Stores its size in *capacity
   (NULL: not wanted). Returns NULL if the slot is stale or a request is under way. The buffer is
   valid until the slot is sent or released. */
SHMIPC_API void *shmipc_slot_buffer(shmipc_slot slot, size_t *capacity);

/*
 * Sends a request and returns at once: the first `length` bytes of the request buffer, with
 * SHMIPC_ALIGN_END the last. The buffer may not be touched until the answer has come. On an error,
 * CORRUPT too, nothing is sent and the slot stays claimed.
 * `flags`: 0, or one or both of SHMIPC_ALIGN_END and SHMIPC_WAIT_READY.
 *
 * Behind a handler that takes longer than those of its type before, a request may lie for up to
 * 40 ms although another thread is free to serve it. Waiting for its answer has it served at once,
 * and so does a look by shmipc_slot_ready or shmipc_arm.
 * Errors: INVALID, TYPE, TOO_LARGE, STATE (sent already), STALE, NO_PEER, SHUTDOWN, CLOSED,
 * CORRUPT, NAME_LOST.
 */
SHMIPC_API int shmipc_slot_send(shmipc_slot slot, uint32_t type, size_t length, uint32_t flags);

/* The same to one guest: `to` as in shmipc_request. Errors: as shmipc_slot_send, and NO_PEER if
   that guest is gone. */
SHMIPC_API int shmipc_slot_send_to(shmipc_slot slot, uint64_t to, uint32_t type, size_t length,
                                   uint32_t flags);

/* Tells whether a call is over: 1 if shmipc_slot_receive would return at once, with an answer or
   without; 0: not yet. Errors: STATE (nothing sent), STALE. */
SHMIPC_API int shmipc_slot_ready(shmipc_slot slot);

/*
 * Waits for the answer: sets *response to it in shared memory, without a copy. response->data is
 * valid until the slot is sent again or released. A peer that breaks the protocol could still
 * change these bytes: if you do not trust the other side, copy them before you check them.
 *
 * An answer, also one that says HANDLER, TOO_LARGE or TYPE, leaves the slot claimed, to be sent
 * again or released. TIMEOUT, TIMEOUT_STARTED, CANCELLED, CANCELLED_STARTED, NO_PEER, PEER_DIED,
 * SHUTDOWN, CLOSED, CLOSED_STARTED, CORRUPT and NAME_LOST end the call and release the slot.
 * Errors: those, and INVALID, STATE (nothing sent), STALE.
 */
SHMIPC_API int shmipc_slot_receive(shmipc_slot slot, int64_t timeout, shmipc_response *response);

/*
 * As shmipc_call, but in this slot: for a thread that calls often. It saves claiming a slot and
 * giving it back: 10 to 25 ns a call. While a guest holds a slot, all guests together have
 * one less. An answer, and INVALID, TYPE, TOO_LARGE, NO_MEMORY and STATE, leave the slot claimed;
 * any other result releases it.
 * Errors: as shmipc_call, and STATE (a request is under way), STALE.
 */
SHMIPC_API int shmipc_slot_call(shmipc_slot slot, const shmipc_request *request,
                                shmipc_response *response, int64_t timeout);

/*
 * Waits until one of several calls is over: until shmipc_slot_receive would return at once on one
 * of the `count` slots (1 to SHMIPC_SLOTS_MAX, all of one peer), whose index is then in *which. On
 * entry *which says where to begin looking: pass 0 first, then the last result plus 1, so that no
 * slot starves behind its neighbours (an index beyond the last slot means 0). Slots that are stale,
 * zero, or not sent are passed over. During the wait the slots belong to the calling thread.
 * TIMEOUT ends no call, nor does CANCELLED, by which a stop token of the thread wakes it.
 * Errors: INVALID, STATE (no request is under way in any), TIMEOUT, CANCELLED.
 */
SHMIPC_API int shmipc_slot_wait_any(const shmipc_slot *slots, size_t count, int64_t timeout,
                                    size_t *which);

/* Cancels the call under way on `slot`: it ends with CANCELLED or CANCELLED_STARTED, unless its
   answer is there already. If none is under way, cancels the next one sent with this claim. May be
   called from any thread; returns at once. Errors: STALE, CLOSED. */
SHMIPC_API int shmipc_slot_cancel(shmipc_slot slot);

/* Gives the slot back; a request under way is abandoned. Errors: STALE. */
SHMIPC_API int shmipc_slot_release(shmipc_slot slot);

/* ---- Serving --------------------------------------------------------------------------------- */

/*
 * Answers one request, in a thread that serves; several may run at once. `request` lies in shared
 * memory and is valid until the handler returns; it stays unchanged even if its caller gives up
 * meanwhile. `response` comes with data and capacity of the response buffer, length 0 and type
 * SHMIPC_TYPE_NORMAL; the handler writes the bytes there and sets length and type, or length and
 * SHMIPC_ALIGN_END in flags if it wrote them at the end. A length above capacity reaches the caller
 * as TOO_LARGE.
 *
 * Returns 0. Any other value means that the handler failed: the caller gets SHMIPC_E_HANDLER and,
 * as its message, the first response->length bytes of response->data; shmipc_fail sets both.
 *
 * A handler does not know its caller's time-out; it may ask shmipc_abandoned. It may call: this
 * peer's other side, or another peer's. A thread in a call serves nothing, so if that handler calls
 * back, another thread must be in shmipc_serve here; otherwise both wait until a time-out.
 *
 * A handler should return. If it throws a C++ exception instead, or its thread ends in it
 * (pthread_exit, or cancellation at one of the handler's cancellation points), the caller gets
 * HANDLER with a message that says so. Then the exception, or the end of the thread, passes out of
 * shmipc_serve or shmipc_poll, which cleans up first: catch it there.
 *
 * A handler must not leave without unwinding the stack, since the request would stay pending and
 * shmipc_shutdown would wait for it. This rules out longjmp out of a handler; the end of the
 * thread, with musl and on Windows; and an exception, if the library was built by Microsoft's
 * compiler, or by one that cannot link the unwinder, such as musl-gcc (CMake then says
 * "SHMIPC_UNWINDS - Failed").
 */
typedef int (*shmipc_handler)(void *context, const shmipc_request *request,
                              shmipc_response *response);

/* Makes a handler's answer a failure: `return shmipc_fail(response, "no such key: %s", key);`
   Returns -1. The message is truncated to the response capacity less 1 byte. */
SHMIPC_API int shmipc_fail(shmipc_response *response, const char *format, ...)
    SHMIPC_PRINTF_LIKE(2, 3);

/* Tells a handler whether to stop: 1 if its caller has given up, or a shutdown of this peer has cut
   the handler off, so that nobody waits for the answer; else 0. */
SHMIPC_API int shmipc_abandoned(const shmipc_request *request);

/*
 * Serves requests with this thread until something ends it; several threads may serve one peer.
 * While one of them runs a handler, the others serve the requests that come, if one of them is
 * free: at once if the caller waits for the answer, within 40 ms if the request was only sent.
 * Returns why it ended: WOKEN (shmipc_wake), CANCELLED (shmipc_stop of the thread's token), CLOSED
 * (shmipc_close here), SHUTDOWN (graceful, here or by the host), PEER_DIED (in a guest: the host is
 * gone; attach again by name), NAME_LOST (in a host), CORRUPT, INVALID.
 */
SHMIPC_API int shmipc_serve(shmipc_peer *peer, shmipc_handler handler, void *context);

/*
 * As shmipc_serve, with a token of its own: when `token` is stopped, this returns CANCELLED; if it
 * was stopped before the call, this serves nothing. So a token reliably stops a pool of threads,
 * including threads that are only about to begin. The thread's own token does not count here;
 * shmipc_wake does. `token` NULL: as shmipc_serve. Returns as shmipc_serve.
 */
SHMIPC_API int shmipc_serve_until(shmipc_peer *peer, shmipc_handler handler, void *context,
                                  shmipc_stop_token *token);

/* Serves the requests that wait; does not block, except in the handler. Returns the number of
   requests served, or an error as shmipc_serve does. */
SHMIPC_API int shmipc_poll(shmipc_peer *peer, shmipc_handler handler, void *context);

/* Waits until a request is there, and returns 0; or TIMEOUT, or an error as shmipc_serve does. */
SHMIPC_API int shmipc_wait(shmipc_peer *peer, int64_t timeout);

/* Ends serving and waiting: every shmipc_serve and shmipc_wait that runs on `peer` now ends with
   WOKEN; if none runs, the next one. A thread that is about to begin while another one serves is
   not ended: use shmipc_stop to stop a pool. Errors: INVALID, CLOSED. */
SHMIPC_API int shmipc_wake(shmipc_peer *peer);

/* ---- Events ---------------------------------------------------------------------------------- */

/* What happened to another peer. */
typedef enum shmipc_event_kind {
    SHMIPC_EVENT_ATTACHED = 1, /* a peer is there */
    SHMIPC_EVENT_LEFT = 2,     /* a peer left gracefully */
    SHMIPC_EVENT_DIED = 3      /* a peer was killed or crashed */
} shmipc_event_kind;

/* A change among the other peers. */
typedef struct shmipc_event {
    shmipc_event_kind kind; /* what happened */
    uint32_t peer;          /* to whom: 0 is the host, 1 to 15 a guest */
    uint32_t pid;           /* for people; it may be of another pid namespace, or reused */
    uint32_t reserved;
    uint64_t address; /* of a guest, for calls to it alone: means this attachment of this guest, and
                         no later one. 0: the host */
    uint64_t service; /* of a guest: config.service, which it could have forged */
} shmipc_event;

/*
 * Waits for the next change among the other peers: a host hears of its guests, a guest of its host.
 * Each change is reported once per peer handle. A guest that came and went between two calls is
 * reported as attached, then as left or dead; if several guests used one index between two calls,
 * only the last is reported. A death is noticed within 200 ms.
 * Errors: INVALID, TIMEOUT, CANCELLED, NO_PEER (in a guest, after it was told of its host's end:
 * attach again), SHUTDOWN, CLOSED, CORRUPT, NAME_LOST.
 */
SHMIPC_API int shmipc_next_event(shmipc_peer *peer, int64_t timeout, shmipc_event *event);

/*
 * Finds the guest that serves `service`. Stores in *address, in a host, the address of an attached
 * guest with this config.service, for calls to it alone: so several services may share a region. If
 * several guests offer the service, finds that of the lowest index. Does not wait, and asks the
 * region only: a guest that was killed a moment ago may be found; a call to it ends with NO_PEER.
 * Errors: INVALID, NO_PEER (there is none), CLOSED.
 */
SHMIPC_API int shmipc_find_guest(shmipc_peer *peer, uint64_t service, uint64_t *address);

/* ---- Loops: a descriptor for event loops ----------------------------------------------------- */

/*
 * For a thread that waits in a loop of its own (libuv, asio, GLib, Qt, asyncio, epoll, a message
 * loop on Windows): one descriptor of a peer, which the loop watches for reading, tells of answers,
 * of requests to serve, and of other peers' changes and deaths.
 *
 *     shmipc_get_fd(peer, &fd);                   // once; have the loop watch it
 *
 *     // when fd is readable, and after each send:
 *     do {
 *         if (shmipc_poll(peer, handler, NULL) < 0)                   // serve what is there
 *             ...                                                     // the peer is of no use
 *         while (shmipc_next_event(peer, 0, &event) == SHMIPC_OK)     // take what is there
 *             ...
 *         for each slot that was sent: if (shmipc_slot_ready(slot) == 1)
 *             shmipc_slot_receive(slot, 0, &response) ...
 *     } while (shmipc_arm(peer, SHMIPC_ARM_REQUESTS | SHMIPC_ARM_EVENTS, slots, count) == 1);
 *
 * The functions of this section belong to one thread at a time for each peer, such as the loop's.
 */

/* A file descriptor; on Windows a HANDLE that can be waited for. */
#ifdef _WIN32
typedef void *shmipc_fd;
#else
typedef int shmipc_fd;
#endif

/*
 * Stores the peer's descriptor in *fd. The first call makes it. It belongs to the peer: do not
 * read, write or close it, and stop watching it before shmipc_free. It is not inherited by other
 * programs, and is closed in a forked child.
 * Errors: INVALID, CLOSED, DENIED, NO_DESCRIPTORS, NO_MEMORY, NO_SPACE, NOT_SUPPORTED, SYSTEM.
 */
SHMIPC_API int shmipc_get_fd(shmipc_peer *peer, shmipc_fd *fd);

#define SHMIPC_ARM_REQUESTS 1u /* shmipc_poll would serve a request, or return an error */
#define SHMIPC_ARM_EVENTS 2u   /* shmipc_next_event would return an event, or an error */

/*
 * Arms the descriptor: it becomes readable as soon as one of the `count` slots (0 to
 * SHMIPC_SLOTS_MAX, all of this peer) is ready, or what `events` names is there. It stays readable
 * until a later shmipc_arm finds nothing there; so it may be watched as any other descriptor, by
 * level or by edge. The last call counts: it replaces what was armed before. Slots that are stale,
 * zero, or not sent are passed over; a slot that is sent later needs another shmipc_arm.
 *
 * Returns 1 if something is there already (the descriptor is readable then); 0 if not yet. Does not
 * wait. Also looks for dead peers when 100 ms have passed, and the descriptor becomes readable for
 * that every 100 ms: so a death is noticed within 200 ms, as in every other wait. On Linux, for a
 * guest in its host's process-id namespace, it becomes readable when the host's process ends, and
 * beside that only once a second. It may become readable for no reason.
 *
 * While nothing is armed a descriptor costs the peer's other threads and the other side nothing.
 * Errors: INVALID, STATE (no shmipc_get_fd before), CLOSED (the descriptor stays readable), SYSTEM
 * (other code closed the descriptor, or one behind it: the loop would wait in vain).
 */
SHMIPC_API int shmipc_arm(shmipc_peer *peer, uint32_t events, const shmipc_slot *slots,
                          size_t count);

/* Arms nothing: for a loop that does something else for long, or ends. The descriptor may become,
   or stay, readable until the next shmipc_arm: do not watch it meanwhile. Errors: INVALID,
   CLOSED. */
SHMIPC_API int shmipc_disarm(shmipc_peer *peer);

/* ---- Finding: hosts as they come ------------------------------------------------------------- */

/*
 * For a guest of many hosts, in one thread: a finder tells the names of regions whose host lives,
 * those that are there and those that come.
 *
 *     char name[SHMIPC_NAME_MAX + 1];
 *     shmipc_finder_create("myapp-", &finder);
 *     shmipc_finder_get_fd(finder, &fd);                      // have the loop watch it
 *
 *     // when fd is readable:
 *     while (shmipc_finder_next(finder, name, sizeof name) == 1)
 *         if (shmipc_guest_attach(name, &config, 0, &peer) == SHMIPC_OK)
 *             ...                                             // watch this peer's descriptor too
 *
 * Each region is found once, and a new host that takes the name of a dead one has another region.
 * Who owns a region, and with which mode, is for the attach to judge. If that fails, the region is
 * not found again: for one that is FULL, say, try again later.
 *
 * A finder belongs to one thread at a time. It has nothing to do with the peers that attach, nor
 * with how long they stay. On Windows names cannot be listed, so there is none.
 */

/* Finds hosts. */
typedef struct shmipc_finder shmipc_finder;

/*
 * Creates a finder: of the regions whose name begins with `prefix`, or of all if that is NULL or
 * "". On success the caller owns *finder, and frees it by shmipc_finder_free; on failure *finder is
 * NULL.
 * Errors: INVALID, NAME (no name begins so), NOT_SUPPORTED (Windows), NO_DESCRIPTORS (also: this
 * user has no instance of inotify left), NO_MEMORY, DENIED and NOT_FOUND (the directory), SYSTEM.
 */
SHMIPC_API int shmipc_finder_create(const char *prefix, shmipc_finder **finder);

/*
 * Stores the finder's descriptor in *fd: readable when shmipc_finder_next may find a region, and
 * until that returns 0. After an error it is readable a second later. It may become readable for no
 * reason, and may be watched by level or by edge. It belongs to the finder: do not read, write or
 * close it, and stop watching it before shmipc_finder_free. It is not inherited by other programs,
 * and is closed in a forked child.
 * Errors: INVALID, CLOSED (in a forked child).
 */
SHMIPC_API int shmipc_finder_get_fd(shmipc_finder *finder, shmipc_fd *fd);

/*
 * Finds the next region: one that this finder has not found before. Stores its name in the `size`
 * bytes of `name`, SHMIPC_NAME_MAX + 1 at least, and returns 1; or returns 0 if there is none now.
 * Does not wait. A region whose host is dead by then is passed over, and so is a file that is no
 * region, may not be opened, or is a region of another protocol version.
 * Errors: INVALID, NO_DESCRIPTORS, NO_MEMORY, DENIED and NOT_FOUND (the directory), SYSTEM (also:
 * other code closed the descriptor, or one behind it: create another finder), CLOSED (in a forked
 * child). After an error nothing is lost: call again.
 */
SHMIPC_API int shmipc_finder_next(shmipc_finder *finder, char *name, size_t size);

/* Frees a finder. NULL is harmless. */
SHMIPC_API void shmipc_finder_free(shmipc_finder *finder);

/* ---- Regions of dead hosts ------------------------------------------------------------------- */

/*
 * The region of a host that was killed keeps its name and its memory until the next host of the
 * name replaces it, or these functions remove it: the library never removes it on its own. Any
 * process may call them, also one that is no peer, for regions of its own user. They wait only for
 * another process that is removing the same region, a second at most.
 *
 * A region is dead if its host is. Its guests may still live; they learn of the host's death
 * anyway. These functions never remove the region of a live host, a region that is just being
 * created, a file that is no region, or a region of another protocol version. On Windows a region
 * disappears with the last process that has it open, so they find none.
 */

/* Receives the name of one dead region. May call the library. Runs with cancellation disabled, and
   must return normally, not leave by longjmp or a C++ exception. */
typedef void (*shmipc_dead_region)(void *context, const char *name);

/* Lists dead regions: calls found(context, name) for each whose name begins with `prefix` (NULL and
   "": for all), in no particular order, and returns how many there are. `found` NULL: only counts
   them. Errors: NO_DESCRIPTORS, NO_MEMORY, DENIED (the directory), SYSTEM. */
SHMIPC_API int shmipc_dead_regions(const char *prefix, shmipc_dead_region found, void *context);

/* Removes the dead region `name`. Errors: INVALID, NAME, NAME_IN_USE (its host is alive),
   NOT_FOUND, DENIED (also: it is another user's), NOT_A_REGION, BYTE_ORDER, VERSION, NOT_READY,
   TRUNCATED, CORRUPT, NO_DESCRIPTORS, NO_MEMORY, SYSTEM. */
SHMIPC_API int shmipc_remove_dead_region(const char *name);

/* Removes dead regions: each whose name begins with `prefix` (NULL and "": all). Returns how many;
   if it returns an error, it may have removed some. Errors: as shmipc_dead_regions. */
SHMIPC_API int shmipc_remove_dead_regions(const char *prefix);

/* ---- Processors ------------------------------------------------------------------------------ */

/*
 * Binds the calling thread to processor `cpu`: counted from 0, as by the system. The library never
 * binds a thread on its own. A caller and a worker that exchange calls all the time do best on two
 * processors near each other (docs/benchmarks.md says what that gains, and what it may cost); bound
 * to the same processor, they wait for each other. Bind after creating or attaching: a process that
 * is bound to one processor before that takes the machine for a single processor, and does not
 * spin.
 * Errors: INVALID (the machine, or this process's share of it, has no such processor), SYSTEM.
 */
SHMIPC_API int shmipc_pin_thread(uint32_t cpu);

/* ---- Counters -------------------------------------------------------------------------------- */

/* What a peer did since it came: kept in this process, exact when nothing is under way. */
typedef struct shmipc_stats {
    uint64_t calls;     /* calls begun */
    uint64_t failed;    /* of those, ended without an answer */
    uint64_t served;    /* requests a handler was run for */
    uint64_t discarded; /* of those, answers that came too late and were thrown away */
    uint64_t parks;     /* waits that slept */
    uint64_t wakes;     /* wake calls made to the system */
    uint64_t reserved[10];
} shmipc_stats;

/* Stores the whole peer's counters in *stats. Errors: INVALID, CLOSED. */
SHMIPC_API int shmipc_get_stats(shmipc_peer *peer, shmipc_stats *stats);

/* Stores one slot's counters in *stats; `slot` counts over both directions, host slots first. parks
   and wakes are those of calls and answers on this slot. Errors: INVALID, CLOSED. */
SHMIPC_API int shmipc_get_slot_stats(shmipc_peer *peer, uint32_t slot, shmipc_stats *stats);

#ifdef __cplusplus
}
#endif

#endif
