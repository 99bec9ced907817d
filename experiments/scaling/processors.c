#define _GNU_SOURCE
#include "processors.h"

#include "context.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { STACK_SIZE = 256 * 1024, NOBODY = UINT16_MAX };

enum thread_state { THREAD_READY, THREAD_RUNNING, THREAD_SLEEPING };

struct thread {
    struct context context;
    enum thread_state state;
    uint32_t processor; /* where it runs, waits for its turn, or ran last */
    uint32_t next;      /* behind it in the queue */
    double used;        /* time that it has run, by that of others of its processor, in ps */
    double lag;         /* how much less than the mean it had used when it fell asleep */
    ps owed;            /* what it had spent when its processor was taken away, but not run */
    ps deadline;        /* of its sleep */
    bool woken;
};

struct processor {
    uint32_t current; /* thread, or NOBODY */
    uint32_t first, queued;
    ps runs_since; /* the current thread, as far as it is accounted for */
    ps slice_end;
    ps idle_since;
    double mean; /* that its threads have used, as seen last */
    bool give_up;
};

/* Leaves of a tree whose root is the earliest of them: what each processor does next, and the first
   deadline of a sleep. */
enum { LEAVES = 128, TIMER = PROCESSORS_MOST, BALANCE };

static struct {
    struct costs costs;
    uint32_t count;  /* as the library is told */
    uint32_t usable; /* of these, where threads run */
    uint32_t threads;
    struct thread thread[THREADS_MOST];
    struct processor processor[PROCESSORS_MOST];
    ps tree[2 * LEAVES];
    ps now;
    ps end;
    ps idle;
    uint32_t here; /* processor */
    uint32_t self; /* thread, or NOBODY */
    struct context outside;
    uint64_t seed;
    ps slice;
    struct processors_events events;
} m;

/* ---- Time ---- */

static void set_leaf(uint32_t leaf, ps time) {
    size_t i = (size_t)LEAVES + leaf;
    m.tree[i] = time;
    for (i /= 2; i > 0; i /= 2) {
        ps left = m.tree[2 * i], right = m.tree[2 * i + 1];
        m.tree[i] = left <= right ? left : right;
    }
}

static uint32_t earliest(void) {
    size_t i = 1;
    while (i < LEAVES)
        i = m.tree[2 * i] == m.tree[i] ? 2 * i : 2 * i + 1;
    return (uint32_t)(i - LEAVES);
}

ps processors_now(void) {
    return m.now;
}

void processors_spend(ps time) {
    m.now += time;
}

void processors_reach(ps time) {
    m.now = time > m.now ? time : m.now;
}

double processors_random(void) {
    m.seed ^= m.seed << 13;
    m.seed ^= m.seed >> 7;
    m.seed ^= m.seed << 17;
    return (double)(m.seed >> 11) / 9007199254740992.0;
}

/* ---- Who runs where ---- */

bool processors_are_near(uint32_t one, uint32_t other) {
    uint32_t cluster = (uint32_t)m.costs.cluster;
    return cluster == 0 || one / cluster == other / cluster;
}

/* What the current thread has used until now. */
static void account(struct processor *p) {
    if (p->current == NOBODY || m.now <= p->runs_since)
        return;
    m.thread[p->current].used += (double)(m.now - p->runs_since);
    p->runs_since = m.now;
}

/* Of the threads that run or wait here. */
static double mean_used(struct processor *p) {
    double sum = 0;
    uint32_t count = p->queued;
    account(p);
    for (uint32_t n = 0, i = p->first; n < p->queued; n++, i = m.thread[i].next)
        sum += m.thread[i].used;
    if (p->current != NOBODY) {
        sum += m.thread[p->current].used;
        count++;
    }
    if (count > 0)
        p->mean = sum / count;
    return p->mean;
}

static void enqueue(uint32_t processor, uint32_t thread) {
    struct processor *p = &m.processor[processor];
    m.thread[thread].state = THREAD_READY;
    m.thread[thread].processor = processor;
    m.thread[thread].next = p->first;
    p->first = thread;
    p->queued++;
}

/* Whoever has used least comes first. */
static uint32_t dequeue(struct processor *p) {
    uint32_t *least = &p->first;
    for (uint32_t n = 0, *i = &p->first; n < p->queued; n++, i = &m.thread[*i].next) {
        if (m.thread[*i].used < m.thread[*least].used)
            least = i;
    }
    uint32_t thread = *least;
    *least = m.thread[thread].next;
    p->queued--;
    return thread;
}

static void run_from(uint32_t processor, uint32_t thread, ps time) {
    struct processor *p = &m.processor[processor];
    if (p->current == NOBODY)
        m.idle += time - p->idle_since;
    p->current = thread;
    p->runs_since = time;
    p->slice_end = time + m.slice;
    p->give_up = false;
    m.thread[thread].state = THREAD_RUNNING;
    m.thread[thread].processor = processor;
    set_leaf(processor, time + m.thread[thread].owed);
    m.thread[thread].owed = 0;
}

/* The processor with the longest queue, which an idle one may help. */
static struct processor *busiest(void) {
    struct processor *found = &m.processor[0];
    for (uint32_t i = 1; i < m.usable; i++) {
        if (m.processor[i].queued > found->queued)
            found = &m.processor[i];
    }
    return found;
}

/* What a processor does whose thread has given it up. */
static void run_next(uint32_t processor) {
    struct processor *p = &m.processor[processor];
    (void)mean_used(p);
    p->current = NOBODY;
    p->idle_since = m.now;
    if (p->queued > 0)
        run_from(processor, dequeue(p), m.now + ps_of(m.costs.resume));
    else
        set_leaf(processor, NEVER);
}

static void balance(void) {
    for (uint32_t i = 0; i < m.usable; i++) {
        struct processor *from = busiest();
        if (m.processor[i].current != NOBODY || from->queued == 0)
            continue;
        uint32_t thread = dequeue(from);
        m.thread[thread].used += m.processor[i].mean - from->mean;
        run_from(i, thread, m.now + ps_of(m.costs.resume));
    }
    set_leaf(BALANCE, m.now + ps_of(m.costs.balance));
}

/* An idle processor for a thread: the one it ran on, else one near that, else any. */
static uint32_t find_idle(uint32_t last) {
    uint32_t found = NOBODY;
    for (uint32_t n = 0, i = last; n < m.usable; n++, i = i + 1 < m.usable ? i + 1 : 0) {
        if (m.processor[i].current != NOBODY)
            continue;
        if (processors_are_near(i, last))
            return i;
        found = found == NOBODY ? i : found;
    }
    return found;
}

/* None is idle: the thread waits where it ran last, or where it was woken. */
static uint32_t find_shorter(uint32_t last) {
    return m.processor[m.here].queued < m.processor[last].queued ? m.here : last;
}

/* The system lets a woken thread run at once if it has had less than its share, and the one that
   runs has had more. */
static bool preempt(uint32_t processor) {
    struct processor *p = &m.processor[processor];
    struct thread *t = &m.thread[p->current];
    if (t->used <= mean_used(p))
        return false;
    if (processor == m.here && p->current == m.self) {
        p->give_up = true;
        return false;
    }
    if (m.now < p->runs_since) /* it does not run yet */
        return false;
    ps goes_on = m.tree[LEAVES + processor];
    t->owed = goes_on > m.now ? goes_on - m.now : 0;
    enqueue(processor, p->current);
    p->current = NOBODY;
    run_from(processor, dequeue(p), m.now + ps_of(m.costs.resume));
    return true;
}

/* True if another processor has to be interrupted for it. */
static bool make_ready(uint32_t thread) {
    struct thread *t = &m.thread[thread];
    uint32_t idle = find_idle(t->processor);
    double wake_up = m.costs.wake_up * (0.9 + 0.2 * processors_random());
    uint32_t processor = idle != NOBODY ? idle : find_shorter(t->processor);
    struct processor *p = &m.processor[processor];
    t->used = mean_used(p) - t->lag;
    if (idle != NOBODY) {
        run_from(idle, thread, m.now + ps_of(wake_up));
        return true;
    }
    enqueue(processor, thread);
    return preempt(processor);
}

/* ---- Sleeping ---- */

static void set_timer(void) {
    ps first = NEVER;
    for (uint32_t i = 0; i < m.threads; i++) {
        if (m.thread[i].state == THREAD_SLEEPING && m.thread[i].deadline < first)
            first = m.thread[i].deadline;
    }
    set_leaf(TIMER, first);
}

static bool end_sleep(uint32_t thread, bool woken) {
    m.thread[thread].woken = woken;
    bool interrupts = make_ready(thread);
    set_timer();
    return interrupts;
}

static void ring_timers(void) {
    for (uint32_t i = 0; i < m.threads; i++) {
        if (m.thread[i].state == THREAD_SLEEPING && m.thread[i].deadline <= m.now) {
            (void)end_sleep(i, false);
            return;
        }
    }
}

/* ---- Going on ---- */

/* Whoever is next in virtual time goes on; returns when this is the caller. */
static void go_on(struct context *from) {
    for (;;) {
        ps time = m.tree[1];
        if (time >= m.end) {
            m.now = m.end;
            m.self = NOBODY;
            if (from != &m.outside)
                context_switch(from, &m.outside);
            return;
        }
        uint32_t leaf = earliest();
        m.now = time;
        if (leaf == TIMER) {
            ring_timers();
            continue;
        }
        if (leaf == BALANCE) {
            balance();
            continue;
        }
        m.here = leaf;
        m.self = m.processor[leaf].current;
        set_leaf(leaf, NEVER);
        struct context *to = &m.thread[m.self].context;
        if (to != from)
            context_switch(from, to);
        return;
    }
}

static void leave(void) {
    go_on(&m.thread[m.self].context);
}

/* To whoever has used least, itself too. */
static void lose_processor(void) {
    struct processor *p = &m.processor[m.here];
    account(p);
    p->current = NOBODY;
    enqueue(m.here, m.self);
    run_next(m.here);
    leave();
}

static void yield_processor(void) {
    struct processor *p = &m.processor[m.here];
    account(p);
    p->current = NOBODY;
    uint32_t next = dequeue(p);
    enqueue(m.here, m.self);
    p->idle_since = m.now;
    run_from(m.here, next, m.now + ps_of(m.costs.resume));
    leave();
}

void processors_sync(void) {
    if (m.self == NOBODY)
        return;
    struct processor *p = &m.processor[m.here];
    if (m.now >= p->slice_end || p->give_up) {
        if (p->queued > 0) {
            lose_processor();
            return;
        }
        p->give_up = false;
        p->slice_end = m.now + m.slice;
    }
    if (m.now <= m.tree[1] && m.now < m.end)
        return;
    set_leaf(m.here, m.now);
    leave();
}

void processors_compute(ps time) {
    while (time > 0) {
        const struct processor *p = &m.processor[m.here];
        ps part = p->slice_end > m.now ? p->slice_end - m.now : 1;
        part = part < time ? part : time;
        m.now += part;
        time -= part;
        processors_sync();
    }
}

void processors_yield(void) {
    m.now += ps_of(m.costs.yield);
    processors_sync();
    if (m.self != NOBODY && m.processor[m.here].queued > 0)
        yield_processor();
}

bool processors_sleep(ps deadline) {
    struct thread *t = &m.thread[m.self];
    t->state = THREAD_SLEEPING;
    m.events.sleeps++;
    t->lag = mean_used(&m.processor[m.here]) - t->used;
    t->lag = t->lag > 0 ? t->lag : 0;
    t->deadline = deadline;
    run_next(m.here);
    set_timer();
    leave();
    return t->woken;
}

bool processors_wake(uint32_t thread) {
    if (m.thread[thread].state != THREAD_SLEEPING)
        return false;
    m.events.wakes++;
    return end_sleep(thread, true);
}

/* ---- The whole ---- */

static ps slice_of(uint32_t count, const struct costs *costs) {
    ps slice = ps_of(costs->slice);
    uint32_t parts = 1;
    for (; count > 1 && parts < 4; count /= 2)
        parts++;
    return parts * slice;
}

void processors_begin(uint32_t count, const struct costs *costs) {
    memset(&m, 0, sizeof m);
    m.costs = *costs;
    m.count = count;
    m.usable = costs->usable > 0 ? (uint32_t)costs->usable : count;
    m.slice = slice_of(count, costs);
    m.seed = UINT64_C(0x9e3779b97f4a7c15);
    m.self = NOBODY;
    for (uint32_t i = 0; i < 2 * LEAVES; i++)
        m.tree[i] = NEVER;
    for (uint32_t i = 0; i < PROCESSORS_MOST; i++)
        m.processor[i].current = NOBODY;
    set_leaf(BALANCE, ps_of(costs->balance));
}

const struct costs *processors_costs(void) {
    return &m.costs;
}

uint32_t processors_count(void) {
    return m.count;
}

uint32_t processors_here(void) {
    return m.here;
}

uint32_t processors_thread(void) {
    return m.self;
}

bool processors_are_outside(void) {
    return m.self == NOBODY;
}

ps processors_idle_time(void) {
    ps idle = m.idle;
    for (uint32_t i = 0; i < m.usable; i++) {
        if (m.processor[i].current == NOBODY)
            idle += m.now - m.processor[i].idle_since;
    }
    return idle;
}

struct processors_events processors_events(void) {
    return m.events;
}

void processors_start(void (*run)(void *argument), void *argument) {
    uint32_t thread = m.threads++;
    struct thread *t = &m.thread[thread];
    void *stack =
        mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack == MAP_FAILED || thread >= THREADS_MOST) {
        fprintf(stderr, "scaling: no memory for thread %u of %d\n", thread, THREADS_MOST);
        exit(1);
    }
    t->context.run = run;
    t->context.argument = argument;
    context_prepare(&t->context, stack, STACK_SIZE);
    t->processor = thread % m.usable;
    (void)make_ready(thread);
}

void processors_run(ps until) {
    m.end = until;
    go_on(&m.outside);
}
