/* What one wants to know when a scene has failed. */
#ifndef SHMIPC_TESTS_CHAOS_REPORT_H
#define SHMIPC_TESTS_CHAOS_REPORT_H

#include "chaos/ledger.h"

/* A call's history. */
void report_call(const struct ledger *ledger, uint64_t number);

/* Every process: what it has done, its peer's counters, and the calls under way. */
void report_posts(const struct ledger *ledger, unsigned count);

#endif
