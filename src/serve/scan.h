/*
 * How a worker looks for requests: at the slots that were served last and at a few others, so that
 * the cost of a look does not grow with the number of slots.
 */
#ifndef SHMIPC_SCAN_H
#define SHMIPC_SCAN_H

#include "serve/worker_state.h"

/* Looks at every slot, beginning after the last one served so that none starves. Serves at most one
   request. Returns how many it served, or an error. */
int shmi_scan_all(shmipc_peer *peer, struct worker *worker);

/* The same for the recent slots and a few others; successive looks go through all slots. */
int shmi_scan_some(shmipc_peer *peer, struct worker *worker);

/* Prefetches the slot that was served last, after a hold-off for the next request in it. */
void shmi_scan_expect_last(const shmipc_peer *peer, const struct worker *worker);

/* Finds a request that waits in any slot, first at home, and makes the next look begin there.
   False: none waits. */
bool shmi_scan_find_next(const shmipc_peer *peer, struct worker *worker);

#endif
