/*
 * The serving side of a slot: find a request, take it, run the handler, publish its answer.
 */
#ifndef SHMIPC_RESPONDER_H
#define SHMIPC_RESPONDER_H

#include "peer.h"

/* What the poll loop and the handler of one worker share. */
struct worker {
    shmipc_handler handler;
    void *context;
    uint32_t id;
    uint32_t next; /* where the next scan begins */
    bool ticked;   /* its last sleep ended because time passed, not by a ring */
    bool roused;   /* came out of a sleep, and has taken no request since */
};

/* One look at every slot, beginning behind the last one served so that none starves. Serves at
   most one request: the count, or an error. */
int shmi_responder_serve_one(shmipc_peer *peer, struct worker *worker);

/* After a doorbell was armed or its generation read: the second half of the pair with
   shmi_slot_publish_request. */
bool shmi_responder_request_waits(const shmipc_peer *peer);

/* Answers every waiting request with SHUTDOWN: for a host that leaves. */
void shmi_responder_refuse_all(shmipc_peer *peer);

#endif
