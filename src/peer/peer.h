/*
 * One end of a region in this process: the common part of host and guest. A peer calls in one
 * direction and serves in the other; both roles use the same code.
 *
 * Once the peer is open, a field that is marked "home.c's" is written only by that file, and by
 * peer.c in a forked child.
 */
#ifndef SHMIPC_PEER_H
#define SHMIPC_PEER_H

#include "base/error.h"
#include "region/region.h"
#include "wait/deadline.h"
#include "wait/eventcount.h"
#include "wait/wait.h"
#include "wire/word.h"

#include "shmipc/shmipc.h"

/* The slots of one direction, and its two eventcounts. */
struct direction {
    uint32_t first;
    uint32_t count;
    uint32_t request_capacity;
    uint32_t response_capacity;
    struct local_eventcount requests;  /* a request was published */
    struct local_eventcount vacancies; /* a slot became free */
};

enum slot_phase {
    PHASE_CLAIMED, /* the user writes the request */
    PHASE_SENT,
    PHASE_ANSWERED, /* the user reads the response */
};

/* The serving side's part of a slot. */
struct slot_service {
    atomic_u32 residents;         /* home.c's: workers of this process that are at home here */
    atomic_u32 keepers;           /* home.c's: those of them that a request may be left to */
    atomic_u64 served, discarded; /* responder.c's: counts */
};

/* What the claimer notes of the call under way, for its wait and for the end of its turn. */
struct slot_call {
    owner to;            /* the guest that alone may answer; 0: any */
    uint32_t type;       /* of the request */
    enum reach reach;    /* of the request */
    uint64_t checked_at; /* when a caller that does not sleep last checked the responder */
    bool waits_ready;    /* the call waits for a guest that can answer */
    bool withdrawn;      /* a look took the request back: nobody could answer */
    bool polled;         /* a worker polled when this request was published, */
    bool woke_worker;    /* or one was asleep, and was notified */
    bool notified;       /* the caller need not notify (again) before it sleeps */
    bool is_in_crowd;    /* its wait counts in calling.long_waits */
    bool slept;          /* a call slept while its handler ran, since turns.c last cleared this */
    bool held;           /* claimed by the user, whose thread may not call again soon */
};

/* This process's private state of one slot. Each has its own cache lines: threads that use
   neighbouring slots do not disturb each other. This process calls in the slot or serves it:
   fields without a mark are written by the thread that has claimed the slot, or serves it. */
struct local_slot {
    /* Odd while the slot is claimed: then it is the claim's ticket. Every claim and every release
       changes it: pool.c's. */
    _Alignas(2 * CACHE_LINE) atomic_u32 claim;
    atomic_u32 cancelled; /* ticket of the call to cancel: set by claim.c, cleared by caller.c */
    enum slot_phase phase;
    word last;           /* the last word we stored, or saw the other side store */
    struct slot *shared; /* never changes */
    struct slot_call call;
    atomic_u64 calls, failed, parks, wakes;
    struct spin_budget spins; /* of waits for this slot's answers */
    struct hold_off hold_off; /* of the same waits */
    struct turn turn;         /* while others wait for a slot */
    bool quarantined;         /* given up while WORKING: not ours until its responder lets go */
    atomic_u64 settled; /* detach.c's: the region's word when the closing thread gave up the call */
    struct slot_service service;
};

/* Why a peer finds no other in this region any more. */
enum host_loss { HOST_PRESENT, HOST_IS_DEAD, NAME_IS_LOST };

enum peer_phase { PEER_OPEN, PEER_DRAINING, PEER_CLOSED };

/* Whether a closed peer has left the region. */
enum departure { DEPARTURE_AHEAD, DEPARTING, DEPARTED };

/* The peers that a thread serves, the innermost first. Each entry lies on the stack of its call of
   shmipc_serve or shmipc_poll. */
struct served {
    shmipc_peer *peer;
    const struct served *outer;
};

struct known_peer {
    uint64_t service;
    uint32_t epoch;
    bool present;
};

// NOLINTBEGIN(clang-analyzer-optin.performance.Padding): some fields have lines of their own

/* Coming and going. */
struct peer_life {
    atomic_u32 phase;   /* leave.c's: enum peer_phase; only rises */
    atomic_u32 corrupt; /* peer.c's: 1 once the region was found corrupt */
    atomic_u32 gone;    /* leave.c's: enum departure; only rises */
    atomic_u32 cutting; /* detach.c's: 1 while the threads inside are being cut off; futex */
    int unlink_error;   /* errno: why the departing thread could not remove the name; or 0 */
    atomic_u32 forked;  /* 1: a forked child's copy; there is no region behind it */
    bool stays_mapped;  /* departed, but could not be detached; set before `gone` */

    /* References to the peer: the user's until shmipc_free, and one for each thread that serves.
       The last holder calls `end`, which shmipc_free has set. */
    atomic_u32 holders;
    void (*end)(shmipc_peer *peer);

    /* Threads inside, for which close waits: in calls that hold no slot, and serving. On lines of
       their own, since every call reads the phase. */
    _Alignas(2 * CACHE_LINE) atomic_u32 users;
    atomic_u32 exit_sequence; /* futex; moves when a thread leaves a closed peer */
};

/* The other peers. */
struct peer_membership {
    atomic_u32 host_lost; /* peer.c's: enum host_loss; set once */

    /* 1: a peer of the other side was seen alive, and none was seen dead since. Written by peer.c,
       caller.c and membership.c. */
    atomic_u32 remote_alive;

    struct local_eventcount changes; /* a peer came or went */
    atomic_u64 next_tick;            /* membership.c's: when a thread must look for deaths */
    atomic_u32 ticks;                /* membership.c's: a count */
    atomic_u32 scan;                 /* membership.c's: 1 while a thread looks at all peers; */
    struct known_peer known[PEERS];  /* that thread writes these */
};

/* What the calling threads share. */
struct peer_calling {
    struct spin_budget claim_spins;
    struct spin_budget collect_spins; /* of waits for the first of several answers */
    struct local_eventcount answers;  /* for threads that wait for the first of several answers */
    atomic_u32 vain_notifies;         /* send.c's: notifications that woke no thread */

    /* Waits of calls that were sent while no worker polled. Written by caller.c and outcome.h. */
    _Alignas(2 * CACHE_LINE) struct crowd long_waits;

    /* More callers than slots. */
    _Alignas(2 * CACHE_LINE) atomic_u32 newest_waiter; /* pool.c's: number of the newest waiter */
    struct turns turns;                                /* pool.c's and turns.c's */
    atomic_u64 next_reclaim; /* pool.c's: when a waiter must look for slots of dead owners */
};

/* What the workers share. Each group has its own cache lines: fields that workers change when they
   park, and around long handlers, do not disturb those that are read with each request. */
struct peer_serving {
    struct spin_budget wait_spins; /* of shmipc_wait */
    struct spin_budget spins;      /* a worker's at first */
    struct hold_off hold_off;      /* a worker's at first */

    _Alignas(2 * CACHE_LINE) atomic_u32 poller; /* poller.c's: the worker that polls; 0: none */
    atomic_u32 next_worker;

    /* parking.c's: generation of serves.requests when a worker last found no request and slept. */
    _Alignas(2 * CACHE_LINE) atomic_u32 idle_at;
    atomic_u64 rests_since; /* when a worker last went to sleep; 0: a request was taken since */
    atomic_u32 ticker;      /* parking.c's: the parked worker that looks for deaths; 0: none */
    atomic_u32 superseded;  /* poller.c's: superseded pollers that have not noticed */

    _Alignas(2 * CACHE_LINE) struct crowd long_handlers; /* running.c's: long handlers that run */

    _Alignas(2 * CACHE_LINE) struct durations durations;
    atomic_u32 sentry; /* sentry.c's: enum sentry_state */
    /* worker.c's. Low half: threads in shmipc_serve and shmipc_wait; high half: calls of
       shmipc_wake. In one word, so that a wake either finds a waiter or is for the next one. */
    atomic_u64 waiters_and_wakes;
    atomic_u32 wake_pending; /* 1: a wake found no waiter, and is for the next one */
};

/* An event loop that watches this peer's descriptor. Written by the loop's thread alone, and read
   by the thread that frees the peer. */
struct peer_loop {
    struct pollable *pollable; /* NULL until shmipc_get_fd */
    bool awaits_answers;       /* is announced as a sleeper on calling.answers, */
    bool awaits_requests;      /* on serves.requests, */
    bool awaits_changes;       /* on membership.changes */
    bool heeds_requests;       /* the last shmipc_arm was for requests too */
    bool is_ready;             /* the descriptor was signalled, and not cleared since */
    bool look_again;           /* the last look for deaths found something, maybe not taken yet */
    bool host_watched;         /* the descriptor becomes ready when the host's process ends */
    uint64_t tick_at;          /* when to look for deaths next */
    uint32_t changes_seen; /* generation of membership.changes before a look that found nothing */
};

struct shmipc_peer {
    /* Do not change while the peer is open. If threads stay inside when this peer leaves, a private
       mapping replaces the memory of `region`: detach.c. */
    struct region region;
    uint32_t index;      /* in the peer table: HOST or a guest's */
    owner self;          /* 0 for the host */
    bool calls_only;     /* a guest that does not serve */
    bool wait_ready;     /* every call of this host waits for a guest that can answer */
    uint32_t processors; /* that this process may use at a time */
    struct local_slot *slots;
    struct direction calls;
    struct direction serves;
    shmipc_log log;
    void *log_context;

    struct peer_life life;
    atomic_u64 parks, wakes; /* counts of waits that belong to no slot */
    struct peer_calling calling;
    struct peer_serving serving;
    struct peer_membership membership;
    struct peer_loop loop;
};

// NOLINTEND(clang-analyzer-optin.performance.Padding)

struct peer_settings {
    int64_t spin_ns;
    shmipc_log log;
    void *log_context;
    bool calls_only;
    bool wait_ready;
    uint64_t service; /* a guest's */
};

/* Wraps a region, and takes ownership of it, also on failure. */
int shmi_peer_open(struct region region, uint32_t index, owner self,
                   const struct peer_settings *settings, shmipc_peer **peer);

static inline bool peer_is_host(const shmipc_peer *p) {
    return p->index == HOST;
}

/* Threads in shmipc_serve and shmipc_wait. */
static inline uint32_t peer_servers(const shmipc_peer *p) {
    return (uint32_t)load_relaxed64(&p->serving.waiters_and_wakes);
}

static inline struct peer_record *peer_own_record(shmipc_peer *p) {
    return &p->region.shared->peers[p->index];
}

/* Every call that touches the region without a claimed slot enters and leaves the peer here.
   CLOSED: the peer is closed, and was not entered. INVALID: it is NULL. */
int shmi_peer_enter(shmipc_peer *peer);
/* The same if a closed peer is no failure of the user's call: records no error. */
bool shmi_peer_try_enter(shmipc_peer *peer);
void shmi_peer_leave(shmipc_peer *peer);

/* Bracket shmi_peer_enter and shmi_peer_leave while serving: hold a reference, and mark the thread
   as serving. Ending is harmless if it was done before, or serving never began (the peer is
   NULL). */
void shmi_peer_begin_serving(shmipc_peer *peer, struct served *served);
void shmi_peer_end_serving(struct served *served);

/* True in a handler of this peer, in this thread. */
bool shmi_peer_is_served_here(const shmipc_peer *peer);

/* Drops one reference. */
void shmi_peer_let_go(shmipc_peer *peer);

/* Waits while this peer is being cut off (detach.c). Afterwards, if the peer was cut off, `settled`
   may be read; if not, this thread's earlier accesses went to the region itself. */
COLD void shmi_peer_await_settlement(shmipc_peer *peer);

/* For a thread that has left: wakes the closing thread, if there is one. */
COLD void shmi_peer_tell_departure(shmipc_peer *peer);

static inline void peer_note_departure(shmipc_peer *p) {
    if (load_seq_cst32(&p->life.phase) != PEER_OPEN)
        shmi_peer_tell_departure(p);
}

/* True if this is a guest, and its host has announced that it is leaving. */
static inline bool peer_host_is_leaving(const shmipc_peer *p) {
    return !peer_is_host(p) &&
           load_relaxed32(&p->region.shared->peers[HOST].status) != PEER_ATTACHED;
}

COLD int shmi_peer_refuse(const shmipc_peer *peer);

/* CLOSED, SHUTDOWN, CORRUPT, NO_PEER, NAME_LOST, or OK. Call it after claiming: this seq_cst load
   pairs with the closing thread's store. */
static inline int peer_refusal(shmipc_peer *p) {
    if (load_seq_cst32(&p->life.phase) == PEER_OPEN && !load_relaxed32(&p->life.corrupt) &&
        !load_relaxed32(&p->membership.host_lost) && !peer_host_is_leaving(p))
        return SHMIPC_OK;
    return shmi_peer_refuse(p);
}

/* For contents that no correct peer wrote: every later call fails. Returns CORRUPT. */
COLD int shmi_peer_mark_corrupt(shmipc_peer *peer, const char *format, ...);

/* Notify and count. */
void shmi_peer_notify(shmipc_peer *peer, struct local_eventcount *eventcount, uint32_t wake_count);
/* Notifies of a request in `slot`, counted within the direction that is served, and perhaps of
   others. */
void shmi_peer_notify_for_several(shmipc_peer *peer, uint32_t slot);

void shmi_peer_log(const shmipc_peer *peer, shmipc_log_level level, const char *format, ...);

/* For a thread that has just checked which peers are alive: logs any trouble that the platform
   layer met. */
void shmi_peer_tell_trouble(const shmipc_peer *peer);

/* True if a live peer on the other side may answer. Costs a system call or two, and one for each
   dead guest that is not reaped yet. Remembers the result. */
bool shmi_peer_remote_is_alive(shmipc_peer *peer);

/* Host: looks whether the region still has its name. Without the name no guest comes, the present
   ones leave, and another host may take it. */
COLD void shmi_peer_look_for_name(shmipc_peer *peer);

/* NAME_LOST if an earlier look found the name lost; else OK. */
int shmi_peer_name_refusal(const shmipc_peer *peer);

/* The threads and slots that a leaving peer waits for. */
struct occupants {
    uint32_t threads; /* inside without a claim, or serving */
    uint32_t slots;   /* claimed */
};

struct occupants shmi_peer_occupants(const shmipc_peer *peer);

/* True if exactly `expected` threads are inside and no slot is claimed. */
bool shmi_peer_is_quiet(const shmipc_peer *peer, uint32_t expected);

/* INVALID if the peer is NULL, or a guest that only calls. */
int shmi_peer_check_server(const shmipc_peer *peer);

COLD int shmi_refuse_timeout(int64_t timeout);

/* INVALID, unless `timeout` is SHMIPC_FOREVER, or 0 and above. */
static inline int check_timeout(int64_t timeout) {
    return timeout >= 0 || timeout == SHMIPC_FOREVER ? SHMIPC_OK : shmi_refuse_timeout(timeout);
}

#endif
