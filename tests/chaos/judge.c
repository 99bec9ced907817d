#include "chaos/judge.h"

#include "chaos/question.h"

enum promise promise_of(int outcome) {
    switch (outcome) {
    case SHMIPC_OK:
        return PROMISES_ANSWER;
    case SHMIPC_E_HANDLER:
        return PROMISES_FAILURE;
    case SHMIPC_E_TIMEOUT:
    case SHMIPC_E_CANCELLED:
    case SHMIPC_E_NO_PEER:
    case SHMIPC_E_CLOSED:
    case SHMIPC_E_SHUTDOWN:
        return PROMISES_NOTHING;
    case SHMIPC_E_TIMEOUT_STARTED:
    case SHMIPC_E_CANCELLED_STARTED:
    case SHMIPC_E_CLOSED_STARTED:
    case SHMIPC_E_PEER_DIED:
        return PROMISES_ONE;
    case OUTCOME_ABANDONED:
        return PROMISES_AT_LARGE;
    default:
        return PROMISES_NONSENSE;
    }
}

static const char *judge_answered(const struct call *call, uint32_t started, uint32_t finished) {
    bool failed = promise_of(call->outcome) == PROMISES_FAILURE;
    if (started == 0)
        return "it was answered, and no handler ran";
    if (finished == 0)
        return "it was answered, and its handler has not finished";
    if ((call->seen & (SEEN_STARTED | SEEN_FINISHED)) != (SEEN_STARTED | SEEN_FINISHED))
        return "it was answered before its handler had finished";
    if ((call->seen & SEEN_WRONG_ANSWER) != 0)
        return "the answer is not its own";
    if (failed != (call->wish == WISH_FAIL))
        return failed ? "its handler was not to fail" : "its handler was to fail";
    return NULL;
}

static const char *judge_outcome(const struct call *call, uint32_t started, uint32_t finished) {
    switch (promise_of(call->outcome)) {
    case PROMISES_ANSWER:
    case PROMISES_FAILURE:
        return judge_answered(call, started, finished);
    case PROMISES_NOTHING:
        return started == 0 ? NULL : "it was said never to start, and a handler ran";
    case PROMISES_NONSENSE:
        return "it may not come to this";
    default:
        return NULL;
    }
}

const char *judge(const struct ledger *ledger, const struct call *call, bool final) {
    uint32_t phase = atomic_load(&call->phase);
    uint32_t finished = atomic_load(&call->finished);
    uint32_t started = atomic_load(&call->started);
    if (started > 1)
        return "its handler ran more than once";
    if (finished > started)
        return "its handler finished, and never started";
    if (phase == CALL_UNUSED && started > 0)
        return "its handler ran before the call was made";
    if (final && phase == CALL_BEGUN && !ledger->killed[call->caller])
        return "it never ended, and its caller was not killed";
    if (final && started > finished && !ledger->killed[atomic_load(&call->server)])
        return "its handler never finished, and its process was not killed";
    return phase == CALL_ENDED ? judge_outcome(call, started, finished) : NULL;
}

static enum promise promise_made(const struct call *call) {
    return atomic_load(&call->phase) == CALL_ENDED ? promise_of(call->outcome) : PROMISES_AT_LARGE;
}

struct verdict judge_all(const struct ledger *ledger, uint64_t from, bool final) {
    uint64_t count = atomic_load(&ledger->next);
    struct verdict verdict = {.offender = count};
    for (uint64_t i = from; i < count && verdict.what == NULL; i++) {
        const struct call *call = &ledger->calls[i];
        verdict.what = judge(ledger, call, final);
        if (verdict.what != NULL)
            verdict.offender = i;
        verdict.promised[promise_made(call)]++;
    }
    return verdict;
}
