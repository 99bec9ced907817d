/*
 * The policy of waiting and serving: how a wait passes its time, when it parks, and which handlers
 * run beside others. It holds every tuning constant and all that is learned, and knows nothing of
 * peers, slots and regions. Whatever it says, no request and no wake-up is lost: the tests also run
 * with policies that are as bad as can be (SHMIPC_POLICY).
 */
#ifndef SHMIPC_POLICY_H
#define SHMIPC_POLICY_H

#include "platform/platform.h"

/* ---- Constants ---- */

enum {
    YIELDS = 2,           /* between spinning and sleeping */
    SPIN_LEAST_NS = 2000, /* every wait spins this long, where there is a processor to spare */
    SPIN_AUTO_NS = 50000, /* a wait spins this long at most, as a timer interrupts the other side */
    COPIED_PER_NS = 16,   /* bytes, roughly: and as it copies a request and an answer */
    SPIN_MAX_NS = 100000, /* the overrun of time-outs that shmipc.h promises */
    SPIN_PROBE = 32,      /* one long wait in so many spins to the end, whatever was learned, */
    SPIN_SOON = 64,       /* and so does one after so many that were over soon */

    HOLD_OFF_MOST_NS = 250, /* some processors' way there and back; what a wait may last too long */
    HOLD_OFF_STEPS_PER_NS = 4,
    HOLD_OFF_GROWTH = 64,
    HOLD_OFF_SHARE = 512,

    TIGHT_LOOKS = 4, /* of a wait come sooner than after a pause */

    CALLS_PER_TURN = 8192, /* in one slot, before a thread among many yields its processor */

    RECENT_SLOTS = 4,     /* that it served lately a worker looks at first, */
    SWEPT_SLOTS = 8,      /* then at so many of all; */
    LOOKS_PER_SWEEP = 16, /* and at one of those first, once in so many looks */
    QUIET_LOOKS = 3,      /* without a poller, before the sentry goes */

    DURATIONS = 16,          /* places */
    DURATION_SAMPLES = 1024, /* handlers, of which one is measured */
    DURATION_MOST_NS = 200000,
    LONG_LEAST_NS = 1000, /* no shorter handler is long, */
    NS_PER_SLOT = 8,      /* nor one that takes less than a look at all slots */
    WAKE_FIRST_NS = 2500,
    WAKE_MOST_NS = 20000,
    CROWD_PARTS = 64, /* of one, in which the mean is kept */
    CROWD_MOVES = 8,  /* it moves by an eighth of the way */

    TURN_RELEASES = 64,      /* at most between two looks at the clock */
    TURN_NOTIFIES_UP_TO = 4, /* releases between two looks, if turns are left early */
    TURN_PARTS = 64,         /* of one, in which a mean is kept */
    TURN_MOVES = 8,          /* it moves by an eighth of the way */

    PAUSE_BITS = 12, /* hold-offs are counted in 4,096ths of a pause */
    HOLD_OFF_LEAST = (1 << PAUSE_BITS) * 3 / 8,
};

#define TICK_NS UINT64_C(100000000)         /* a sleeper looks for deaths this often, */
#define IDLE_TICK_NS UINT64_C(180000000)    /* and a worker this, */
enum { TICKS_TO_IDLE = 10 };                /* who has slept so many ticks; */
#define PARKED_TICK_NS UINT64_C(5000000000) /* and one beside which another one does, this; */
#define SENTRY_TICK_NS UINT64_C(20000000)   /* and one of them, while there is traffic, this; */

/* Who has slept longer is called by few threads. */
#define REST_NS UINT64_C(250000)

/* A processor keeps a store back for less than a microsecond. Who gives up a claim stores it and
   reads who waits, without the barrier between the two that would take as long as the claim does:
   so whoever waits for that looks once more after this time, in ns. */
#define STORES_SEEN_NS UINT64_C(1000000)

#define TURN_ROUND_NS UINT64_C(24000000) /* in which all who wait for a slot have a turn each, */
#define TURN_MOST_NS UINT64_C(1500000)   /* which is no longer than this */
#define TURN_LOOK_NS UINT64_C(60000)     /* if so much passes in between, each release looks */
#define TURN_LEFT_NS UINT64_C(200000)    /* a slot that is free for so long was left, */
#define TURN_STALE_NS UINT64_C(4000000)  /* or held for something else */

/* ---- What the tests make of it ---- */

enum policy { POLICY_LEARNS, POLICY_PARKS_AT_ONCE, POLICY_PARKS_LATE, POLICY_IS_RANDOM };

#if !defined(SHMIPC_POLICY)
#define SHMIPC_POLICY POLICY_LEARNS
#endif

uint32_t shmi_policy_random(void);

/* A decision: `learned`, unless a test has another policy; `early` is what has threads park soon.
   */
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
 * How long a kind of wait spins, in pauses. Spinning in vain halves it: the other side is slow, or
 * waits for the very processor that we spin on; spinning that pays doubles it. Now and then a wait
 * spins to the end; if it wins by that, all do again. So does a long wait among many that were over
 * soon: the other side is fast, and was only interrupted. Threads may share one: the values are
 * hints.
 */
struct spin_budget {
    uint32_t least;
    uint32_t most;
    atomic_u32 now;
    atomic_u32 waits;   /* that went beyond `least` */
    atomic_u32 soon;    /* those that did not, since the last that did */
    atomic_u32 yielded; /* 1: a wait was over when the thread had yielded */
};

/* How long to spin at most, 0 to SPIN_MAX_NS, with the setting `ns`, where a request and its answer
   have at most so many bytes together. */
int64_t shmi_spin_time(int64_t ns, uint64_t bytes);

/* A budget of at most `ns`: none with a single processor. */
struct spin_budget shmi_spin_budget(int64_t ns);

/* ---- When to look first ---- */

/*
 * How long one thread's waits of a kind leave the word alone before the first look. Whoever looks
 * while the other side still works disturbs it: takes away the line that it writes, or, on the same
 * core, its share of that core. What was there at the first look makes the next hold-off a 512th
 * shorter, what was not makes it a 64th and a step longer, so that most waits look once, and none
 * has to read a clock. The steps are small and there is no coarser grain: each side's wait is part
 * of what the other waits for, and two that are both too long would keep each other so. The very
 * short ones are not waited: where most is there at once, as with many calls in flight, it would be
 * for nothing. In units of 1 / 2^PAUSE_BITS of a pause.
 */
struct hold_off {
    uint32_t now;
    uint32_t step;
    uint32_t most;  /* 0: never hold off */
    uint32_t turns; /* of cpu_delay in a pause */
};

/* For waits with a budget that was made for `ns`. */
struct hold_off shmi_hold_off(const struct spin_budget *budget, int64_t ns);

/* True if most is there at once, or nothing was learned yet. */
static inline bool hold_off_is_needless(const struct hold_off *h) {
    return policy_decides(h->now < HOLD_OFF_LEAST, true);
}

/* A hold-off in whole pauses, and what is left of it in turns of cpu_delay. */
static inline uint32_t hold_off_pauses(const struct hold_off *h) {
    return h->now >> PAUSE_BITS;
}

static inline uint32_t hold_off_turns(const struct hold_off *h) {
    return (h->now & ((1 << PAUSE_BITS) - 1)) * h->turns >> PAUSE_BITS;
}

/* What a side that looks at one word lets pass before it looks again, in turns: half a pause. */
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
    STEP_DELAY, /* so many turns of cpu_delay: spin.turns */
    STEP_PAUSE,
    STEP_YIELD,
    STEP_PARK, /* it does not look again, but sleeps */
};

enum spin_stage { SPIN_LEAST, SPIN_LONGER, SPIN_PROBING, SPIN_YIELDING };

/* One wait's spinning. */
struct spin {
    struct spin_budget *budget;
    uint32_t left;  /* pauses, or yields in the last stage */
    uint32_t tight; /* while more are left than this, it delays instead of pausing */
    uint32_t turns; /* of cpu_delay */
    enum spin_stage stage;
};

static inline struct spin spin_begin(struct spin_budget *budget) {
    return (struct spin){
        .budget = budget, .left = budget->least, .tight = UINT32_MAX, .stage = SPIN_LEAST};
}

/* For what is about to come if it is not there by now: the first looks follow each other after so
   many turns. A late look delays our own message, so the other side's next first look comes too
   early, and both would learn far too much. Not where several calls are in flight and nothing was
   held off: there a side that has caught up should look less often. */
static inline void spin_tightly(struct spin *spin, uint32_t turns) {
    spin->tight = spin->left > TIGHT_LOOKS ? spin->left - TIGHT_LOOKS : 0;
    spin->turns = turns;
}

/* What follows when a stage is over: its first step. */
enum step shmi_spin_longer(struct spin *spin);

/* A test's policy: any step. */
enum step shmi_spin_anyhow(struct spin *spin);

/* What was waited for has come in a later stage than the first. */
void shmi_spin_learn(const struct spin *spin);

/* What to do after a look in vain. */
static inline enum step spin_next(struct spin *spin) {
    if (SHMIPC_POLICY != POLICY_LEARNS)
        return shmi_spin_anyhow(spin);
    if (spin->left == 0 || spin->stage == SPIN_YIELDING)
        return shmi_spin_longer(spin);
    return spin->left-- > spin->tight ? STEP_DELAY : STEP_PAUSE;
}

/* A look at `slots` words is itself a wait: a pause for every few. */
static inline void spin_pay(struct spin *spin, uint32_t slots) {
    uint32_t pauses = slots / 8;
    if (spin->stage != SPIN_YIELDING)
        spin->left = spin->left > pauses ? spin->left - pauses : 0;
}

/* True if what was waited for was there at the first look. */
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
 * Where more threads call than there are slots. To wake a waiter takes longer than a short call, so
 * a thread that calls again and again keeps its slot for a turn, and gives it back in silence
 * meanwhile: nobody is woken. When the turn is over it notifies, and steps aside. A thread may also
 * stop calling in the middle of its turn: so one of the waiters looks by itself again and again;
 * what it finds has it known that turns are left, and until one lasts, releases notify early in a
 * turn. While a worker polls, callers spin, so only as many threads have turns at a time as there
 * are processors beside the worker's.
 */
struct turns {
    atomic_u64 handed_on;  /* when a waiter was last notified, which has no slot yet; 0: none */
    atomic_u32 left_early; /* 1: a turn was left, and none has lasted since */
    atomic_u32 slept;      /* how many of TURN_PARTS callers slept while their handlers ran */
};

/* A slot's; its claimer's alone but for `looked`. */
struct turn {
    uint64_t began;    /* 0: there is none yet */
    atomic_u64 looked; /* at the clock; 0: never in this turn */
    uint32_t releases; /* from one look at the clock to the next */
    uint32_t to_go;    /* of those */
};

static inline void turn_reset(struct turn *t) {
    t->began = 0;
    t->releases = t->to_go = 0;
    store_relaxed64(&t->looked, 0);
}

/* Until a turn has lasted none is taken to. */
void shmi_turns_begin(struct turns *turns);

/* A waiter has got its slot, now. */
void shmi_turn_begin(struct turn *turn, struct turns *turns, uint64_t now);

enum turn_step { TURN_LASTS, TURN_NOTIFIES, TURN_ENDS };

/* For a release while others wait for a slot: true if the turn lasts, so far as can be said without
   a look at the clock; else shmi_turn_next says what follows. A thread may stay away if it slept
   while the handler ran, or held the slot. */
static inline bool turn_goes_on(struct turn *t, bool may_stay_away) {
    if (SHMIPC_POLICY != POLICY_LEARNS || t->to_go <= 1 || may_stay_away)
        return false;
    t->to_go--;
    return true;
}

enum turn_step shmi_turn_next(struct turn *turn, struct turns *turns, bool slept, uint32_t waiters,
                              uint64_t now);

/* True if somebody was notified a moment ago, and has no slot yet. */
bool shmi_turn_is_handed_on(const struct turns *turns, uint64_t now);

/* True if a thread has its turn with this slot, which is claimed or not. */
bool shmi_turn_is_under_way(const struct turn *turn, bool is_claimed, uint64_t now);

/* True if another thread may have a turn beside so many. */
static inline bool turns_leave_room(const struct turns *t, uint32_t under_way,
                                    uint32_t processors) {
    return policy_decides(load_relaxed32(&t->slept) > TURN_PARTS / 2 || under_way == 0 ||
                              under_way + 1 < processors,
                          true);
}

/* How long one of so many waiters sleeps before it looks by itself: the newest one not long, unless
   it has looked in vain so often; the others longer than a round. */
static inline uint64_t vacancy_sleep(bool is_newest, uint32_t looks, uint32_t waiters) {
    uint64_t own = looks < 7 ? STORES_SEEN_NS << looks : TICK_NS;
    uint64_t round = 2 * TURN_MOST_NS * waiters;
    uint64_t sleep = is_newest ? own : round;
    return sleep < TICK_NS ? sleep : TICK_NS;
}

/* ---- When the poller does not look ---- */

/* How long a worker that was notified gives the poller to take a request, in pauses: the shortest
   wait. In that time a poller that looks goes round a dozen slots, even where a line's way there
   and back is long; and to a caller that waits in vain it is little beside the wake-up before.
   Without spinning there is no processor to be patient on. */
static inline uint32_t poller_patience(const struct spin_budget *b) {
    return policy_decides(true, false) ? b->least : 0;
}

/* ---- Handlers that run beside others ---- */

/*
 * How long handlers take, by message type; several types may share a place. Which ones are long is
 * one word, as it is read between taking a request and answering it.
 */
struct durations {
    /* Changed by each handler that is measured, and for each caller that is woken. */
    _Alignas(2 * CACHE_LINE) atomic_u32 ns[DURATIONS];
    atomic_u32 wake_ns; /* how long it takes to wake a caller */

    /* Read with each request. */
    _Alignas(2 * CACHE_LINE) atomic_u32 long_places; /* a set */
    atomic_u32 long_ns;                              /* a handler is long from here on */
    uint32_t helpers; /* processors besides the worker's own, at least 1 */
    uint32_t look_ns; /* how long it takes to look at all slots */
};

void shmi_durations_begin(struct durations *durations, uint32_t processors, uint32_t slots);

/* True if no handler of any type is expected to be long. */
static inline bool durations_are_short(const struct durations *d) {
    return policy_decides(load_relaxed32(&d->long_places) == 0, false);
}

/* True if other requests should be served meanwhile. */
static inline bool duration_is_long(const struct durations *d, uint32_t type) {
    return policy_decides((load_relaxed32(&d->long_places) >> type % DURATIONS & 1) != 0, true);
}

/* Whether to measure the next handler also if it is expected to be short, after so many: the first
   ones now and then, later ones rarely, as reading the clock makes an answer late. */
static inline bool duration_is_sampled(uint32_t handlers) {
    return (handlers & (handlers + 1)) == 0 || handlers % DURATION_SAMPLES == 0;
}

void shmi_duration_learn(struct durations *durations, uint32_t type, uint64_t ns);

/* One of the type was so long that another worker took over. */
void shmi_duration_learn_long(struct durations *durations, uint32_t type);

/* Serving in parallel wakes a thread on either side of a call. That pays if the handlers take
   longer than that on as many processors as there are to help. */
void shmi_duration_learn_wake(struct durations *durations, uint64_t ns);

/* How many threads are in something long at once. */
struct crowd {
    atomic_u32 now;
    atomic_u32 mean; /* at the entries, in CROWD_PARTS */
};

void shmi_crowd_enter(struct crowd *crowd);
void shmi_crowd_leave(struct crowd *crowd);

/* True if a thread that only waits may spin: each of the crowd needs a processor, and so does the
   thread that waits for it. */
static inline bool crowd_leaves_room(const struct crowd *c, uint32_t processors) {
    return policy_decides(load_relaxed32(&c->mean) * 2 <= processors * CROWD_PARTS, false);
}

#endif
