/*
 * Waits are woken when they should be. A lost wake-up would be made good by the sleeper's own look
 * around after 100 ms, so it is the time of each call that is checked.
 */
#define _GNU_SOURCE
#include "hazard/peers.h"

#include "platform/linux/futex.h"
#include "wire/layout.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define TICK (100 * (uint64_t)MILLISECOND)

static int answer_empty(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)context;
    (void)request;
    (void)response;
    return 0;
}

static void sleep_ms(long ms) {
    const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

/* ---- Parking against publishing ---- */

static int answer_after_a_while(void *context, const shmipc_request *request,
                                shmipc_response *response) {
    (void)context;
    (void)request;
    (void)response;
    dawdle(30000);
    return 0;
}

struct contention {
    shmipc_peer *peer;
    unsigned rounds;
    unsigned slow;
};

static void *call_against_sleepers(void *context) {
    struct contention *contention = context;
    for (unsigned i = 0; i < contention->rounds; i++) {
        uint64_t begin = now_ns();
        must_equal(call_empty(contention->peer, 60 * SECOND), 0);
        contention->slow += now_ns() - begin >= TICK - TICK / 10;
        dawdle(60000);
    }
    return NULL;
}

/* Both sides sleep at once and are woken at once: callers for answers and for slots, workers for
   requests. A machine that stops a thread for a tick does so rarely; lost wake-ups are many. */
static void no_wake_is_lost(bool host_calls, unsigned callers, uint32_t slots) {
    struct scene scene = {.host_calls = host_calls,
                          .workers = 2,
                          .handler = answer_after_a_while,
                          .config = test_host_config()};
    struct contention contention[8];
    pthread_t threads[8];
    unsigned rounds = scaled(6000) / callers;
    unsigned slow = 0;
    scene.config.host_slots = slots;
    scene.config.guest_slots = slots;
    scene_open(&scene);
    for (unsigned i = 0; i < callers; i++) {
        contention[i] = (struct contention){.peer = scene.caller, .rounds = rounds};
        threads[i] = thread_start(call_against_sleepers, &contention[i]);
    }
    for (unsigned i = 0; i < callers; i++) {
        thread_join(threads[i]);
        slow += contention[i].slow;
    }
    print_message("             %s, %u callers, %u slots: %u slow calls\n",
                  direction_name(host_calls), callers, slots, slow);
    must(slow <= 2 * callers);
    scene_close(&scene);
}

static void test_no_wake_is_lost_between_parking_and_publishing(void **state) {
    (void)state;
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        no_wake_is_lost(host_calls, 1, 1);
        no_wake_is_lost(host_calls, 2, 2);
        no_wake_is_lost(host_calls, 8, 2);
    }
}

/* ---- Idle for a second ---- */

/* Every public way to wait. Each body waits once and returns. */
struct idle {
    struct pair pair;
    struct gate begun;
    shmipc_slot slot;
    _Atomic uint64_t woken_at;
};

static void *idle_serve(void *context) {
    struct idle *idle = context;
    gate_pass(&idle->begun);
    must_equal(shmipc_serve(idle->pair.guest, answer_empty, NULL), SHMIPC_E_WOKEN);
    return NULL;
}

static void *idle_wait(void *context) {
    struct idle *idle = context;
    gate_pass(&idle->begun);
    must_equal(shmipc_wait(idle->pair.guest, SHMIPC_FOREVER), 0);
    idle->woken_at = now_ns();
    must_equal(shmipc_poll(idle->pair.guest, answer_empty, NULL), 1);
    return NULL;
}

static void *idle_call(void *context) {
    struct idle *idle = context;
    gate_pass(&idle->begun);
    must_equal(call_empty(idle->pair.host, SHMIPC_FOREVER), 0);
    idle->woken_at = now_ns();
    return NULL;
}

static void *idle_receive(void *context) {
    struct idle *idle = context;
    shmipc_response view;
    shmipc_slot slot;
    must_equal(shmipc_slot_claim(idle->pair.host, SECOND, &slot), 0);
    must_equal(shmipc_slot_send(slot, 0, 0, 0), 0);
    gate_pass(&idle->begun);
    must_equal(shmipc_slot_receive(slot, SHMIPC_FOREVER, &view), 0);
    idle->woken_at = now_ns();
    must_equal(shmipc_slot_release(slot), 0);
    return NULL;
}

static void *idle_claim_of_host(void *context) {
    struct idle *idle = context;
    shmipc_slot slot;
    gate_pass(&idle->begun);
    must_equal(shmipc_slot_claim(idle->pair.host, SHMIPC_FOREVER, &slot), 0);
    idle->woken_at = now_ns();
    must_equal(shmipc_slot_release(slot), 0);
    return NULL;
}

static void *idle_claim_of_guest(void *context) {
    struct idle *idle = context;
    shmipc_slot slot;
    gate_pass(&idle->begun);
    must_equal(shmipc_slot_claim(idle->pair.guest, SHMIPC_FOREVER, &slot), 0);
    idle->woken_at = now_ns();
    must_equal(shmipc_slot_release(slot), 0);
    return NULL;
}

static void *idle_event(void *context) {
    struct idle *idle = context;
    shmipc_event event;
    must_equal(shmipc_next_event(idle->pair.host, SECOND, &event), 0);
    gate_pass(&idle->begun);
    must_equal(shmipc_next_event(idle->pair.host, SHMIPC_FOREVER, &event), 0);
    idle->woken_at = now_ns();
    return NULL;
}

static void *idle_wait_guests(void *context) {
    struct idle *idle = context;
    gate_pass(&idle->begun);
    must_equal(shmipc_wait_guests(idle->pair.host, 2, SHMIPC_FOREVER), 0);
    idle->woken_at = now_ns();
    return NULL;
}

/* These end the waits. */
static void by_a_call(struct idle *idle) {
    must_equal(call_empty(idle->pair.host, 20 * SECOND), 0);
}

static void by_a_call_and_a_wake(struct idle *idle) {
    by_a_call(idle);
    idle->woken_at = now_ns();
    must_equal(shmipc_wake(idle->pair.guest), 0);
}

static void by_serving_one(struct idle *idle) {
    eventually(shmipc_poll(idle->pair.guest, answer_empty, NULL) == 1);
}

static void by_a_release(struct idle *idle) {
    must_equal(shmipc_slot_release(idle->slot), 0);
}

static void by_another_guest(struct idle *idle) {
    shmipc_peer *guest;
    must_equal(shmipc_guest_attach(idle->pair.name.text, NULL, SECOND, &guest), 0);
    eventually(idle->woken_at != 0);
    shmipc_free(guest);
}

static void hold_no_slot(struct idle *idle) {
    (void)idle;
}

static void hold_the_hosts_slot(struct idle *idle) {
    must_equal(shmipc_slot_claim(idle->pair.host, SECOND, &idle->slot), 0);
}

static void hold_the_guests_slot(struct idle *idle) {
    must_equal(shmipc_slot_claim(idle->pair.guest, SECOND, &idle->slot), 0);
}

struct idle_way {
    const char *name;
    void (*prepare)(struct idle *idle);
    void *(*wait)(void *idle);
    void (*end)(struct idle *idle);
};

static uint64_t time_to_wake(const struct idle_way *way) {
    shmipc_host_config config = test_host_config();
    struct idle idle = {.woken_at = 0};
    config.host_slots = 1;
    config.guest_slots = 1;
    pair_open(&idle.pair, &config);
    way->prepare(&idle);
    pthread_t thread = thread_start(way->wait, &idle);
    gate_await(&idle.begun, 1);
    sleep_ms(1000);
    uint64_t begin = now_ns();
    way->end(&idle);
    thread_join(thread);
    pair_close(&idle.pair);
    return idle.woken_at - begin;
}

static void wakes_at_once(const struct idle_way *way) {
    uint64_t best = UINT64_MAX;
    for (int i = 0; i < 4 && best > 10 * (uint64_t)MILLISECOND; i++) {
        uint64_t took = time_to_wake(way);
        best = took < best ? took : best;
    }
    print_message("             %s: %llu us\n", way->name, (unsigned long long)best / 1000);
    must(best <= 10 * (uint64_t)MILLISECOND);
}

static void test_every_way_to_wait_wakes_after_an_idle_second(void **state) {
    static const struct idle_way ways[] = {
        {"serve", hold_no_slot, idle_serve, by_a_call_and_a_wake},
        {"wait and poll", hold_no_slot, idle_wait, by_a_call},
        {"call", hold_no_slot, idle_call, by_serving_one},
        {"slot_receive", hold_no_slot, idle_receive, by_serving_one},
        {"slot_claim of a host", hold_the_hosts_slot, idle_claim_of_host, by_a_release},
        {"slot_claim of a guest", hold_the_guests_slot, idle_claim_of_guest, by_a_release},
        {"next_event", hold_no_slot, idle_event, by_another_guest},
        {"wait_guests", hold_no_slot, idle_wait_guests, by_another_guest},
    };
    (void)state;
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
        wakes_at_once(&ways[i]);
}

/* ---- Spurious wakes ---- */

struct nuisance {
    struct region_name name;
    size_t size;
    struct gate over;
};

/* Spuriously notifies the eventcounts and wakes every word that a thread may sleep on. */
static int wake_everybody(void *context) {
    const struct nuisance *nuisance = context;
    char path[256];
    path_of(nuisance->name.text, path);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    must(fd >= 0);
    uint8_t *bytes = mmap(NULL, nuisance->size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    must(bytes != MAP_FAILED);
    struct region_layout *layout = (void *)bytes;
    uint32_t stride = layout->header.slot_stride;
    while (atomic_load(&nuisance->over.passed) == 0) {
        for (int i = 0; i < EVENTCOUNTS; i++) {
            add_seq_cst32(&layout->eventcounts[i].eventcount.generation, 1);
            (void)syscall(SYS_futex, &layout->eventcounts[i].eventcount.generation, FUTEX_WAKE,
                          INT_MAX, NULL, NULL, 0);
        }
        for (size_t at = SLOTS_OFFSET; at < nuisance->size; at += stride)
            (void)syscall(SYS_futex, bytes + at, FUTEX_WAKE, INT_MAX, NULL, NULL, 0);
        dawdle(50000);
    }
    return 0;
}

static void wakes_for_nothing_do_no_harm(bool host_calls) {
    struct nuisance *nuisance = shared_memory(sizeof *nuisance);
    struct scene scene = {.host_calls = host_calls, .workers = 2, .handler = echo_handler};
    shmipc_info info;
    scene_open(&scene);
    must_equal(shmipc_get_info(scene.caller, &info), 0);
    nuisance->name = scene.name;
    nuisance->size = info.region_size;
    pid_t child = child_start(wake_everybody, nuisance);
    for (unsigned i = 0; i < scaled(3000); i++) {
        uint8_t answer[400];
        uint8_t question[400];
        const shmipc_request request = {.data = question, .length = i % 400};
        shmipc_response response = {.data = answer, .capacity = sizeof answer};
        pattern_fill(question, request.length, i);
        must_equal(shmipc_call(scene.caller, &request, &response, 60 * SECOND), 0);
        must_equal(response.length, request.length);
        must(pattern_holds(answer, response.length, i));
    }
    must_equal(shmipc_wait(scene.caller, 5 * MILLISECOND), SHMIPC_E_TIMEOUT);
    gate_pass(&nuisance->over);
    must_equal(child_wait(child), 0);
    scene_close(&scene);
    shared_memory_free(nuisance, sizeof *nuisance);
}

static void test_wakes_for_nothing_are_no_answers(void **state) {
    (void)state;
    wakes_for_nothing_do_no_harm(true);
    wakes_for_nothing_do_no_harm(false);
}

/* ---- Bursts ---- */

static void *call_in_burst(void *context) {
    must_equal(call_empty(context, 60 * SECOND), 0);
    return NULL;
}

static void burst(bool host_calls) {
    enum { BURST = 200 }; /* 100 times the slots */
    struct scene scene = {.host_calls = host_calls, .workers = 1, .handler = answer_after_a_while};
    pthread_t threads[BURST];
    scene_open(&scene);
    must_equal(calling_slots(scene.caller), BURST / 100);
    for (int i = 0; i < BURST; i++)
        threads[i] = thread_start(call_in_burst, scene.caller);
    for (int i = 0; i < BURST; i++)
        thread_join(threads[i]);
    scene_close(&scene);
}

static void test_a_burst_of_a_hundred_times_the_slots_succeeds(void **state) {
    (void)state;
    burst(true);
    burst(false);
}

HAZARD_MAIN("waiting", hazard_test(test_no_wake_is_lost_between_parking_and_publishing),
            hazard_test(test_every_way_to_wait_wakes_after_an_idle_second),
            hazard_test(test_wakes_for_nothing_are_no_answers),
            hazard_test(test_a_burst_of_a_hundred_times_the_slots_succeeds))
