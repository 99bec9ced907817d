/*
 * A process that is a host, or a guest in C: it calls, serves, and does what the director orders.
 * When its peer is gone it makes another: one process has many lives. go_guest is the same in Go.
 */
#ifndef SHMIPC_TESTS_CHAOS_PEER_H
#define SHMIPC_TESTS_CHAOS_PEER_H

#include "chaos/ledger.h"

enum { HOST_SLOTS = 4, GUEST_SLOTS = 4, HOST_CALLERS = 7, GUEST_CALLERS = 3, WORKERS = 2 };

struct role {
    struct ledger *ledger;
    unsigned number; /* of its post; 0: the host */
};

/* For child_start, with a role: until it is ordered to end, or killed. */
int chaos_peer(void *context);

#endif
