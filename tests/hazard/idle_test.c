/* What waiting costs: nothing while idle, and no system call while both sides spin. */
#define _GNU_SOURCE
#include "hazard/peers.h"

#include "platform/platform.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* ---- Counting system calls: the linker hands the library's calls of the platform to us ---- */

static atomic_ullong system_calls;

/* NOLINTBEGIN(bugprone-reserved-identifier): the linker's names */
bool __real_shmi_word_wait(struct object *object, atomic_u32 *word, uint32_t expected,
                           uint64_t deadline, uint32_t home);
bool __wrap_shmi_word_wait(struct object *object, atomic_u32 *word, uint32_t expected,
                           uint64_t deadline, uint32_t home);
bool __wrap_shmi_word_wait(struct object *object, atomic_u32 *word, uint32_t expected,
                           uint64_t deadline, uint32_t home) {
    atomic_fetch_add(&system_calls, 1);
    return __real_shmi_word_wait(object, word, expected, deadline, home);
}

uint32_t __real_shmi_word_wake(struct object *object, atomic_u32 *word, uint32_t count);
uint32_t __wrap_shmi_word_wake(struct object *object, atomic_u32 *word, uint32_t count);
uint32_t __wrap_shmi_word_wake(struct object *object, atomic_u32 *word, uint32_t count) {
    atomic_fetch_add(&system_calls, 1);
    return __real_shmi_word_wake(object, word, count);
}

uint32_t __real_shmi_word_wake_peer(struct object *object, atomic_u32 *word, uint32_t peer);
uint32_t __wrap_shmi_word_wake_peer(struct object *object, atomic_u32 *word, uint32_t peer);
uint32_t __wrap_shmi_word_wake_peer(struct object *object, atomic_u32 *word, uint32_t peer) {
    atomic_fetch_add(&system_calls, 1);
    return __real_shmi_word_wake_peer(object, word, peer);
}

uint32_t __real_shmi_word_wake_home(struct object *object, atomic_u32 *word, uint32_t peer,
                                    uint32_t home);
uint32_t __wrap_shmi_word_wake_home(struct object *object, atomic_u32 *word, uint32_t peer,
                                    uint32_t home);
uint32_t __wrap_shmi_word_wake_home(struct object *object, atomic_u32 *word, uint32_t peer,
                                    uint32_t home) {
    atomic_fetch_add(&system_calls, 1);
    return __real_shmi_word_wake_home(object, word, peer, home);
}

void __real_shmi_cpu_yield(void);
void __wrap_shmi_cpu_yield(void);
void __wrap_shmi_cpu_yield(void) {
    atomic_fetch_add(&system_calls, 1);
    __real_shmi_cpu_yield();
}

bool __real_shmi_peer_is_locked(struct object *object, uint32_t peer);
bool __wrap_shmi_peer_is_locked(struct object *object, uint32_t peer);
bool __wrap_shmi_peer_is_locked(struct object *object, uint32_t peer) {
    atomic_fetch_add(&system_calls, 1);
    return __real_shmi_peer_is_locked(object, peer);
}
/* NOLINTEND(bugprone-reserved-identifier) */

/* ---- While both spin ---- */

/* Answers with the number of system calls its process has made; of the measured batch it stores the
   difference. */
static int count_in_responder(void *context, const shmipc_request *request,
                              shmipc_response *response) {
    atomic_ullong *shared = context;
    (void)request;
    (void)response;
    atomic_store(shared, atomic_load(&system_calls));
    return 0;
}

static unsigned long long calls_of_a_batch(shmipc_peer *caller, const atomic_ullong *shared) {
    const shmipc_request request = {.length = 0};
    must_equal(shmipc_call(caller, &request, NULL, 20 * SECOND), 0);
    unsigned long long before = atomic_load(&system_calls) + atomic_load(shared);
    for (int i = 0; i < 500; i++)
        must_equal(shmipc_call(caller, &request, NULL, 20 * SECOND), 0);
    return atomic_load(&system_calls) + atomic_load(shared) - before;
}

/* Other processes may take the processor away and so make a spinner sleep; in some batch they do
   not. */
static void spinning_needs_no_system_call(bool host_calls) {
    atomic_ullong *shared = shared_memory(sizeof *shared);
    struct scene scene = {.host_calls = host_calls,
                          .handler = count_in_responder,
                          .context = shared,
                          .config = test_host_config()};
    unsigned long long least = 1;
    scene.config.spin_ns = 100000;
    scene_open(&scene);
    for (int i = 0; i < 10000 && least != 0; i++) {
        unsigned long long calls = calls_of_a_batch(scene.caller, shared);
        least = calls < least ? calls : least;
    }
    must_equal(least, 0);
    scene_close(&scene);
    shared_memory_free(shared, sizeof *shared);
}

static void test_while_both_spin_no_call_makes_a_system_call(void **state) {
    (void)state;
    if (shmi_cpu_count() < 2) {
        print_message("             not measured: on one processor nobody spins\n");
        skip();
    }
    spinning_needs_no_system_call(true);
    spinning_needs_no_system_call(false);
}

/* ---- While idle ---- */

struct cost {
    uint64_t ns;
    uint64_t sleeps;
};

static struct cost cost_until_now(void) {
    struct rusage usage;
    must_equal(getrusage(RUSAGE_SELF, &usage), 0);
    return (struct cost){
        .ns = ((uint64_t)usage.ru_utime.tv_sec + (uint64_t)usage.ru_stime.tv_sec) * 1000000000u +
              ((uint64_t)usage.ru_utime.tv_usec + (uint64_t)usage.ru_stime.tv_usec) * 1000u,
        .sleeps = (uint64_t)usage.ru_nvcsw,
    };
}

static struct cost cost_since(struct cost before) {
    struct cost now = cost_until_now();
    return (struct cost){now.ns - before.ns, now.sleeps - before.sleeps};
}

static unsigned count_threads(void) {
    unsigned count = 0;
    DIR *tasks = opendir("/proc/self/task");
    must(tasks != NULL);
    for (struct dirent *entry = readdir(tasks); entry != NULL; entry = readdir(tasks))
        count += entry->d_name[0] != '.';
    (void)closedir(tasks);
    return count;
}

struct idleness {
    struct region_name name;
    uint32_t slots;
    struct gate ready;
    struct gate over;
    struct cost guest;
    struct cost control;
    unsigned guest_threads;
};

static shmipc_host_config idle_config(uint32_t slots) {
    shmipc_host_config config = SHMIPC_HOST_CONFIG_INIT;
    config.host_slots = slots;
    config.guest_slots = slots;
    return config;
}

static void *serve_idly(void *context) {
    (void)shmipc_serve(context, echo_handler, NULL);
    return NULL;
}

static void sleep_seconds(time_t seconds) {
    const struct timespec time = {.tv_sec = seconds};
    nanosleep(&time, NULL);
}

enum { IDLE_SECONDS = 10 };

static int idle_guest(void *context) {
    struct idleness *idleness = context;
    shmipc_peer *guest;
    must_equal(shmipc_guest_attach(idleness->name.text, NULL, 20 * SECOND, &guest), 0);
    pthread_t server = thread_start(serve_idly, guest);
    must_equal(shmipc_ping(guest, 20 * SECOND, NULL), 0);
    gate_pass(&idleness->ready);
    struct cost before = cost_until_now();
    sleep_seconds(IDLE_SECONDS);
    idleness->guest = cost_since(before);
    idleness->guest_threads = count_threads();
    gate_pass(&idleness->over);
    thread_join(server);
    shmipc_free(guest);
    return 0;
}

/* What it costs on this machine to sleep and wake as often as one idle process does. */
static int control(void *context) {
    struct idleness *idleness = context;
    const struct timespec tick = {.tv_nsec = 100000000};
    struct cost before = cost_until_now();
    for (int i = 0; i < 10 * IDLE_SECONDS; i++)
        nanosleep(&tick, NULL);
    idleness->control = cost_since(before);
    return 0;
}

/* Of both processes in ten seconds. */
static struct cost cost_of_idling(struct idleness *idleness) {
    const shmipc_host_config config = idle_config(idleness->slots);
    shmipc_peer *host;
    pid_t guest = child_start(idle_guest, idleness);
    must_equal(shmipc_host_create(idleness->name.text, &config, &host), 0);
    pthread_t server = thread_start(serve_idly, host);
    gate_await(&idleness->ready, 1);
    must_equal(shmipc_ping(host, 20 * SECOND, NULL), 0);
    pid_t sleeper = child_start(control, idleness);
    struct cost before = cost_until_now();
    sleep_seconds(IDLE_SECONDS);
    struct cost cost = cost_since(before);
    must_equal(count_threads(), 2); /* this one and the one that serves */
    gate_await(&idleness->over, 1);
    shmipc_free(host);
    thread_join(server);
    must_equal(child_wait(sleeper), 0);
    must_equal(child_wait(guest), 0);
    must_equal(idleness->guest_threads, 2);
    return (struct cost){cost.ns + idleness->guest.ns, cost.sleeps + idleness->guest.sleeps};
}

/* Each process wakes ten times in the first second, then fewer than six times in each, whatever the
   number of slots, to look for deaths. Where a wake is dear, the whole may cost as much as other
   sleepers' wakes do. */
static void test_64_idle_slots_cost_next_to_nothing(void **state) {
    struct idleness *idleness = shared_memory(sizeof *idleness);
    (void)state;
    *idleness = (struct idleness){.name = new_name(), .slots = 64};
    struct cost cost = cost_of_idling(idleness);
    print_message(
        "             %llu us of processor time in 10 s, %llu sleeps; bare sleeps %llu us\n",
        (unsigned long long)cost.ns / 1000, (unsigned long long)cost.sleeps,
        (unsigned long long)idleness->control.ns / 1000);
    must(cost.sleeps <= (uint64_t)2 * (11 + 6 * IDLE_SECONDS) + 20);
    must(cost.ns < 10 * (uint64_t)MILLISECOND || cost.ns < (uint64_t)6 * idleness->control.ns);
    shared_memory_free(idleness, sizeof *idleness);
}

HAZARD_MAIN("idle", hazard_test(test_while_both_spin_no_call_makes_a_system_call),
            hazard_test(test_64_idle_slots_cost_next_to_nothing))
