/*
 * The policy of waiting and serving: how a wait passes its time, when it parks, and which handlers
 * run beside others. It holds every tuning constant and all learned values, and knows nothing of
 * peers, slots and regions. No decision of the policy can lose a request or a wake-up: the tests
 * also run with the worst possible policies (SHMIPC_POLICY).
 */
#ifndef SHMIPC_POLICY_H
#define SHMIPC_POLICY_H

#include "platform/platform.h"

/* ---- Constants ---- */

enum {
    YIELDS = 2,           /* between spinning and sleeping */
    SPIN_LEAST_NS = 2000, /* every wait spins this long, or the whole setting if that is shorter */
    SPIN_AUTO_NS = 50000, /* the default limit, without copying: outlasts a timer interrupt */
    COPIED_PER_NS = 16,   /* bytes, roughly: the time to copy the messages is added to the limit */
    SPIN_MAX_NS = 100000, /* the highest limit: the overrun of time-outs that shmipc.h allows */
    SPIN_PROBE = 32,      /* one long wait in this many spins to the limit, to learn anew; */
    SPIN_SOON = 64,       /* so does the first long wait after this many short ones */

    HOLD_OFF_MOST_NS = 250,    /* the longest hold-off: about one round trip on slow machines */
    HOLD_OFF_STEPS_PER_NS = 4, /* a first look in vain makes it longer by a step, */
    HOLD_OFF_GROWTH = 64,      /* and by this fraction, */
    HOLD_OFF_SHARE = 512,      /* and success shortens it by this fraction */

    TIGHT_LOOKS = 4, /* the first looks of a wait, with less than a pause between them */

    CALLS_PER_YIELD = 8192, /* a crowded peer's thread yields once in this many calls in a slot */

    RECENT_SLOTS = 4,     /* a worker first looks at this many slots that it served lately, */
    SWEPT_SLOTS = 8,      /* then at this many others; */
    LOOKS_PER_SWEEP = 16, /* in one look of this many, one of the others comes before them */
    QUIET_LOOKS = 3,      /* the sentry leaves after this many looks without a poller */

    DURATIONS = 16,            /* buckets of struct durations */
    DURATION_SAMPLES = 1024,   /* one handler in this many is measured */
    DURATION_MOST_NS = 200000, /* a longer handler counts as this long */
    LONG_LEAST_NS = 1000,      /* a handler shorter than this is never long, */
    NS_PER_SLOT = 8,           /* nor one shorter than this for each slot: a look at all slots */
    WAKE_FIRST_NS = 2500,      /* to wake a caller, until it was measured */
    WAKE_MOST_NS = 20000,      /* a longer wake-up counts as this long */
    CROWD_PARTS = 64,          /* fixed-point 1.0 of a crowd's mean */
    CROWD_MOVES = 8,           /* weight of a sample in that moving average: 1/8 */

    TURN_RELEASES = 64,      /* the most releases between two looks at the clock */
    TURN_NOTIFIES_UP_TO = 4, /* while turns are left early, a look notifies if the next look is at
                                most this many releases away */
    TURN_PARTS = 64,         /* fixed-point 1.0 of `slept` */
    TURN_MOVES = 8,          /* weight of a sample in that moving average: 1/8 */

    PAUSE_BITS = 12,                            /* hold-offs are counted in 4,096ths of a pause; */
    HOLD_OFF_LEAST = (1 << PAUSE_BITS) * 3 / 8, /* shorter ones are skipped */
};

#define TICK_NS UINT64_C(100000000)         /* a sleeper looks for deaths this often; */
#define IDLE_TICK_NS UINT64_C(180000000)    /* the ticker (parking.c), once idle, this often */
enum { TICKS_TO_IDLE = 10 };                /* idle: after this many ticks in one sleep */
#define PARKED_TICK_NS UINT64_C(5000000000) /* other parked workers look for deaths this often */
#define SENTRY_TICK_NS UINT64_C(20000000)   /* the sentry looks at the poller this often */

/* A longer idle period shows that few threads call. */
#define REST_NS UINT64_C(250000)

/* Release is a store, then a load of the waiters, without a full barrier, which would cost as much
   as the claim. So a release may miss a new waiter, which therefore looks once more after this
   time, in ns. Processors hold a store back for less than a microsecond. */
#define STORES_SEEN_NS UINT64_C(1000000)

#define TURN_ROUND_NS UINT64_C(24000000) /* each waiter for a slot has a turn within this time; */
#define TURN_MOST_NS UINT64_C(1500000)   /* a turn lasts no longer than this */
#define TURN_LOOK_NS UINT64_C(60000)     /* after looks this far apart, each release looks */
#define TURN_LEFT_NS UINT64_C(200000)    /* a slot that is free for this long was left early; */
#define TURN_STALE_NS UINT64_C(4000000)  /* one that is claimed for this long is held by its user */

/* ---- Policies of the tests ---- */

enum policy { POLICY_LEARNS, POLICY_PARKS_AT_ONCE, POLICY_PARKS_LATE, POLICY_IS_RANDOM };

#if !defined(SHMIPC_POLICY)
#define SHMIPC_POLICY POLICY_LEARNS
#endif

uint32_t shmi_policy_random(void);

/* A decision: `learned`, unless a test sets a policy; `early` is the value that makes threads park
   soon. */
static inline bool policy_decides(bool learned, bool early) {
    switch (SHMIPC_POLICY) {
    case POLICY_PARKS_AT_ONCE:
        return early;
    case POLICY_PARKS_LATE:
        return !early;
    case POLICY_IS_RANDOM:
        return shmi_policy_random() % 2 != 0;
    default:
        return learned;
    }
}

/* ---- How long to spin ---- */

/*
 * How long a kind of wait spins, in pauses. Spinning in vain halves the budget: the other side is
 * slow, or waits for the very processor that we spin on; spinning that pays doubles it. Now and
 * then a wait spins to the end; if that pays, the full budget is restored. A long wait after many
 * short ones also spins to the end: the other side is fast, and was only interrupted. Threads may
 * share a budget: the values are hints.
 */
struct spin_budget {
    uint32_t least;
    uint32_t most;
    atomic_u32 now;
    atomic_u32 waits;   /* long waits: those that went beyond `least` */
    atomic_u32 soon;    /* shorter waits since the last long one */
    atomic_u32 yielded; /* 1: yielding ended a wait */
};

/* How long to spin at most, 0 to SPIN_MAX_NS, for the setting `ns` and a request and answer of at
   most `bytes` together. */
int64_t shmi_spin_time(int64_t ns, uint64_t bytes);

/* A budget of at most `ns`: none with a single processor. */
struct spin_budget shmi_spin_budget(int64_t ns);

/* ---- When to look first ---- */

/*
 * How long one thread's waits of a kind leave the word alone before the first look. A look while
 * the other side still works disturbs it: the look takes away the line that the other side writes,
 * or, on the same core, its share of that core. If the word is ready at the first look the next
 * hold-off is a 512th shorter, else a 64th and a step longer. So most waits look once, and none
 * reads a clock. The steps are small and fine-grained: each side's wait is part of the time that
 * the other waits for, and two hold-offs that are both too long would stay too long. Very
 * short hold-offs are skipped: if most answers are ready at once, as with many calls in flight,
 * they gain nothing. The unit is 1 / 2^PAUSE_BITS of a pause.
 */
struct hold_off {
    uint32_t now;
    uint32_t step;
    uint32_t most;  /* 0: never hold off */
    uint32_t turns; /* cpu_delay's iterations in a pause */
};

/* For waits whose budget was made for `ns`. */
struct hold_off shmi_hold_off(const struct spin_budget *budget, int64_t ns);

/* True if most waits are over at the first look, or nothing was learned yet. */
static inline bool hold_off_is_needless(const struct hold_off *h) {
    return policy_decides(h->now < HOLD_OFF_LEAST, true);
}

/* A hold-off in whole pauses, and its remainder in iterations of cpu_delay. */
static inline uint32_t hold_off_pauses(const struct hold_off *h) {
    return h->now >> PAUSE_BITS;
}

static inline uint32_t hold_off_turns(const struct hold_off *h) {
    return (h->now & ((1 << PAUSE_BITS) - 1)) * h->turns >> PAUSE_BITS;
}

/* The delay between two looks at the same word, in iterations of cpu_delay: half a pause. */
static inline uint32_t hold_off_retry(const struct hold_off *h) {
    return h->turns / 2;
}

static inline void hold_off_learn(struct hold_off *h, bool found_at_once) {
    if (found_at_once)
        h->now -= h->now / HOLD_OFF_SHARE;
    else if (h->now < h->most)
        h->now += h->now / HOLD_OFF_GROWTH + h->step;
}

/* ---- One wait ---- */

/* What a wait does before it looks again. */
enum step {
    STEP_DELAY, /* spin.turns iterations of cpu_delay */
    STEP_PAUSE,
    STEP_YIELD,
    STEP_PARK, /* stop spinning: announce, look again, sleep */
};

enum spin_stage { SPIN_LEAST, SPIN_LONGER, SPIN_PROBING, SPIN_YIELDING };

/* One wait's spinning. */
struct spin {
    struct spin_budget *budget;
    uint32_t left;  /* pauses, or yields in the last stage */
    uint32_t tight; /* while more are left than this, it delays instead of pausing */
    uint32_t turns; /* iterations of cpu_delay */
    enum spin_stage stage;
};

static inline struct spin spin_begin(struct spin_budget *budget) {
    return (struct spin){
        .budget = budget, .left = budget->least, .tight = UINT32_MAX, .stage = SPIN_LEAST};
}

/* For a message that is due: only `turns` iterations of cpu_delay pass between the first looks.
   A late look delays our message, so the peer's next first look comes too early; both then lengthen
   their hold-off. Not for a wait without a hold-off: with several calls in flight, a side that has
   caught up should poll less. */
static inline void spin_tightly(struct spin *spin, uint32_t turns) {
    spin->tight = spin->left > TIGHT_LOOKS ? spin->left - TIGHT_LOOKS : 0;
    spin->turns = turns;
}

/* Enters the next stage and returns its first step. */
enum step shmi_spin_longer(struct spin *spin);

/* A test's policy: any step. */
enum step shmi_spin_anyhow(struct spin *spin);

/* Learns from a wait that ended in a later stage than the first. */
void shmi_spin_learn(const struct spin *spin);

/* The step after a look in vain. */
static inline enum step spin_next(struct spin *spin) {
    if (SHMIPC_POLICY != POLICY_LEARNS)
        return shmi_spin_anyhow(spin);
    if (spin->left == 0 || spin->stage == SPIN_YIELDING)
        return shmi_spin_longer(spin);
    return spin->left-- > spin->tight ? STEP_DELAY : STEP_PAUSE;
}

/* A look at `slots` words takes time itself: it counts as one pause for every 8. */
static inline void spin_pay(struct spin *spin, uint32_t slots) {
    uint32_t pauses = slots / 8;
    if (spin->stage != SPIN_YIELDING)
        spin->left = spin->left > pauses ? spin->left - pauses : 0;
}

/* True if the first look ended the wait. */
static inline bool spin_was_needless(const struct spin *spin) {
    return spin->stage == SPIN_LEAST && spin->left == spin->budget->least;
}

static inline void spin_won(const struct spin *spin) {
    uint32_t soon = load_relaxed32(&spin->budget->soon);
    if (spin->stage != SPIN_LEAST)
        shmi_spin_learn(spin);
    else if (soon < SPIN_SOON)
        store_relaxed32(&spin->budget->soon, soon + 1);
}

/* ---- Whose turn it is ---- */

/*
 * For more calling threads than slots. Waking a waiter takes longer than a short call, so a thread
 * that calls again and again keeps its slot for a turn: until the turn ends, its releases wake no
 * waiter. Then it notifies, and steps aside. A thread may also stop calling in the middle of its
 * turn, so one of the waiters looks by itself again and again. If that waiter finds a free slot,
 * `left_early` is set: until a turn lasts to its end, releases then notify early in each turn.
 * Callers of short handlers spin, so unless most callers sleep, no more threads have turns at a
 * time than there are processors beside the worker's.
 */
struct turns {
    atomic_u64 handed_on;  /* when a waiter was notified, until it has a slot; 0: none */
    atomic_u32 left_early; /* 1: a turn was left, and none has lasted to its end since */
    atomic_u32 slept;      /* mean share, in TURN_PARTS, of callers that slept while handlers ran */
};

/* A slot's turn. Only the thread with the claim uses it, except for `looked`. */
struct turn {
    uint64_t began;    /* 0: there is no turn yet */
    atomic_u64 looked; /* last look at the clock; 0: none in this turn */
    uint32_t releases; /* from one look at the clock to the next */
    uint32_t to_go;    /* releases left until that look */
};

static inline void turn_reset(struct turn *t) {
    t->began = 0;
    t->releases = t->to_go = 0;
    store_relaxed64(&t->looked, 0);
}

/* Assumes that turns are left early until one has lasted to its end. */
void shmi_turns_begin(struct turns *turns);

/* A waiter gets its slot at `now`: its turn begins. */
void shmi_turn_begin(struct turn *turn, struct turns *turns, uint64_t now);

enum turn_step { TURN_LASTS, TURN_NOTIFIES, TURN_ENDS };

/* For a release while others wait for a slot: true if the turn goes on without a look at the clock;
   else shmi_turn_next decides. A thread may stay away if it slept while the handler ran, or held
   the slot. */
static inline bool turn_goes_on(struct turn *t, bool may_stay_away) {
    if (SHMIPC_POLICY != POLICY_LEARNS || t->to_go <= 1 || may_stay_away)
        return false;
    t->to_go--;
    return true;
}

enum turn_step shmi_turn_next(struct turn *turn, struct turns *turns, bool slept, uint32_t waiters,
                              uint64_t now);

/* True if a waiter was notified a moment ago, and has no slot yet. */
bool shmi_turn_is_handed_on(const struct turns *turns, uint64_t now);

/* True if a thread has its turn with this slot, whether claimed now or between two calls. */
bool shmi_turn_is_under_way(const struct turn *turn, bool is_claimed, uint64_t now);

/* True if another thread may have a turn beside the `under_way` others. */
static inline bool turns_leave_room(const struct turns *t, uint32_t under_way,
                                    uint32_t processors) {
    return policy_decides(load_relaxed32(&t->slept) > TURN_PARTS / 2 || under_way == 0 ||
                              under_way + 1 < processors,
                          true);
}

/* How long one of `waiters` sleeps before it looks by itself: the newest only briefly, doubled with
   each look in vain; the others longer than a round. */
static inline uint64_t vacancy_sleep(bool is_newest, uint32_t looks, uint32_t waiters) {
    uint64_t own = looks < 7 ? STORES_SEEN_NS << looks : TICK_NS;
    uint64_t round = 2 * TURN_MOST_NS * waiters;
    uint64_t sleep = is_newest ? own : round;
    return sleep < TICK_NS ? sleep : TICK_NS;
}

/* ---- When the poller does not look ---- */

/* How long a worker that was notified waits for the poller to take a request, in pauses: the
   budget's least. A poller that looks passes a dozen slots in that time, even if a cache line's
   round trip is slow; beside the wake-up before it, the delay is small. If spinning is off,
   the worker does not wait. */
static inline uint32_t poller_patience(const struct spin_budget *b) {
    return policy_decides(true, false) ? b->least : 0;
}

/* ---- Handlers that run beside others ---- */

/*
 * How long handlers take, by message type; several types may share a bucket. The bitmap of long
 * buckets is one word, as it is read between taking a request and answering it.
 */
struct durations {
    /* Written for each handler that is measured, and for each caller that is woken. */
    _Alignas(2 * CACHE_LINE) atomic_u32 ns[DURATIONS];
    atomic_u32 wake_ns; /* how long it takes to wake a caller */

    /* Read with each request. */
    _Alignas(2 * CACHE_LINE) atomic_u32 long_places; /* bitmap of long buckets */
    atomic_u32 long_ns;                              /* a handler this long is long */
    uint32_t helpers; /* processors besides the worker's own, at least 1 */
    uint32_t look_ns; /* how long it takes to look at all slots */
};

void shmi_durations_begin(struct durations *durations, uint32_t processors, uint32_t slots);

/* True if no handler of any type is expected to be long. */
static inline bool durations_are_short(const struct durations *d) {
    return policy_decides(load_relaxed32(&d->long_places) == 0, false);
}

/* True if other workers should serve while such a handler runs. */
static inline bool duration_is_long(const struct durations *d, uint32_t type) {
    return policy_decides((load_relaxed32(&d->long_places) >> type % DURATIONS & 1) != 0, true);
}

/* True if a worker that has run `handlers` handlers measures the next one even if it is expected to
   be short: frequently at first, later rarely, as reading the clock delays an answer. */
static inline bool duration_is_sampled(uint32_t handlers) {
    return (handlers & (handlers + 1)) == 0 || handlers % DURATION_SAMPLES == 0;
}

void shmi_duration_learn(struct durations *durations, uint32_t type, uint64_t ns);

/* A handler of this type took so long that another worker superseded the poller. */
void shmi_duration_learn_long(struct durations *durations, uint32_t type);

/* Serving in parallel wakes a thread on either side of a call. That pays if the handlers take
   longer than these wake-ups, divided by the helping processors. */
void shmi_duration_learn_wake(struct durations *durations, uint64_t ns);

/* How many threads run long handlers, or how many callers wait, at once. */
struct crowd {
    atomic_u32 now;
    atomic_u32 mean; /* of `now` at the entries, in CROWD_PARTS */
};

void shmi_crowd_enter(struct crowd *crowd);
void shmi_crowd_leave(struct crowd *crowd);

/* True if a thread that only waits may spin: each thread of the crowd needs a processor, and so
   does the caller or worker on its other side. */
static inline bool crowd_leaves_room(const struct crowd *c, uint32_t processors) {
    return policy_decides(load_relaxed32(&c->mean) * 2 <= processors * CROWD_PARTS, false);
}

#endif
