#include "wait/policy.h"

#include "shmipc/shmipc.h"

/* How many passes fit into 100 us. The shortest of a few rounds counts, since an interruption can
   only make a round longer. */
static uint64_t per_100us(void (*pass)(uint32_t count), uint32_t count) {
    enum { ROUNDS = 5 };
    uint64_t shortest = CLOCK_NEVER;
    for (int round = 0; round < ROUNDS; round++) {
        uint64_t begin = shmi_clock_now();
        pass(count);
        uint64_t took = shmi_clock_now() - begin;
        shortest = took < shortest ? took : shortest;
    }
    return (uint64_t)count * 100000u / (shortest + 1);
}

static void pause_often(uint32_t pauses) {
    while (pauses-- > 0)
        cpu_pause();
}

/* Measured, as a pause takes between 5 and 150 ns, depending on the processor. */
static uint64_t pauses_per_100us(void) {
    return per_100us(pause_often, 200);
}

static uint64_t turns_per_100us(void) {
    return per_100us(cpu_delay, 2000);
}

static uint32_t count_in(int64_t ns, uint64_t rate) {
    return (uint32_t)(rate * (uint64_t)ns / 100000u);
}

int64_t shmi_spin_time(int64_t ns, uint64_t bytes) {
    if (ns == SHMIPC_SPIN_AUTO)
        ns = SPIN_AUTO_NS + (int64_t)(bytes / COPIED_PER_NS);
    return ns < SPIN_MAX_NS ? ns : SPIN_MAX_NS;
}

struct spin_budget shmi_spin_budget(int64_t ns) {
    if (ns <= 0 || shmi_cpu_count() < 2)
        return (struct spin_budget){.least = 0};
    uint64_t rate = pauses_per_100us();
    struct spin_budget budget = {
        .least = count_in(ns < SPIN_LEAST_NS ? ns : SPIN_LEAST_NS, rate),
        .most = count_in(ns, rate),
    };
    store_relaxed32(&budget.now, budget.most);
    return budget;
}

/* The budget already reflects how long a pause takes, and whether there is a processor to spare. */
struct hold_off shmi_hold_off(const struct spin_budget *budget, int64_t ns) {
    int64_t most = ns < HOLD_OFF_MOST_NS ? ns : HOLD_OFF_MOST_NS;
    if (budget->most == 0)
        return (struct hold_off){.most = 0};
    uint64_t pauses = (uint64_t)budget->most << PAUSE_BITS;
    return (struct hold_off){
        .step = (uint32_t)(pauses / (uint64_t)(ns * HOLD_OFF_STEPS_PER_NS)),
        .most = (uint32_t)(pauses * (uint64_t)most / (uint64_t)ns),
        .turns = count_in(ns, turns_per_100us()) / budget->most,
    };
}

static uint32_t spin_further(struct spin *spin) {
    struct spin_budget *b = spin->budget;
    uint32_t waits = load_relaxed32(&b->waits) + 1;
    store_relaxed32(&b->waits, waits);
    bool probe = waits % SPIN_PROBE == 0 || load_relaxed32(&b->soon) >= SPIN_SOON;
    store_relaxed32(&b->soon, 0);
    uint32_t pauses = probe ? b->most : load_relaxed32(&b->now);
    spin->stage = probe ? SPIN_PROBING : SPIN_LONGER;
    return pauses > b->least ? pauses - b->least : 0;
}

static void spin_lost(const struct spin *spin) {
    struct spin_budget *b = spin->budget;
    uint32_t half = load_relaxed32(&b->now) / 2;
    if (spin->stage == SPIN_LONGER && half >= b->least)
        store_relaxed32(&b->now, half);
}

/* If yielding ended the wait, both sides share a processor, while another may be idle; the
   scheduler rarely separates threads that only yield, but wakes a sleeper on an idle processor. So
   the next wait that gets here sleeps at once. With one processor there is none to move to. */
static uint32_t yields_allowed(struct spin_budget *b) {
    if (b->most == 0 || load_relaxed32(&b->yielded) == 0)
        return YIELDS;
    store_relaxed32(&b->yielded, 0);
    return 0;
}

enum step shmi_spin_longer(struct spin *spin) {
    spin->tight = UINT32_MAX;
    if (spin->stage == SPIN_LEAST) {
        spin->left = spin_further(spin);
        if (spin->left > 0)
            return spin_next(spin);
    }
    if (spin->stage != SPIN_YIELDING) {
        spin_lost(spin);
        spin->stage = SPIN_YIELDING;
        spin->left = yields_allowed(spin->budget);
    }
    if (spin->left == 0)
        return STEP_PARK;
    spin->left--;
    return STEP_YIELD;
}

void shmi_spin_learn(const struct spin *spin) {
    struct spin_budget *b = spin->budget;
    if (spin->stage == SPIN_YIELDING) {
        store_relaxed32(&b->yielded, 1);
        return;
    }
    uint32_t now = load_relaxed32(&b->now);
    bool restore = spin->stage == SPIN_PROBING || now >= b->most / 2;
    store_relaxed32(&b->now, restore ? b->most : 2 * now);
}

static uint32_t at_most(uint64_t ns, uint32_t most) {
    return ns < most ? (uint32_t)ns : most;
}

static void learn_sleep(struct turns *turns, bool slept) {
    uint32_t mean = load_relaxed32(&turns->slept);
    store_relaxed32(&turns->slept, slept ? mean + (TURN_PARTS - mean) / TURN_MOVES
                                         : mean - (mean + TURN_MOVES - 1) / TURN_MOVES);
}

static uint64_t turn_length(uint32_t waiters) {
    uint64_t share = waiters == 0 ? TURN_MOST_NS : TURN_ROUND_NS / waiters;
    return share < TURN_MOST_NS ? share : TURN_MOST_NS;
}

static uint32_t releases_to_next_look(const struct turn *t, uint64_t took) {
    if (t->releases == 0 || took > TURN_LOOK_NS)
        return 1;
    return t->releases < TURN_RELEASES ? 2 * t->releases : TURN_RELEASES;
}

/* Reads the clock often at first, and later rarely if little time passes between two looks. */
static enum turn_step turn_next(struct turn *t, struct turns *turns, bool slept, uint32_t waiters,
                                uint64_t now) {
    learn_sleep(turns, slept);
    if (t->began == 0)
        t->began = now;
    if (now - t->began >= turn_length(waiters)) {
        turn_reset(t);
        store_relaxed32(&turns->left_early, 0);
        return TURN_ENDS;
    }
    t->releases = t->to_go = releases_to_next_look(t, now - load_relaxed64(&t->looked));
    store_relaxed64(&t->looked, now);
    bool early = t->releases <= TURN_NOTIFIES_UP_TO && load_relaxed32(&turns->left_early) != 0;
    return early || slept ? TURN_NOTIFIES : TURN_LASTS;
}

enum turn_step shmi_turn_next(struct turn *t, struct turns *turns, bool slept, uint32_t waiters,
                              uint64_t now) {
    switch (SHMIPC_POLICY) {
    case POLICY_PARKS_AT_ONCE:
        return TURN_ENDS;
    case POLICY_PARKS_LATE:
        return TURN_LASTS;
    case POLICY_IS_RANDOM:
        return (enum turn_step)(shmi_policy_random() % (TURN_ENDS + 1));
    default:
        return turn_next(t, turns, slept, waiters, now);
    }
}

void shmi_turns_begin(struct turns *t) {
    store_relaxed32(&t->left_early, 1);
}

void shmi_turn_begin(struct turn *t, struct turns *turns, uint64_t now) {
    turn_reset(t);
    t->began = now;
    store_relaxed64(&t->looked, now);
    store_relaxed64(&turns->handed_on, 0);
}

/* Another thread may have stored a time later than our `now`. */
bool shmi_turn_is_handed_on(const struct turns *t, uint64_t now) {
    uint64_t handed_on = load_relaxed64(&t->handed_on);
    return handed_on != 0 && now < handed_on + TURN_LEFT_NS;
}

bool shmi_turn_is_under_way(const struct turn *t, bool is_claimed, uint64_t now) {
    uint64_t looked = load_relaxed64(&t->looked);
    return looked != 0 && now < looked + (is_claimed ? TURN_STALE_NS : TURN_LEFT_NS);
}

static uint32_t at_least(uint32_t ns, uint32_t least) {
    return ns > least ? ns : least;
}

/* Other threads read the learned values: an unchanged value is not written, to leave them the
   line. */
static void set_learned(atomic_u32 *learned, uint32_t value) {
    if (load_relaxed32(learned) != value)
        store_relaxed32(learned, value);
}

static void set_wake(struct durations *d, uint32_t ns) {
    uint32_t pays = 2 * ns / d->helpers;
    set_learned(&d->wake_ns, ns);
    set_learned(&d->long_ns, at_least(at_least(pays, LONG_LEAST_NS), d->look_ns));
}

void shmi_durations_begin(struct durations *d, uint32_t processors, uint32_t slots) {
    d->helpers = processors > 1 ? processors - 1 : 1;
    d->look_ns = slots * NS_PER_SLOT;
    set_wake(d, WAKE_FIRST_NS);
}

static void note_long(struct durations *d, uint32_t place, bool is_long) {
    uint32_t bit = UINT32_C(1) << place;
    if (((load_relaxed32(&d->long_places) & bit) != 0) == is_long)
        return;
    if (is_long)
        or_seq_cst32(&d->long_places, bit);
    else
        and_seq_cst32(&d->long_places, ~bit);
}

/* Preemption makes a handler seem longer, so a shorter measurement has more weight. */
void shmi_duration_learn(struct durations *d, uint32_t type, uint64_t ns) {
    atomic_u32 *place = &d->ns[type % DURATIONS];
    uint32_t now = load_relaxed32(place);
    uint32_t seen = at_most(ns, DURATION_MOST_NS);
    uint32_t mean = seen < now ? now - (now - seen) / 2 : now + (seen - now) / 8;
    set_learned(place, mean);
    note_long(d, type % DURATIONS, mean >= load_relaxed32(&d->long_ns));
}

void shmi_duration_learn_long(struct durations *d, uint32_t type) {
    uint32_t ns = at_least(load_relaxed32(&d->ns[type % DURATIONS]), load_relaxed32(&d->long_ns));
    set_learned(&d->ns[type % DURATIONS], ns);
    note_long(d, type % DURATIONS, true);
}

void shmi_duration_learn_wake(struct durations *d, uint64_t ns) {
    uint32_t now = load_relaxed32(&d->wake_ns);
    set_wake(d, now - now / 8 + at_most(ns, WAKE_MOST_NS) / 8);
}

/* A race of two entries may lose an update of the mean, which does no harm. */
void shmi_crowd_enter(struct crowd *c) {
    uint32_t seen = (add_seq_cst32(&c->now, 1) + 1) * CROWD_PARTS;
    uint32_t mean = load_relaxed32(&c->mean);
    set_learned(&c->mean, seen > mean ? mean + (seen - mean) / CROWD_MOVES
                                      : mean - (mean - seen + CROWD_MOVES - 1) / CROWD_MOVES);
}

void shmi_crowd_leave(struct crowd *c) {
    add_seq_cst32(&c->now, UINT32_MAX);
}

/* ---- Policies of the tests ---- */

uint32_t shmi_policy_random(void) {
    static atomic_u32 state;
    uint32_t seed = add_seq_cst32(&state, 0x9e3779b9u) + 1;
    seed = (seed ^ seed >> 16) * 0x85ebca6bu;
    return seed ^ seed >> 13;
}

/* Parks about as late as the overrun of time-outs in shmipc.h allows, counted in pauses. */
static enum step park_late(struct spin *spin) {
    enum { PAUSES = 500 };
    if (spin->stage == SPIN_LEAST) {
        spin->stage = SPIN_PROBING;
        spin->left = PAUSES;
    }
    if (spin->left == 0) /* and at each later step */
        return STEP_PARK;
    spin->left--;
    return STEP_PAUSE;
}

enum step shmi_spin_anyhow(struct spin *spin) {
    static const enum step steps[] = {STEP_PAUSE, STEP_YIELD, STEP_PARK};
    if (SHMIPC_POLICY == POLICY_PARKS_AT_ONCE)
        return STEP_PARK;
    if (SHMIPC_POLICY == POLICY_PARKS_LATE)
        return park_late(spin);
    return steps[shmi_policy_random() % (sizeof steps / sizeof *steps)];
}
