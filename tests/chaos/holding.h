/* What a long-living process holds: no life of a peer may leave anything behind. */
#ifndef SHMIPC_TESTS_CHAOS_HOLDING_H
#define SHMIPC_TESTS_CHAOS_HOLDING_H

#include "chaos/ledger.h"

enum holding_when {
    HOLDING_NOTHING, /* between two lives */
    HOLDING_QUIET,   /* in one, while nobody calls */
    HOLDING_WHENS
};

/* Compares with what was held at the first such moment of this process; a fault if it is more for
   seconds on end. In a new life the first quiet moment counts anew. */
void holding_check(struct post *post, enum holding_when when);

#endif
