/*
 * The calling side. Its functions are the public ones of shmipc.h, Calls and Zero copy.
 */
#ifndef SHMIPC_CALLER_H
#define SHMIPC_CALLER_H

#include "pool.h"

/* Wakes the caller of every slot under way, to see that its peer is closing. */
void shmi_caller_wake_all(shmipc_peer *peer);

#endif
