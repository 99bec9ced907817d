/*
 * The calls that wait, on a host and a guest in this process: what the tests of waiting threads
 * share.
 */
#ifndef SHMIPC_TESTS_WAITS_H
#define SHMIPC_TESTS_WAITS_H

#include "hazard/peers.h"

struct stage {
    struct pair pair;
    struct region_name nobodys; /* no region has it */
    shmipc_stop_token token;
    shmipc_peer *second; /* guest */
    shmipc_slot slots[2];
    struct server server;
    struct gated gated;
    struct call_thread call;
};

void open_stage(struct stage *stage, void (*prepare)(struct stage *stage));

/* What a wait needs, so that it waits. */
void prepare_nothing(struct stage *stage);
void hear_of_all(struct stage *stage);
void hold_one(struct stage *stage);
void hold_all(struct stage *stage);
void send_one(struct stage *stage);

/* The waits, without a time-out. Each returns its result. */
int wait_for_guests(struct stage *stage);
int wait_for_event(struct stage *stage);
int claim_and_release(struct stage *stage);
int make_call(struct stage *stage);
int make_guests_call(struct stage *stage);
int ping_the_guest(struct stage *stage);
int call_in_slot(struct stage *stage);
int receive_one(struct stage *stage);
int collect_one(struct stage *stage);
int serve_the_host(struct stage *stage);
int wait_for_request(struct stage *stage);

#endif
