/*
 * Threads that call the other side in every way there is, give up in every way there is, and enter
 * in the ledger what each call came to.
 */
#ifndef SHMIPC_TESTS_CHAOS_CALLER_H
#define SHMIPC_TESTS_CHAOS_CALLER_H

#include "chaos/chance.h"
#include "chaos/ledger.h"
#include "chaos/question.h"

/* How a call is made. */
enum call_way {
    BY_COPY,      /* shmipc_call */
    IN_HELD_SLOT, /* shmipc_slot_call in a slot that is kept from call to call */
    IN_PLACE,     /* written, sent and received in a slot that is kept */
    ONCE,         /* the same, and the slot is given back */
    POLLED,       /* sent, then asked for until it is ready */
    LATE,         /* sent, and received only after a while */
    CANCELLED,    /* another thread may cancel it */
    ABANDONED,    /* sent, and the slot released under way */
    TOGETHER,     /* several in flight, of which any is awaited */
    CALLED_BACK,  /* by a handler */
    PROOF,        /* after everything, through each slot */
    CALL_WAYS
};

const char *call_way_name(unsigned way);

/* What one thread calls with. */
struct caller {
    struct ledger *ledger;
    struct post *post;
    struct desk *desk;
    shmipc_peer *peer;
    struct chance chance;
    bool host;

    shmipc_slot slot; /* held from call to call */
    bool holding;

    /* The canceller's errand: what to cancel, and when; 0: none. */
    shmipc_slot errand;
    _Atomic uint64_t errand_at;
};

enum { CALLERS_MAX = DESKS };

/* Several of a peer, and the thread that cancels their calls. */
struct callers {
    struct caller callers[CALLERS_MAX];
    pthread_t threads[CALLERS_MAX];
    pthread_t canceller;
    unsigned count;
    atomic_uint seated; /* threads that have begun */
    atomic_uint idle;   /* those that know that it is quiet, and hold nothing */
    atomic_bool quiet;
    atomic_bool over;
};

/* `model`: ledger, post, peer, chance and host. */
void callers_start(struct callers *callers, unsigned count, const struct caller *model);
void callers_quiet(struct callers *callers);
void callers_resume(struct callers *callers);
void callers_join(struct callers *callers);

/* A handler's call to the other side, which takes 20 ms at most. */
void call_back(struct caller *caller);

/* Claims all slots of the calling direction, makes a call through each, and gives them back; false,
   and a fault at the post, if that cannot be done. Nobody else may have one. */
bool prove_all_slots(struct caller *caller);

#endif
