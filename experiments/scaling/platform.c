/*
 * src/platform/platform.h in virtual time: both peers live in this process, the region is memory
 * that only they have, and no peer dies.
 */
#include "wait/policy.h"

#include "base/thread.h"
#include "shmipc/shmipc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- The object: one region, which each peer opens ---- */

struct object {
    uint32_t self; /* whose lock was taken here, or NO_PEER */
};

static struct {
    void *memory;
    struct object *holders[PEERS];
} region;

static int open_object(struct object **object) {
    *object = malloc(sizeof **object);
    if (*object == NULL)
        return SHMIPC_E_NO_MEMORY;
    (*object)->self = NO_PEER;
    return SHMIPC_OK;
}

int shmi_object_create(const char *name, const struct geometry *geometry,
                       const struct object_rules *rules, struct object **object) {
    (void)name, (void)rules;
    region.memory = lines_allocate(geometry->total_size);
    return region.memory == NULL ? SHMIPC_E_NO_MEMORY : open_object(object);
}

int shmi_object_open(const char *name, const struct object_rules *rules, struct object **object) {
    (void)name, (void)rules;
    return region.memory == NULL ? SHMIPC_E_NOT_FOUND : open_object(object);
}

int shmi_object_publish(struct object *o) {
    (void)o;
    return SHMIPC_OK;
}

int shmi_object_unpublish(struct object *o) {
    (void)o;
    return SHMIPC_OK;
}

int shmi_object_map(struct object *o, const struct geometry *geometry) {
    (void)o, (void)geometry;
    return SHMIPC_OK;
}

int shmi_object_read(struct object *o, void *to, size_t size) {
    (void)o;
    memcpy(to, region.memory, size);
    return SHMIPC_OK;
}

void *shmi_object_base(const struct object *o) {
    (void)o;
    return region.memory;
}

/* Nobody has a descriptor. */
bool shmi_object_signal(struct object *o, uint32_t peer) {
    (void)o, (void)peer;
    return false;
}

void shmi_object_unready(struct object *o) {
    (void)o;
}

int shmi_pollable_open(struct object *o, struct pollable **pollable) {
    (void)o, (void)pollable;
    return SHMIPC_E_NOT_SUPPORTED;
}

void shmi_pollable_close(struct pollable *p) {
    (void)p;
}

shmipc_fd shmi_pollable_fd(const struct pollable *p) {
    (void)p;
    return -1;
}

int shmi_pollable_clear(struct pollable *p, uint64_t until) {
    (void)p, (void)until;
    return SHMIPC_E_NOT_SUPPORTED;
}

bool shmi_pollable_watch(struct pollable *p, uint32_t pid) {
    (void)p, (void)pid;
    return false;
}

bool shmi_pollable_saw_end(struct pollable *p) {
    (void)p;
    return false;
}

void shmi_pollable_signal(struct pollable *p) {
    (void)p;
}

/* Nobody looks for hosts. */
struct object_identity shmi_object_identity(const struct object *o) {
    (void)o;
    return (struct object_identity){.device = 0};
}

int shmi_names_watch_open(struct names_watch **watch) {
    (void)watch;
    return SHMIPC_E_NOT_SUPPORTED;
}

void shmi_names_watch_close(struct names_watch *watch) {
    (void)watch;
}

int shmi_names_watch_fd(const struct names_watch *watch, shmipc_fd *fd) {
    (void)watch;
    *fd = -1;
    return SHMIPC_E_NOT_SUPPORTED;
}

int shmi_names_watch_take(struct names_watch *watch, object_visitor visit, void *context) {
    (void)watch, (void)visit, (void)context;
    return SHMIPC_E_NOT_SUPPORTED;
}

void shmi_names_watch_until(struct names_watch *watch, uint64_t until) {
    (void)watch, (void)until;
}

int shmi_object_remove_dead(struct object *o) {
    (void)o;
    return SHMIPC_E_NAME_IN_USE;
}

int shmi_object_list(const char *prefix, object_visitor visit, void *context) {
    (void)prefix, (void)visit, (void)context;
    return 0;
}

bool shmi_object_is_listed(const char *name, struct object_identity *identity) {
    (void)name, (void)identity;
    return false;
}

bool shmi_object_has_name(struct object *o) {
    (void)o;
    return true;
}

int shmi_object_try(struct object *o) {
    (void)o;
    return SHMIPC_OK;
}

int shmi_object_settle(struct object *o) {
    (void)o;
    return SHMIPC_OK;
}

const char *shmi_object_trouble(struct object *o) {
    (void)o;
    return NULL;
}

void shmi_object_close(struct object *o) {
    free(o);
}

void *shmi_object_detach(struct object *o) {
    (void)o;
    return NULL;
}

void shmi_object_keep(struct object *o, void *start, size_t size) {
    (void)o, (void)start, (void)size;
}

void shmi_object_let_go(struct object *o, void *view) {
    (void)o, (void)view;
}

void shmi_object_on_fork(struct object *o, void (*hook)(void *context), void *context) {
    (void)o, (void)hook, (void)context;
}

enum lock_verdict shmi_peer_lock(struct object *o, uint32_t peer) {
    if (region.holders[peer] != NULL)
        return LOCK_HELD;
    region.holders[peer] = o;
    o->self = peer;
    return LOCK_TAKEN;
}

void shmi_peer_unlock(struct object *o, uint32_t peer) {
    (void)o;
    region.holders[peer] = NULL;
}

bool shmi_peer_is_locked(struct object *o, uint32_t peer) {
    return region.holders[peer] != NULL && region.holders[peer] != o;
}

int shmi_fail_lock(const struct object *o, uint32_t peer) {
    (void)o, (void)peer;
    return SHMIPC_E_SYSTEM;
}

/* ---- Waiting ---- */

/* What each thread sleeps on. */
static struct sleeper {
    const atomic_u32 *word; /* NULL: it does not */
    uint32_t peer;
    uint32_t home;
    uint64_t since; /* counts the sleeps: who came first is woken first */
} sleepers[THREADS_MOST];

static uint64_t sleeps;

/* The system has the sleepers of a word in a list, which one thread at a time may change. */
enum { LISTS = 256 };
static ps list_free_at[LISTS];

static ps *enter_list(const atomic_u32 *word) {
    ps *free_at = &list_free_at[(uintptr_t)word / sizeof *word % LISTS];
    processors_sync();
    while (*free_at > processors_now()) { /* another one may be before us again */
        processors_reach(*free_at);
        processors_sync();
    }
    return free_at;
}

static void hold_list(ps *free_at, ps time) {
    *free_at = processors_now() + time;
    processors_spend(time);
    processors_sync();
}

bool shmi_word_wait(struct object *o, atomic_u32 *word, uint32_t expected, uint64_t deadline,
                    uint32_t home) {
    const struct costs *c = processors_costs();
    struct sleeper *s = &sleepers[processors_thread()];
    processors_spend(ps_of(c->sleep / 2));
    hold_list(enter_list(word), ps_of(c->queue_lock));
    lines_look(word);
    if (*word != expected)
        return false;
    *s = (struct sleeper){
        .word = word, .peer = o == NULL ? NO_PEER : o->self, .home = home, .since = ++sleeps};
    processors_spend(ps_of(c->sleep / 2));
    processors_sync();
    if (s->word == NULL) /* somebody was faster */
        return false;
    (void)processors_sleep(deadline > NEVER / NS ? NEVER : deadline * NS);
    s->word = NULL;
    return false;
}

static bool is_meant(const struct sleeper *s, const atomic_u32 *word, uint32_t peer,
                     uint32_t home) {
    return s->word == word && (peer == NO_PEER || s->peer == peer) &&
           (home == NO_HOME || s->home % PEERS == home % PEERS);
}

/* How many sleep on the word, up to the first one that is meant: *found, or NULL. */
static uint32_t find_sleeper(const atomic_u32 *word, uint32_t peer, uint32_t home,
                             struct sleeper **found) {
    uint32_t passed = 0;
    *found = NULL;
    for (uint32_t i = 0; i < THREADS_MOST; i++) {
        struct sleeper *s = &sleepers[i];
        if (is_meant(s, word, peer, home) && (*found == NULL || s->since < (*found)->since))
            *found = s;
    }
    for (uint32_t i = 0; i < THREADS_MOST; i++)
        passed +=
            sleepers[i].word == word && (*found == NULL || sleepers[i].since < (*found)->since);
    return passed;
}

static uint32_t wake(const atomic_u32 *word, uint32_t count, uint32_t peer, uint32_t home) {
    const struct costs *c = processors_costs();
    uint32_t woken = 0;
    if (processors_are_outside())
        return 0;
    processors_spend(ps_of(c->wake_nobody - c->queue_lock));
    ps *list = enter_list(word);
    ps hold = ps_of(c->queue_lock), calls = 0;
    struct sleeper *s;
    while (woken < count) {
        hold += ps_of(c->pass_over * find_sleeper(word, peer, home, &s));
        if (s == NULL)
            break;
        s->word = NULL;
        bool idle = processors_wake((uint32_t)(s - sleepers));
        calls += ps_of((idle ? c->wake_idle : c->wake) - c->wake_nobody);
        woken++;
    }
    hold_list(list, hold);
    processors_spend(calls);
    return woken;
}

uint32_t shmi_word_wake(struct object *o, atomic_u32 *word, uint32_t count) {
    (void)o;
    return wake(word, count, NO_PEER, NO_HOME);
}

uint32_t shmi_word_wake_peer(struct object *o, atomic_u32 *word, uint32_t peer) {
    (void)o;
    return wake(word, 1, peer, NO_HOME);
}

uint32_t shmi_word_wake_home(struct object *o, atomic_u32 *word, uint32_t peer, uint32_t home) {
    (void)o;
    return wake(word, 1, peer, home);
}

/* ---- Time and processors ---- */

uint64_t shmi_clock_now(void) {
    processors_spend(ps_of(processors_costs()->clock));
    return processors_now() / NS;
}

void shmi_cpu_yield(void) {
    processors_yield();
}

uint32_t shmi_cpu_count(void) {
    return processors_count();
}

int shmi_cpu_pin(uint32_t cpu) {
    (void)cpu;
    return SHMIPC_OK;
}

uint32_t shmi_process_id(void) {
    return 1;
}

uint64_t shmi_process_origin(void) {
    return 0;
}

uint64_t shmi_random_nonce(void) {
    return 1;
}

bool shmi_process_ends(void) {
    return false;
}

int shmi_cancellation_off(void) {
    return 0;
}

void shmi_cancellation_restore(int before) {
    (void)before;
}

/* ---- Memory ---- */

void *shmi_memory_allocate(size_t size) {
    return lines_allocate(size);
}

void shmi_memory_free(void *memory) {
    (void)memory;
}

struct thread_state *shmi_thread_state(void) {
    static struct thread_state outside;
    static struct thread_state of[THREADS_MOST];
    return processors_are_outside() ? &outside : &of[processors_thread()];
}
