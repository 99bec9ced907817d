#define _GNU_SOURCE
#include "chaos/ledger.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum {
    CALLS_A_SECOND = 10000,
    SECONDS_OF_GRACE = 120 /* between the end of a scene's time and the end of the scene */
};

static_assert(sizeof(struct call) == 64, "go_guest/ledger.go has this size");
static_assert(sizeof(struct post) == 1024, "go_guest/ledger.go has this size");
static_assert(offsetof(struct ledger, posts) == 128 + INCARNATIONS_MAX, "as in go_guest/ledger.go");

static int descriptor = -1;

static size_t bytes_of(uint64_t calls) {
    return sizeof(struct ledger) + calls * sizeof(struct call);
}

struct ledger *ledger_open(unsigned seconds, uint64_t seed) {
    const uint64_t capacity = (uint64_t)(seconds + SECONDS_OF_GRACE) * CALLS_A_SECOND;
    descriptor = memfd_create("shmipc-chaos", MFD_CLOEXEC);
    must(descriptor >= 0);
    must_equal(ftruncate(descriptor, (off_t)bytes_of(capacity)), 0);
    struct ledger *ledger =
        mmap(NULL, bytes_of(capacity), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    must(ledger != MAP_FAILED);
    ledger->call_bytes = sizeof(struct call);
    ledger->post_bytes = sizeof(struct post);
    ledger->calls_at = offsetof(struct ledger, calls);
    ledger->capacity = capacity;
    ledger->began = now_ns();
    ledger->seed = seed;
    ledger->region = new_name();
    return ledger;
}

void ledger_close(struct ledger *ledger) {
    must_equal(munmap(ledger, bytes_of(ledger->capacity)), 0);
    (void)close(descriptor);
}

void ledger_path(char path[static 64]) {
    (void)snprintf(path, 64, "/proc/%ld/fd/%d", (long)getpid(), descriptor);
}

/* ---- A caller's side ---- */

bool ledger_has_room(const struct ledger *ledger) {
    uint64_t microseconds = (now_ns() - ledger->began) / NANOSECONDS_A_MICROSECOND;
    return atomic_load(&ledger->next) < microseconds * CALLS_A_SECOND / 1000000;
}

uint64_t ledger_begin(struct ledger *ledger, struct post *post, const struct call *call) {
    uint64_t number = atomic_fetch_add(&ledger->next, 1);
    must(number < ledger->capacity);
    struct call *entry = &ledger->calls[number];
    entry->caller = atomic_load(&post->incarnation);
    entry->process = (uint8_t)(post - ledger->posts);
    entry->way = call->way;
    entry->wish = call->wish;
    entry->timeout_us = call->timeout_us;
    entry->began = now_ns();
    atomic_store(&entry->phase, CALL_BEGUN);
    return number;
}

static uint8_t seen_in(const struct call *entry, bool wrong) {
    unsigned seen = wrong ? SEEN_WRONG_ANSWER : 0;
    if (atomic_load(&entry->started) > 0)
        seen |= SEEN_STARTED;
    if (atomic_load(&entry->finished) > 0)
        seen |= SEEN_FINISHED;
    return (uint8_t)seen;
}

void ledger_end(struct ledger *ledger, struct post *post, uint64_t number, int outcome,
                bool wrong) {
    struct call *entry = &ledger->calls[number];
    entry->seen = seen_in(entry, wrong);
    entry->outcome = outcome;
    entry->ended = now_ns();
    atomic_store(&entry->phase, CALL_ENDED);
    if (outcome == SHMIPC_OK || outcome == SHMIPC_E_HANDLER)
        atomic_fetch_add(&post->answered, 1);
}

void desk_take(struct desk *desk, uint64_t number) {
    atomic_store(&desk->since, now_ns());
    atomic_store(&desk->call, number + 1);
}

void desk_clear(struct desk *desk) {
    atomic_store(&desk->call, 0);
}

/* ---- A handler's side ---- */

struct call *ledger_call(struct ledger *ledger, uint64_t number) {
    bool known = number < ledger->capacity && number < atomic_load(&ledger->next);
    return known ? &ledger->calls[number] : NULL;
}

void ledger_start(struct call *call, const struct post *post) {
    /* First, since a kill between the two would leave a handler of nobody. */
    atomic_store(&call->server, atomic_load(&post->incarnation));
    atomic_fetch_add(&call->started, 1);
    atomic_store(&call->handler_began, now_ns());
}

void ledger_finish(struct call *call, struct post *post) {
    atomic_store(&call->handler_ended, now_ns());
    atomic_fetch_add(&post->served, 1);
    atomic_fetch_add(&call->finished, 1);
}

/* ---- A process's side ---- */

bool post_fault(struct post *post, const char *format, ...) {
    static atomic_flag noted = ATOMIC_FLAG_INIT;
    va_list arguments;
    if (atomic_flag_test_and_set(&noted))
        return false;
    va_start(arguments, format);
    (void)vsnprintf(post->note, NOTE_MAX, format, arguments);
    va_end(arguments);
    atomic_store(&post->faulty, 1);
    return false;
}
