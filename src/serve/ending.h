/*
 * The conditions that end serving, and waiting for requests.
 */
#ifndef SHMIPC_ENDING_H
#define SHMIPC_ENDING_H

#include "peer/peer.h"
#include "wait/stop.h"

/* What ends a thread that serves or waits, besides its peer. */
struct until {
    uint32_t wakes_before; /* shmipc_wake calls before the thread began */
    shmipc_stop_token *stop;
};

/* The half of shmipc_peer.serving.waiters_and_wakes that counts wakes. */
static inline uint32_t ending_wakes(uint64_t waiters_and_wakes) {
    return (uint32_t)(waiters_and_wakes >> 32);
}

/* Each returns OK, or the reason to end, which is then the thread's last failure. */
int shmi_ending_by_token(const struct until *until);
int shmi_ending_of_peer(shmipc_peer *peer);
int shmi_ending(shmipc_peer *peer, const struct until *until);

/* The reason for this thread to end, in any state of its peer: its token or shmipc_wake. */
int shmi_ending_by_wake(shmipc_peer *peer, const struct until *until);

/* Between two requests, since there may always be another one: reads private memory only. */
static inline int ending_while_busy(shmipc_peer *p, const struct until *until) {
    if (load_relaxed32(&p->life.phase) != PEER_OPEN || load_relaxed32(&p->life.corrupt))
        return shmi_ending_of_peer(p);
    if (!stop_is_asked(until->stop) && load_relaxed32(&p->serving.wake_pending) == 0 &&
        ending_wakes(load_seq_cst64(&p->serving.waiters_and_wakes)) == until->wakes_before)
        return SHMIPC_OK;
    return shmi_ending_by_wake(p, until);
}

#endif
