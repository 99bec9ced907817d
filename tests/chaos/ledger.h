/*
 * What handlers did and what callers were told, call by call, in memory that no peer's death takes
 * away: it lies outside of the region, and every process of a scene has it mapped. Also how the
 * director and the processes talk: what it orders, and what they have come to.
 *
 * go_guest/ledger.go has the same structures.
 */
#ifndef SHMIPC_TESTS_CHAOS_LEDGER_H
#define SHMIPC_TESTS_CHAOS_LEDGER_H

#include "support/fixture.h"

/* ---- Calls ---- */

enum phase { CALL_UNUSED, CALL_BEGUN, CALL_ENDED };

/* What the caller saw when its call had ended. */
enum seen { SEEN_STARTED = 1, SEEN_FINISHED = 2, SEEN_WRONG_ANSWER = 4 };

/* An outcome beside those of shmipc_error: the caller released the slot, and was told nothing. */
enum { OUTCOME_ABANDONED = 1 };

enum { NANOSECONDS_A_MICROSECOND = 1000 };

/* 64 bytes. `started` to `server` and the handler's times are the handler's, the rest the caller's.
   Callers and servers are incarnations: each process that was started has another one. */
struct call {
    _Atomic uint32_t started;
    _Atomic uint32_t finished;
    _Atomic uint32_t server;
    _Atomic uint32_t phase;
    int32_t outcome;
    uint32_t caller;
    uint8_t process; /* of the caller, as in `posts` */
    uint8_t way;
    uint8_t wish;
    uint8_t seen;
    uint32_t timeout_us;
    uint64_t began, ended; /* CLOCK_MONOTONIC, as all times here, in nanoseconds */
    _Atomic uint64_t handler_began;
    _Atomic uint64_t handler_ended;
};

/* ---- Processes ---- */

enum {
    POSTS = 8,  /* the host, number 0, and its guests */
    DESKS = 16, /* threads that call in one process */
    NOTE_MAX = 160,
    INCARNATIONS_MAX = 32768
};

enum order {
    ORDER_NONE,
    ORDER_GATHER, /* a host waits until all guests are there */
    ORDER_QUIET,  /* nobody calls any more, and no slot is held */
    ORDER_PROVE,  /* every slot can be claimed, and a call through each succeeds */
    ORDER_RESUME, /* call again */
    ORDER_LEAVE,  /* in order, and come back */
    ORDER_END     /* leave gracefully, and end the process */
};

/* A thread that calls. */
struct desk {
    _Atomic uint64_t call; /* its number plus 1; 0: none */
    _Atomic uint64_t since;
};

/* 1024 bytes. */
struct post {
    _Atomic uint32_t order;  /* generation * 256 + enum order */
    _Atomic uint32_t obeyed; /* the last one that was carried out */
    _Atomic uint32_t incarnation;
    _Atomic uint32_t guests;     /* a host is to gather so many */
    _Atomic uint32_t attached;   /* 1: it has a peer */
    _Atomic uint32_t faulty;     /* 1: `note` says what is wrong */
    _Atomic uint64_t answered;   /* calls that came to OK or HANDLER */
    _Atomic uint64_t served;     /* handlers that returned */
    _Atomic uint64_t stats[6];   /* as shmipc_stats */
    _Atomic uint32_t holding[3]; /* descriptors, threads and mappings, when last counted */
    uint32_t reserved[127];
    char note[NOTE_MAX];
    struct desk desks[DESKS];
};

struct ledger {
    uint32_t call_bytes, post_bytes; /* of the structures, so that both languages agree */
    uint64_t calls_at;               /* where `calls` begin */
    uint64_t capacity;               /* calls */
    uint64_t began;
    uint64_t seed;
    _Atomic uint64_t next;
    _Atomic uint64_t garbled; /* requests that no caller has made, or that changed */
    _Atomic uint32_t incarnations;
    uint32_t guest_slots; /* of the scene's hosts */
    struct region_name region;
    uint8_t killed[INCARNATIONS_MAX];
    struct post posts[POSTS];
    struct call calls[];
};

/* A file that only its descriptors lead to, so that it goes with the last process. */
struct ledger *ledger_open(unsigned seconds, uint64_t seed);
void ledger_close(struct ledger *ledger);
/* Where another program, started by this process, finds it. */
void ledger_path(char path[static 64]);

/* ---- A caller's side ---- */

/* Calls are numbered no faster than the ledger has room for. */
bool ledger_has_room(const struct ledger *ledger);

/* The number of a new call. */
uint64_t ledger_begin(struct ledger *ledger, struct post *post, const struct call *call);
void ledger_end(struct ledger *ledger, struct post *post, uint64_t number, int outcome, bool wrong);

void desk_take(struct desk *desk, uint64_t number);
void desk_clear(struct desk *desk);

/* ---- A handler's side ---- */

/* NULL: there is no such call. */
struct call *ledger_call(struct ledger *ledger, uint64_t number);
void ledger_start(struct call *call, const struct post *post);
void ledger_finish(struct call *call, struct post *post);

/* ---- A process's side ---- */

/* Says what is wrong; the first note counts. Returns false. */
bool post_fault(struct post *post, const char *format, ...) SHMIPC_PRINTF_LIKE(2, 3);

#endif
