#define _GNU_SOURCE
#include "support/explore.h"

#include "support/fixture.h"

#include "platform/posix/object.h"
#include "wait/policy.h"

#include <semaphore.h>
#include <stdio.h>

enum actor_state { UNUSED, RUNNABLE, ASLEEP, DONE };

struct actor {
    enum actor_state state;
    uint32_t home;     /* with which it sleeps, */
    uint64_t deadline; /* and until when */
    pthread_t thread;
    sem_t turn;
    void (*body)(void *context);
    void *context;
    const void *sleeps_on;
    const struct object *sleeps_in; /* whose peer it sleeps for; NULL: its own process */
};

/* The choices of one run. The next run repeats them up to the last that has an alternative. */
enum { DEPTH = 4096 };

struct choice {
    int taken;
    int options;
};

static struct actor actors[EXPLORE_ACTORS];
static struct choice path[DEPTH];
static int depth;
static int known_depth;
static int preemptions_left;
static uint64_t lots; /* not 0: choices are drawn */
static sem_t all_done;
static uint64_t now;
static _Thread_local struct actor *self;

/* ---- Choosing ---- */

static uint64_t draw(void) {
    lots ^= lots << 13;
    lots ^= lots >> 7;
    lots ^= lots << 17;
    return lots >> 16;
}

static int choose(int options) {
    if (lots != 0)
        return (int)(draw() % (uint64_t)options);
    must(depth < DEPTH);
    struct choice *choice = &path[depth++];
    if (depth > known_depth)
        *choice = (struct choice){0, options};
    else if (choice->taken >= options)
        choice->taken = options - 1;
    choice->options = options;
    return choice->taken;
}

/* To the next run. False if there is none. */
static bool next_path(void) {
    while (depth > 0) {
        struct choice *last = &path[depth - 1];
        if (++last->taken < last->options) {
            known_depth = depth;
            return true;
        }
        depth--;
    }
    return false;
}

static int list_ready(struct actor *ready[static EXPLORE_ACTORS], const struct actor *but) {
    int count = 0;
    for (int i = 0; i < EXPLORE_ACTORS; i++) {
        if (actors[i].state == RUNNABLE && &actors[i] != but)
            ready[count++] = &actors[i];
    }
    return count;
}

static bool anyone_is(enum actor_state state) {
    for (int i = 0; i < EXPLORE_ACTORS; i++) {
        if (actors[i].state == state)
            return true;
    }
    return false;
}

static _Noreturn void report_deadlock(void) {
    for (int i = 0; i < EXPLORE_ACTORS; i++) {
        if (actors[i].state == ASLEEP)
            (void)fprintf(stderr, "actor %d sleeps for ever\n", i);
    }
    fixture_die(__FILE__, __LINE__, "a wake-up was lost");
}

/* ---- Handing over ---- */

static void hand_over(struct actor *next) {
    if (next == self)
        return;
    must_equal(sem_post(&next->turn), 0);
    while (sem_wait(&self->turn) != 0) {
    }
}

void explore_step(void) {
    enum { STEPS_PER_PREEMPTION = 6 };
    struct actor *ready[EXPLORE_ACTORS];
    if (self == NULL || preemptions_left == 0)
        return;
    if (lots != 0 && draw() % STEPS_PER_PREEMPTION != 0)
        return;
    int others = list_ready(ready, self);
    int taken = others == 0 ? 0 : choose(others + 1);
    if (taken == 0)
        return;
    preemptions_left--;
    hand_over(ready[taken - 1]);
}

static void end_short_sleep(void) {
    const uint64_t soon = now + SENTRY_TICK_NS;
    for (int i = 0; i < EXPLORE_ACTORS; i++) {
        if (actors[i].state == ASLEEP && actors[i].deadline <= soon) {
            now = actors[i].deadline;
            actors[i].state = RUNNABLE;
            return;
        }
    }
    report_deadlock();
}

/* The running actor cannot, or does not want to, go on: no preemption. */
static void let_others_run(void) {
    struct actor *ready[EXPLORE_ACTORS];
    int others = list_ready(ready, self);
    if (others == 0 && self->state == ASLEEP) {
        end_short_sleep();
        others = list_ready(ready, self);
    }
    if (others > 0)
        hand_over(ready[others == 1 ? 0 : choose(others)]);
}

static void finish(void) {
    struct actor *ready[EXPLORE_ACTORS];
    self->state = DONE;
    int others = list_ready(ready, self);
    if (others == 0 && anyone_is(ASLEEP)) {
        end_short_sleep();
        others = list_ready(ready, self);
    }
    if (others > 0)
        must_equal(sem_post(&ready[others == 1 ? 0 : choose(others)]->turn), 0);
    else
        must_equal(sem_post(&all_done), 0);
}

/* ---- In place of the system's ---- */

/* Named for the linker, which puts ours in place of the real ones. */
bool real_wait(struct object *object, atomic_u32 *word, uint32_t expected, uint64_t deadline,
               uint32_t home) __asm__("__real_shmi_word_wait");
bool explored_wait(struct object *object, atomic_u32 *word, uint32_t expected, uint64_t deadline,
                   uint32_t home) __asm__("__wrap_shmi_word_wait");
uint32_t real_wake(struct object *object, atomic_u32 *word,
                   uint32_t count) __asm__("__real_shmi_word_wake");
uint32_t explored_wake(struct object *object, atomic_u32 *word,
                       uint32_t count) __asm__("__wrap_shmi_word_wake");
uint32_t real_wake_peer(struct object *object, atomic_u32 *word,
                        uint32_t peer) __asm__("__real_shmi_word_wake_peer");
uint32_t explored_wake_peer(struct object *object, atomic_u32 *word,
                            uint32_t peer) __asm__("__wrap_shmi_word_wake_peer");
uint32_t real_wake_home(struct object *object, atomic_u32 *word, uint32_t peer,
                        uint32_t home) __asm__("__real_shmi_word_wake_home");
uint32_t explored_wake_home(struct object *object, atomic_u32 *word, uint32_t peer,
                            uint32_t home) __asm__("__wrap_shmi_word_wake_home");
void real_yield(void) __asm__("__real_shmi_cpu_yield");
void explored_yield(void) __asm__("__wrap_shmi_cpu_yield");
uint64_t explored_clock(void) __asm__("__wrap_shmi_clock_now");

bool explored_wait(struct object *object, atomic_u32 *word, uint32_t expected, uint64_t deadline,
                   uint32_t home) {
    if (self == NULL)
        return real_wait(object, word, expected, deadline, home);
    explore_step();
    if (load_relaxed32(word) == expected && deadline > now) {
        self->state = ASLEEP;
        self->sleeps_on = word;
        self->sleeps_in = object;
        self->home = home;
        self->deadline = deadline;
        let_others_run();
    }
    return false;
}

uint32_t explored_wake(struct object *object, atomic_u32 *word, uint32_t count) {
    uint32_t woken = 0;
    if (self == NULL)
        return real_wake(object, word, count);
    explore_step();
    for (int i = 0; i < EXPLORE_ACTORS && woken < count; i++) {
        if (actors[i].state == ASLEEP && actors[i].sleeps_on == word) {
            actors[i].state = RUNNABLE;
            woken++;
        }
    }
    return woken;
}

static bool sleeps_for(const struct actor *actor, const atomic_u32 *word, uint32_t peer) {
    return actor->state == ASLEEP && actor->sleeps_on == word && actor->sleeps_in != NULL &&
           actor->sleeps_in->self == peer;
}

uint32_t explored_wake_peer(struct object *object, atomic_u32 *word, uint32_t peer) {
    if (self == NULL)
        return real_wake_peer(object, word, peer);
    explore_step();
    for (int i = 0; i < EXPLORE_ACTORS; i++) {
        if (sleeps_for(&actors[i], word, peer)) {
            actors[i].state = RUNNABLE;
            return 1;
        }
    }
    return 0;
}

uint32_t explored_wake_home(struct object *object, atomic_u32 *word, uint32_t peer, uint32_t home) {
    if (self == NULL)
        return real_wake_home(object, word, peer, home);
    explore_step();
    for (int i = 0; i < EXPLORE_ACTORS; i++) {
        if (sleeps_for(&actors[i], word, peer) && actors[i].home == home) {
            actors[i].state = RUNNABLE;
            return 1;
        }
    }
    return 0;
}

void explored_yield(void) {
    if (self == NULL)
        real_yield();
    else
        let_others_run();
}

uint64_t explored_clock(void) {
    return now;
}

void explore_take(uint64_t ns) {
    now += ns;
}

void explore_time_passes(void) {
    explore_step();
    now += 3600 * (uint64_t)SECOND;
    for (int i = 0; i < EXPLORE_ACTORS; i++) {
        if (actors[i].state == ASLEEP)
            actors[i].state = RUNNABLE;
    }
}

/* ---- Runs ---- */

static void *run_actor(void *context) {
    self = context;
    while (sem_wait(&self->turn) != 0) {
    }
    self->body(self->context);
    finish();
    return NULL;
}

static void start_actors(const struct scenario *scenario) {
    for (int i = 0; i < EXPLORE_ACTORS; i++) {
        struct actor *actor = &actors[i];
        *actor = (struct actor){.state = scenario->actors[i] != NULL ? RUNNABLE : UNUSED,
                                .body = scenario->actors[i],
                                .context = scenario->context};
        must_equal(sem_init(&actor->turn, 0, 0), 0);
    }
    for (int i = 0; i < EXPLORE_ACTORS; i++) {
        if (actors[i].state == RUNNABLE)
            actors[i].thread = thread_start(run_actor, &actors[i]);
    }
}

static void join_actors(void) {
    for (int i = 0; i < EXPLORE_ACTORS; i++) {
        if (actors[i].state != UNUSED)
            thread_join(actors[i].thread);
        must_equal(sem_destroy(&actors[i].turn), 0);
    }
}

static void run_once(const struct scenario *scenario) {
    struct actor *ready[EXPLORE_ACTORS];
    depth = 0;
    preemptions_left = lots != 0 ? DEPTH : scenario->preemptions;
    scenario->begin(scenario->context);
    start_actors(scenario);
    must_equal(sem_post(&ready[choose(list_ready(ready, NULL))]->turn), 0);
    while (sem_wait(&all_done) != 0) {
    }
    join_actors();
    scenario->end(scenario->context);
}

int explore(const struct scenario *scenario) {
    enum { MOST_IN_ORDER = 1500 };
    int runs = 0;
    now = SECOND;
    known_depth = 0;
    must_equal(sem_init(&all_done, 0, 0), 0);
    do {
        run_once(scenario);
        runs++;
    } while (runs < MOST_IN_ORDER && next_path());
    lots = 88172645463325252u;
    for (int i = 0; i < scenario->drawn; i++, runs++)
        run_once(scenario);
    lots = 0;
    must_equal(sem_destroy(&all_done), 0);
    return runs;
}
