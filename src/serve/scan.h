/*
 * How a worker looks for requests: at the slots that were served last and at a few others, so that
 * what a look costs does not grow with their number.
 */
#ifndef SHMIPC_SCAN_H
#define SHMIPC_SCAN_H

#include "serve/worker_state.h"

/* Looks at every slot, beginning behind the last one served so that none starves. Serves at most
   one request: the count, or an error. */
int shmi_scan_all(shmipc_peer *peer, struct worker *worker);

/* The same with a look at the recent slots and at a few others, from look to look at all. */
int shmi_scan_some(shmipc_peer *peer, struct worker *worker);

/* Has the slot that was served last brought here, after a hold-off for the next request in it. */
void shmi_scan_expect_last(const shmipc_peer *peer, const struct worker *worker);

/* Has the next look find a request that waits, wherever it is, first at home. False: there is
   none. */
bool shmi_scan_find_next(const shmipc_peer *peer, struct worker *worker);

#endif
