#define _GNU_SOURCE
#include "limits/futex.h"

#include "calls/pair.h"
#include "support/child.h"
#include "support/linux/fork.h"
#include "support/linux/futex.h"
#include "wakes.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

enum { LINE = 64 };

/* Each word on a line of its own: whoever waits for it sleeps, its writer wakes. */
struct words {
    _Alignas(LINE) _Atomic uint32_t there;
    _Alignas(LINE) _Atomic uint32_t back;
};

struct futex {
    struct words *words;
    uint32_t sent;
    struct partner *partner; /* NULL: a program in Go */
    pid_t program;
};

static void set_and_wake(_Atomic uint32_t *word, uint32_t value) {
    atomic_store_explicit(word, value, memory_order_release);
    futex_wake_all(word);
}

/* A block without end: this side may sleep where it is, whether the other measures or not. */
static void answer(void *memory) {
    struct words *w = memory;
    for (uint32_t n = 0;; n++) {
        futex_sleep_while(&w->there, n);
        set_and_wake(&w->back, n + 1);
    }
}

const struct role wakes_role = {"wakes", answer};

static void run(void *self, uint64_t calls) {
    struct futex *f = self;
    for (uint64_t i = 0; i < calls; i++) {
        set_and_wake(&f->words->there, f->sent + 1);
        futex_sleep_while(&f->words->back, f->sent);
        f->sent++;
    }
}

static void stop(void *self) {
    partner_stop(((struct futex *)self)->partner);
    free(self);
}

static struct subject subject_of(struct futex *f, const char *guest) {
    return (struct subject){.label = {"limit_futex", guest, sizeof(uint32_t), 1, 1, ""},
                            .self = f,
                            .unit = 1,
                            .run = run,
                            .stop = stop};
}

struct subject wakes_start(void) {
    struct futex *f = calloc(1, sizeof *f);
    if (!f)
        die("futex");
    f->words = shared_memory(sizeof *f->words);
    f->partner = partner_start(&wakes_role, f->words);
    partner_wake(f->partner);
    return subject_of(f, "c");
}

static void stop_program(void *self) {
    struct futex *f = self;
    child_stop(f->program);
    munmap(f->words, sizeof *f->words);
    free(f);
}

struct subject futex_start_go(void) {
    struct futex *f = calloc(1, sizeof *f);
    if (!f)
        die("futex");
    char *path = program_path("bench_futex");
    int memory = shared_file((void **)&f->words, sizeof *f->words);
    f->program = child_on((char *[]){path, NULL}, memory);
    close(memory);
    free(path);
    struct subject subject = subject_of(f, "go");
    subject.stop = stop_program;
    return subject;
}
