/*
 * Waking the caller of a slot, wherever it sleeps: on the slot's word, or, if it waits for the
 * first of several answers, on its peer's eventcount for answers.
 */
#ifndef SHMIPC_WAKE_CALLER_H
#define SHMIPC_WAKE_CALLER_H

#include "region/region.h"

/* By whoever has changed the word of slot `index` and found PARKED in it; `caller` is the index of
   the peer whose call it is. */
void shmi_wake_caller(const struct region *region, uint32_t index, uint32_t caller);

#endif
