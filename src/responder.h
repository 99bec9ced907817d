/*
 * The serving side of a slot: take a request, run the handler, publish its answer.
 */
#ifndef SHMIPC_RESPONDER_H
#define SHMIPC_RESPONDER_H

#include "peer.h"

enum { WARM_SLOTS = 4 };

/* Where a worker looks next: scan.c's. Slots are counted within the direction. */
struct scan {
    uint32_t last;             /* the slot served last */
    uint32_t next;             /* the one behind it */
    uint32_t cold;             /* where the next glance at cold slots begins */
    uint32_t glances;          /* since a cold slot last came before the warm ones */
    uint32_t warm[WARM_SLOTS]; /* slots that were served lately, or slot 0 */
    uint32_t eldest;           /* which of them has been there longest */
};

/* What the poll loop and the handler of one worker share. */
struct worker {
    shmipc_handler handler;
    void *context;
    uint32_t id;
    struct scan scan;
    struct spin_budget spins;
    struct hold_off hold_off;
    bool beyond;    /* the last request, or its answer, went on in the slot's second line */
    bool watching;  /* has joined the watchers of the bell */
    bool announced; /* is among the sleepers of the bell, though it is awake */
    bool roused;    /* came out of a sleep, and has taken no request since */
    bool lone;      /* when it came out, no other request waited than the one it was rung for, */
                    /* and it has served no other since */
    bool obliged;   /* owes a yield: it has answered a request that ended a rest, or a sleeper */
};

/* Serves the request in slot `index`, whose word was just seen as `seen`: 1, 0 if somebody else
   took it or its caller gave up, or an error. */
int shmi_responder_serve(shmipc_peer *peer, uint32_t index, word seen, struct worker *worker);

/* The slot after this one, and after the last the first; counted within the direction. */
static inline uint32_t responder_slot_behind(const shmipc_peer *peer, uint32_t slot) {
    return slot + 1 < peer->serves.count ? slot + 1 : 0;
}

/* A slot in REQUEST, counted within the direction, looked for from this one on and round; their
   count if there is none. After a doorbell was armed or its generation read: the second half of the
   pair with slot_publish_request. */
uint32_t shmi_responder_find_request(const shmipc_peer *peer, uint32_t first);

static inline bool responder_request_waits(const shmipc_peer *peer) {
    return shmi_responder_find_request(peer, 0) != peer->serves.count;
}

/* Answers every request that waits in `region` with SHUTDOWN: for a host that leaves. */
void shmi_responder_refuse_all(const shmipc_peer *peer, const struct region *region);

#endif
