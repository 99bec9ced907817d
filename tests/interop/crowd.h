/*
 * More callers than slots: guests whose threads, or goroutines, all call the host again and again,
 * until its answer says that each of them has made so many calls. go_guest/crowd.go does the same.
 */
#ifndef SHMIPC_TESTS_CROWD_H
#define SHMIPC_TESTS_CROWD_H

#include "script.h"

enum { CROWD_MAX = 16 };

/* Each caller keeps its slot for so long, in ns: longer than it takes to wake another one, which
   then finds it taken, unless it was left to it. */
#define CROWD_HOLDS INT64_C(200000)

/* No claim and no call takes as long, in ns: it would fail. */
#define CROWD_PATIENCE INT64_C(2000000000)

/* A guest of `count` callers, which are numbered from `first` on; its exit status. */
int crowd_call(const char *region, uint32_t first, uint32_t count);

#endif
