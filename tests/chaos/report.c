#include "chaos/report.h"

#include "chaos/caller.h"

#include <inttypes.h>
#include <stdio.h>

static double milliseconds(const struct ledger *ledger, uint64_t time) {
    return time == 0 ? 0 : (double)(int64_t)(time - ledger->began) / 1e6;
}

static void report_caller(const struct ledger *ledger, const struct call *call) {
    static const char *const phases[] = {"not begun", "under way", "ended"};
    uint32_t phase = atomic_load(&call->phase);
    print_error("  made by process %u, incarnation %u%s, %s, time-out %u us\n", call->process,
                call->caller, ledger->killed[call->caller] ? " (killed)" : "",
                call_way_name(call->way), (unsigned)call->timeout_us);
    print_error("  begun at %.3f ms, %s", milliseconds(ledger, call->began), phases[phase % 3]);
    if (phase == CALL_ENDED)
        print_error(" at %.3f ms: %d, %s", milliseconds(ledger, call->ended), call->outcome,
                    call->outcome == OUTCOME_ABANDONED ? "abandoned"
                                                       : shmipc_strerror(call->outcome));
    print_error("%s\n", call->seen & SEEN_WRONG_ANSWER ? "; a wrong answer" : "");
}

void report_call(const struct ledger *ledger, uint64_t number) {
    const struct call *call = &ledger->calls[number];
    uint32_t server = atomic_load(&call->server);
    print_error("call %" PRIu64 ": its handler is to do: %s\n", number, wish_name(call->wish));
    report_caller(ledger, call);
    print_error("  started %u times, finished %u times", atomic_load(&call->started),
                atomic_load(&call->finished));
    if (atomic_load(&call->started) > 0)
        print_error("; last by incarnation %u%s, from %.3f to %.3f ms", server,
                    ledger->killed[server] ? " (killed)" : "",
                    milliseconds(ledger, atomic_load(&call->handler_began)),
                    milliseconds(ledger, atomic_load(&call->handler_ended)));
    print_error("\n");
}

static void report_desks(const struct ledger *ledger, const struct post *post) {
    for (unsigned i = 0; i < DESKS; i++) {
        uint64_t call = atomic_load(&post->desks[i].call);
        if (call != 0)
            report_call(ledger, call - 1);
    }
}

static void report_post(const struct ledger *ledger, unsigned number) {
    const struct post *post = &ledger->posts[number];
    static const char *const names[] = {"calls", "failed", "served", "discarded", "parks", "wakes"};
    print_error("process %u, incarnation %u: %s, order %u of %u, answered %" PRIu64
                ", served %" PRIu64 ", holds %u descriptors, %u threads, %u mappings\n  stats:",
                number, atomic_load(&post->incarnation),
                atomic_load(&post->attached) ? "attached" : "not attached",
                atomic_load(&post->obeyed), atomic_load(&post->order), atomic_load(&post->answered),
                atomic_load(&post->served), atomic_load(&post->holding[0]),
                atomic_load(&post->holding[1]), atomic_load(&post->holding[2]));
    for (unsigned i = 0; i < 6; i++)
        print_error(" %s %" PRIu64, names[i], atomic_load(&post->stats[i]));
    print_error("\n%s%s", atomic_load(&post->faulty) ? post->note : "",
                atomic_load(&post->faulty) ? "\n" : "");
    report_desks(ledger, post);
}

void report_posts(const struct ledger *ledger, unsigned count) {
    for (unsigned i = 0; i < count; i++)
        report_post(ledger, i);
}
