#define _GNU_SOURCE
#include "plain.h"

#include "calls/callers.h"
#include "calls/pair.h"
#include "support/child.h"
#include "support/linux/fork.h"
#include "support/linux/futex.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LINE = 64, MESSAGE = 48 };

/* Whoever waits for a word sleeps, its writer wakes. As in go/plain. */
struct slot {
    _Alignas(LINE) _Atomic uint32_t there;
    _Atomic uint32_t back;
    _Alignas(MESSAGE / 3) unsigned char message[MESSAGE];
};

_Static_assert(sizeof(struct slot) == LINE, "a slot is a cache line");

struct plain {
    const char *guest;
    struct slot *slots;
    unsigned count;
    pid_t server;
};

static void set_and_wake(_Atomic uint32_t *word, uint32_t value) {
    atomic_store_explicit(word, value, memory_order_release);
    futex_wake_one(word);
}

/* ---- The serving process, in C --------------------------------------------------------------- */

static void *serve(void *memory) {
    struct slot *slot = memory;
    unsigned char message[MESSAGE];
    struct job job;
    for (uint32_t n = 0;; n++) {
        futex_sleep_while(&slot->there, n);
        memcpy(message, slot->message, MESSAGE);
        memcpy(&job, message, sizeof job);
        job_do(job);
        memcpy(slot->message, message, MESSAGE);
        set_and_wake(&slot->back, n + 1);
    }
    return NULL;
}

static void serve_all(void *self) {
    struct plain *p = self;
    pthread_t thread;
    for (unsigned i = 1; i < p->count; i++) {
        if (pthread_create(&thread, NULL, serve, &p->slots[i]) != 0)
            die("thread");
    }
    serve(&p->slots[0]);
}

/* ---- The calling one ------------------------------------------------------------------------- */

struct caller {
    struct slot *slot;
    unsigned char there[MESSAGE], back[MESSAGE];
};

static void run(void *self, uint64_t calls) {
    struct caller *c = self;
    for (uint64_t i = 0; i < calls; i++) {
        uint32_t sent = atomic_load_explicit(&c->slot->there, memory_order_relaxed);
        memcpy(c->slot->message, c->there, MESSAGE);
        set_and_wake(&c->slot->there, sent + 1);
        futex_sleep_while(&c->slot->back, sent);
        memcpy(c->back, c->slot->message, MESSAGE);
    }
}

static struct subject call(const struct plain *p, struct slot *slot, struct job job) {
    struct caller *c = calloc(1, sizeof *c);
    if (!c)
        die("memory");
    c->slot = slot;
    memcpy(c->there, &job, sizeof job);
    return (struct subject){.label = {"limit_plain", p->guest, MESSAGE, 1, 1, ""},
                            .self = c,
                            .unit = 1,
                            .run = run,
                            .stop = free};
}

struct subject plain_calls(const struct plain *plain, struct job job) {
    struct subject *members = calloc(plain->count, sizeof *members);
    if (!members)
        die("memory");
    for (unsigned i = 0; i < plain->count; i++)
        members[i] = call(plain, &plain->slots[i], job);
    struct subject callers = callers_start(members, plain->count);
    free(members);
    return callers;
}

static pid_t start_go(unsigned slots, int memory) {
    char count[16];
    char *path = program_path("bench_plain");
    (void)snprintf(count, sizeof count, "%u", slots);
    pid_t server = child_on((char *[]){path, count, NULL}, memory);
    free(path);
    return server;
}

struct plain *plain_start(const char *guest, unsigned slots) {
    struct plain *p = calloc(1, sizeof *p);
    if (!p)
        die("memory");
    *p = (struct plain){.guest = guest, .count = slots};
    int memory = shared_file((void **)&p->slots, slots * sizeof *p->slots);
    p->server = strcmp(guest, "go") == 0 ? start_go(slots, memory) : child_fork(serve_all, p);
    close(memory);
    return p;
}

void plain_stop(struct plain *plain) {
    child_stop(plain->server);
    munmap(plain->slots, plain->count * sizeof *plain->slots);
    free(plain);
}
