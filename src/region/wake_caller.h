/*
 * Waking the caller of a slot. It sleeps on the slot's word, or, if it waits for the first of
 * several answers, on its peer's eventcount for answers.
 */
#ifndef SHMIPC_WAKE_CALLER_H
#define SHMIPC_WAKE_CALLER_H

#include "region/region.h"

/* For a thread that has changed the word of slot `index` and found PARKED in it; `caller` is the
   index of the calling peer. */
void shmi_wake_caller(const struct region *region, uint32_t index, uint32_t caller);

#endif
