/*
 * Event loops for the tests of descriptors: a peer of this process, watched by level or by edge.
 */
#ifndef SHMIPC_TESTS_LOOPS_H
#define SHMIPC_TESTS_LOOPS_H

#include "hazard/peers.h"

enum { LOOP_SLOTS = 8 }; /* of each direction: loop_config */

#define ALL_EVENTS (SHMIPC_ARM_REQUESTS | SHMIPC_ARM_EVENTS)

/* Two ticks, and time for a busy machine. */
#define SOON (600 * (uint64_t)MILLISECOND)

/* As test_host_config, with more slots. */
shmipc_host_config loop_config(void);

struct loop {
    shmipc_peer *peer;
    shmipc_fd fd;
    int watch; /* an epoll instance that watches fd by edge; -1: poll does, by level */
    uint32_t events;
    shmipc_slot slots[LOOP_SLOTS];
    size_t count;
};

/* Without slots; it has heard of all the peers that are there. */
void loop_open(struct loop *loop, shmipc_peer *peer, uint32_t events, bool by_edge);
/* The peer stays. */
void loop_close(struct loop *loop);

void loop_claim(struct loop *loop, size_t count);

/* The loop looks for deaths an hour apart: nothing makes up for a signal that is lost. For a loop
   that was not armed yet. */
void loop_without_ticks(struct loop *loop);

/* An empty request, which must be sent. */
void loop_send(shmipc_slot slot);

int loop_arm(struct loop *loop);
/* Waits up to `timeout` ns. */
bool loop_is_ready(const struct loop *loop, int64_t timeout);
/* It is not ready now, or was so for a tick. */
bool loop_is_quiet(const struct loop *loop);
/* Arms, and waits while nothing is there. */
void loop_await(struct loop *loop);
/* Until this slot's call has ended. */
int loop_receive(struct loop *loop, shmipc_slot slot, shmipc_response *response);
/* A call in the first slot. */
int loop_call(struct loop *loop);

/* A host's loop, with one slot, and a guest, in this process. */
struct stand {
    struct pair pair;
    struct loop loop;
    uint64_t nonce;
    char path[64]; /* of the host's FIFO */
};

void stand_open(struct stand *stand);
/* No FIFO may be left. */
void stand_close(struct stand *stand);

/* A call in the loop's slot: is sent, is answered, is over. */
void stand_send(const struct stand *stand);
void stand_answer(const struct stand *stand);
void stand_receive(struct stand *stand);

/* The nonce of a peer's region; the path of a peer's FIFO; how many FIFOs the region has. */
uint64_t nonce_of(const shmipc_peer *peer);
void fifo_path(uint64_t nonce, uint32_t peer, char path[static 64]);
int count_fifos(uint64_t nonce);

#endif
