/* Whether a call's outcome, as its caller got it, agrees with what the handlers did. */
#ifndef SHMIPC_TESTS_CHAOS_JUDGE_H
#define SHMIPC_TESTS_CHAOS_JUDGE_H

#include "chaos/ledger.h"

/* What an outcome says. */
enum promise {
    PROMISES_ANSWER,   /* OK: the handler ran once, and has finished */
    PROMISES_FAILURE,  /* HANDLER: the same, and it failed */
    PROMISES_NOTHING,  /* never started, and never will */
    PROMISES_ONE,      /* started: once at most, since its process may have died first */
    PROMISES_AT_LARGE, /* nobody was told: once at most */
    PROMISES_NONSENSE, /* not one of those that this call may come to */
    PROMISES
};

enum promise promise_of(int outcome);

/*
 * What is wrong with this call; NULL: nothing. While processes still run (`final` is false) a call
 * or a handler may be under way; in the end only one whose process was killed.
 */
const char *judge(const struct ledger *ledger, const struct call *call, bool final);

/* How many calls made which promise; those that were never told count as PROMISES_AT_LARGE. */
struct verdict {
    uint64_t offender; /* the first call that is wrong; the number of calls: none is */
    const char *what;
    uint64_t promised[PROMISES];
};

/* Judges the calls from number `from` on. */
struct verdict judge_all(const struct ledger *ledger, uint64_t from, bool final);

#endif
