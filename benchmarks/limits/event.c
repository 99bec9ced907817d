#include "wakes.h"

#include "support/child.h"
#include "support/win32/memory.h"

#include <stdatomic.h>
#include <stdlib.h>

enum { LINE = 64 };

/* Each word on a line of its own, and with an event: whoever waits for it sleeps, its writer
   wakes. */
struct words {
    _Alignas(LINE) _Atomic uint32_t there;
    _Alignas(LINE) _Atomic uint32_t back;
};

struct wakes {
    struct words *words;
    HANDLE there, back;
    uint32_t sent;
    struct partner *partner;
};

static struct wakes wakes_in(struct words *words) {
    return (struct wakes){
        .words = words, .there = memory_event(words, "there"), .back = memory_event(words, "back")};
}

static void set_and_wake(_Atomic uint32_t *word, uint32_t value, HANDLE event) {
    atomic_store_explicit(word, value, memory_order_release);
    SetEvent(event);
}

/* One wait for each change: no signal is left over that would end the next one. */
static void sleep_while(_Atomic uint32_t *word, uint32_t old, HANDLE event) {
    do {
        if (WaitForSingleObject(event, INFINITE) != WAIT_OBJECT_0)
            die("event");
    } while (atomic_load_explicit(word, memory_order_acquire) == old);
}

/* A block without end: this side may sleep where it is, whether the other measures or not. */
static void answer(void *memory) {
    struct wakes w = wakes_in(memory);
    for (uint32_t n = 0;; n++) {
        sleep_while(&w.words->there, n, w.there);
        set_and_wake(&w.words->back, n + 1, w.back);
    }
}

const struct role wakes_role = {"wakes", answer};

static void run(void *self, uint64_t calls) {
    struct wakes *w = self;
    for (uint64_t i = 0; i < calls; i++) {
        set_and_wake(&w->words->there, w->sent + 1, w->there);
        sleep_while(&w->words->back, w->sent, w->back);
        w->sent++;
    }
}

static void stop(void *self) {
    struct wakes *w = self;
    partner_stop(w->partner);
    CloseHandle(w->there);
    CloseHandle(w->back);
    free(w);
}

struct subject wakes_start(void) {
    struct wakes *w = calloc(1, sizeof *w);
    if (!w)
        die("memory");
    *w = wakes_in(shared_memory(sizeof *w->words));
    w->partner = partner_start(&wakes_role, w->words);
    partner_wake(w->partner);
    return (struct subject){.label = {"limit_event", "c", sizeof(uint32_t), 1, 1, ""},
                            .self = w,
                            .unit = 1,
                            .run = run,
                            .stop = stop};
}
