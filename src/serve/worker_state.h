/*
 * A worker: a thread that serves, and what it knows.
 */
#ifndef SHMIPC_WORKER_STATE_H
#define SHMIPC_WORKER_STATE_H

#include "peer/peer.h"

/* A parked worker's part as the sentry: sentry.c's. */
struct sentry {
    bool is_on_duty;
    uint32_t quiet;   /* how often in a row it has seen that nobody polls */
    uint64_t look_at; /* when it is to look next */
};

/* Where a worker looks next: scan.c's. Slots are counted within the direction. */
struct scan {
    uint32_t last;                 /* the slot served last */
    uint32_t next;                 /* the one behind it */
    uint32_t sweep;                /* where the next look at some of all slots begins */
    uint32_t looks;                /* since that last came before the recent slots */
    uint32_t recent[RECENT_SLOTS]; /* slots that were served lately, or slot 0 */
    uint32_t eldest;               /* which of them has been there longest */
};

enum worker_state {
    WORKER_SEARCHING, /* looks for a request; callers notify another worker, if one is parked */
    WORKER_POLLING,   /* looks again and again, and runs short handlers: callers need not notify */
    WORKER_RUNNING,   /* is in a handler that was expected to be long; callers notify */
    WORKER_PARKED,    /* has announced itself, and looks once more or sleeps */
};

/* What a wake-up implies, until its request is answered. */
struct wakeup {
    bool just_woken;   /* no request was taken since */
    bool sole_request; /* no request waited but the one it was notified of, nor was one served */
    bool owes_yield;   /* it has answered a request that ended a rest, or a caller that slept */
};

/* All fields are its own thread's. */
struct worker {
    shmipc_handler handler;
    void *context;
    struct spin_budget spins;
    struct hold_off hold_off;
    struct sentry sentry; /* its part as one: on duty from sleep to sleep, until it has work */
    struct scan scan;
    uint32_t id;
    uint32_t home;           /* home.h; a slot, counted within the direction, or NO_HOME */
    enum worker_state state; /* by poller.c, running.c and parking.c */
    uint32_t type;           /* of the request served last */
    uint32_t handlers;       /* that it has run */
    enum reach reach;        /* of the last request, or of its answer if that reached further */
    struct wakeup wakeup;
    bool measures_next;
    bool ran_long;   /* in this turn */
    bool keeps_home; /* has run a long handler, and neither parked nor polled since: home.h */
    bool is_out;     /* counted out of its home's keepers */
};

#endif
