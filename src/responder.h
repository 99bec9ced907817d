/*
 * The serving side. Its functions are the public ones of shmipc.h, Serving.
 */
#ifndef SHMIPC_RESPONDER_H
#define SHMIPC_RESPONDER_H

#include "peer.h"

/* Answers every waiting request with SHUTDOWN: for a host that leaves. */
void shmi_responder_refuse_all(shmipc_peer *peer);

#endif
