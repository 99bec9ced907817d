/*
 * A worker: a thread that serves, and its state.
 */
#ifndef SHMIPC_WORKER_STATE_H
#define SHMIPC_WORKER_STATE_H

#include "peer/peer.h"

/* A parked worker's part as the sentry: sentry.c's. */
struct sentry {
    bool is_on_duty;
    uint32_t quiet;   /* looks in a row that saw no poller */
    uint64_t look_at; /* when it is to look next */
};

/* Where a worker looks next: scan.c's, but poller.c may change `next`. Slots are counted within the
   direction. */
struct scan {
    uint32_t last;                 /* the slot served last */
    uint32_t next;                 /* the one after it */
    uint32_t sweep;                /* where the next sweep over a few slots begins */
    uint32_t looks;                /* since a sweep last came before the recent slots */
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
    bool just_woken;   /* no request was taken since the wake-up */
    bool sole_request; /* only the request of the notification waited, and none was served */
    bool owes_yield;   /* has answered a request that ended an idle period, or woken a caller */
};

/* All fields are its own thread's. */
struct worker {
    shmipc_handler handler;
    void *context;
    struct spin_budget spins;
    struct hold_off hold_off;
    struct sentry sentry; /* on duty from one sleep to the next, until it has work */
    struct scan scan;
    uint32_t id;
    uint32_t home;           /* home.h; a slot, counted within the direction, or NO_HOME */
    enum worker_state state; /* set by poller.c, running.c and parking.c */
    uint32_t type;           /* of the request served last */
    uint32_t handlers;       /* how many it has run */
    enum reach reach;        /* of the last request, or of its answer if that reached further */
    struct wakeup wakeup;
    bool measures_next;
    bool ran_long;   /* during this search */
    bool keeps_home; /* has run a long handler, and neither parked nor polled since: home.h */
    bool is_out;     /* not counted among its home's keepers now */
};

#endif
