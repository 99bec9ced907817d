/* What became of a call that a bridge handed on. The host's call has been started by the bridge,
   so a failure behind it arrives as SHMIPC_E_HANDLER, with a message that begins with a mark:
   "[NO_PEER] no worker listens". A message that begins otherwise is the worker's own. */
#ifndef NATS_BRIDGE_OUTCOME_H
#define NATS_BRIDGE_OUTCOME_H

#include <shmipc/shmipc.h>
#include <stddef.h>
#include <string.h>

/* Message types of the bridge. Both requests begin with the job's 16 bytes, which are the host's
   to choose and must never be used for another job. */
enum {
    BRIDGE_JOB_START = 0x4a4f4230, /* then the job's request; the answer is empty: it is stored */
    BRIDGE_JOB_RESULT,             /* the answer is the job's, or of type BRIDGE_JOB_PENDING */
    BRIDGE_JOB_PENDING             /* not yet */
};

/*
 * The outcome of a call: `error` itself if it is not SHMIPC_E_HANDLER; otherwise what the handler's
 * message says, which is in response->data:
 *
 *     SHMIPC_E_NO_PEER, SHMIPC_E_TIMEOUT        never started: it may be called again
 *     SHMIPC_E_TOO_LARGE                        the request is too large for the servers
 *     SHMIPC_E_TIMEOUT_STARTED, _PEER_DIED      a worker may have run it, or still may
 *     SHMIPC_E_HANDLER                          a worker ran it, and its handler failed
 *
 * A message that was cut short, because response->capacity is under 24 bytes, is HANDLER.
 */
static inline int bridge_outcome(int error, const void *message, size_t length) {
    static const struct {
        const char *mark;
        int outcome;
    } marks[] = {
        {"[NO_PEER] ", SHMIPC_E_NO_PEER},     {"[TIMEOUT] ", SHMIPC_E_TIMEOUT},
        {"[TOO_LARGE] ", SHMIPC_E_TOO_LARGE}, {"[TIMEOUT_STARTED] ", SHMIPC_E_TIMEOUT_STARTED},
        {"[PEER_DIED] ", SHMIPC_E_PEER_DIED},
    };
    for (size_t i = 0; error == SHMIPC_E_HANDLER && i < sizeof marks / sizeof *marks; i++) {
        size_t size = strlen(marks[i].mark);
        if (length >= size && memcmp(message, marks[i].mark, size) == 0)
            return marks[i].outcome;
    }
    return error;
}

/* 1 if an outcome says that no handler has seen the request and none will, so that the same call
   may be made again; else 0. */
static inline int bridge_never_started(int outcome) {
    return outcome == SHMIPC_E_NO_PEER || outcome == SHMIPC_E_TIMEOUT ||
           outcome == SHMIPC_E_CANCELLED || outcome == SHMIPC_E_CLOSED ||
           outcome == SHMIPC_E_SHUTDOWN;
}

#endif
