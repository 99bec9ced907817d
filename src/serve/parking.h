/*
 * A parked worker: it announces itself on the eventcount of requests, looks at all slots once more,
 * and sleeps until it is notified, serving ends, or it finds the poller stuck (sentry.h). Between
 * sleeps it looks for dead peers.
 */
#ifndef SHMIPC_PARKING_H
#define SHMIPC_PARKING_H

#include "serve/ending.h"
#include "serve/worker_state.h"

/* SEARCHING -> PARKED -> SEARCHING. Returns OK, or the reason why serving ends. */
int shmi_park(shmipc_peer *peer, struct worker *worker, const struct until *until);

/* Sleeps once on the eventcount of requests; also for a thread that waits and does not serve. True
   if no notification came. */
bool shmi_park_sleep(shmipc_peer *peer, uint32_t generation, uint64_t until, uint32_t home);

#endif
