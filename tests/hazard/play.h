/*
 * A child process is a peer, and is killed in a state of its choice; the test has the surviving
 * peer.
 */
#ifndef SHMIPC_TESTS_PLAY_H
#define SHMIPC_TESTS_PLAY_H

#include "hazard/peers.h"

/* Survivors look for deaths every 100 ms, idle ones every 180. A loaded machine may be late once,
   not three times. */
#define SOON (200 * (uint64_t)MILLISECOND)
#define LATE (5 * (uint64_t)SECOND)

enum { TRIES = 3 };

/* In memory that the child shares. */
struct stage {
    struct region_name name;
    struct gate child_is_there; /* in the state that it is to be killed in */
    struct gate entered;        /* a handler, of either side */
    struct gate go_on;
    atomic_uint runs;
};

/* A handler that goes on until its process is killed, or until it is told. */
int stay(void *context, const shmipc_request *request, shmipc_response *response);

/* A handler that answers nothing, at once. */
int answer(void *context, const shmipc_request *request, shmipc_response *response);

/* Tells that the child is in its state. */
_Noreturn void stay_until_killed(struct stage *stage);

/* A peer that does nothing, until it is killed. */
void be_idle(struct stage *stage, shmipc_peer *peer);

struct play {
    struct stage *stage;
    bool child_is_guest;
    void (*act)(struct stage *stage, shmipc_peer *peer);
    shmipc_peer *peer; /* the survivor's */
    uint64_t killed_at;
};

/* Starts the child, and returns when the survivor is a peer of it. */
pid_t begin(struct play *play);

/* Kills the child in its state. */
void strike(struct play *play, pid_t child);

/* Frees the survivor; the next host of the name replaces the region that a killed host left. */
void end(struct play *play);

#endif
