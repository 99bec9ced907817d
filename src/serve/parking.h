/*
 * A parked worker: it has announced itself on the eventcount of requests, looks at all slots once
 * more, and sleeps until it is notified, something ends serving, or it has to look whether the
 * poller is stuck (sentry.h). Meanwhile it looks for deaths.
 */
#ifndef SHMIPC_PARKING_H
#define SHMIPC_PARKING_H

#include "serve/ending.h"
#include "serve/worker_state.h"

/* SEARCHING -> PARKED -> SEARCHING. OK, or why serving ends. */
int shmi_park(shmipc_peer *peer, struct worker *worker, const struct until *until);

/* Sleeps on the eventcount of requests, for whom does not serve. True if nobody notified. */
bool shmi_park_sleep(shmipc_peer *peer, uint32_t generation, uint64_t until, uint32_t home);

#endif
