/*
 * The serving side of a slot: take a request, run the handler, publish its answer.
 */
#ifndef SHMIPC_RESPONDER_H
#define SHMIPC_RESPONDER_H

#include "serve/worker_state.h"

/* Serves the request in slot `index`, whose word was just seen as `seen`. Returns 1, or 0 if
   another worker took the request or its caller gave up, or an error. */
int shmi_responder_serve(shmipc_peer *peer, uint32_t index, word seen, struct worker *worker);

/* Answers every request that waits in `region` with SHUTDOWN: for a host that leaves. */
void shmi_responder_refuse_all(const shmipc_peer *peer, const struct region *region);

#endif
