/*
 * What the tests share: regions with names of their own, peers in threads and in child processes,
 * a watchdog, patterned payloads, and counts of what a process holds.
 */
#ifndef SHMIPC_TESTS_FIXTURE_H
#define SHMIPC_TESTS_FIXTURE_H

#include "shmipc/shmipc.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* cmocka's header needs these before it. */
#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

/* ---- Checks for any thread and process; cmocka's own are for the test's first thread ---- */

/* Ends the process with a message if the condition does not hold. */
#define must(condition)                                                                            \
    ((condition) ? (void)0 : fixture_die(__FILE__, __LINE__, "not true: " #condition))
#define must_equal(actual, expected)                                                               \
    fixture_equal(__FILE__, __LINE__, #actual, (long long)(actual), (long long)(expected))

_Noreturn void fixture_die(const char *file, int line, const char *text);
void fixture_equal(const char *file, int line, const char *what, long long actual,
                   long long expected);

/* ---- Time ---- */

#define MILLISECOND INT64_C(1000000)
#define SECOND INT64_C(1000000000)

uint64_t now_ns(void);

/* Repeats until the condition holds; a condition that never does ends in the watchdog. */
#define eventually(condition)                                                                      \
    do {                                                                                           \
        while (!(condition))                                                                       \
            pause_briefly();                                                                       \
    } while (0)

void pause_briefly(void);

/* Ends the process, with `what` in the message, unless it is stopped or set again in time. */
void watchdog_start(const char *what, unsigned seconds);
void watchdog_stop(void);

/* As setup and teardown of a test: the watchdog, and a check that no region of ours is left. */
int watched_setup(void **state);
int watched_teardown(void **state);
#define watched_test(test) cmocka_unit_test_setup_teardown(test, watched_setup, watched_teardown)

/* ---- Regions ---- */

struct region_name {
    char text[64];
};

/* Another one at every call; all of one process begin alike. */
struct region_name new_name(void);
void name_prefix(char prefix[static 48]);

/* Linux: /dev/shm/shmipc.NAME */
void path_of(const char *name, char path[static 256]);

/* Puts an object of this size in a region's place, its first 64 bytes as given and the rest zero;
   false if this system cannot. */
bool plant_object(const char *name, const uint8_t header[static 64], uint64_t size);
void remove_planted(const char *name);

/* Small and crooked, so that mistakes show: 2 host and 2 guest slots, capacities 1000 and 500, and
   waits that do not spin. */
shmipc_host_config test_host_config(void);
shmipc_guest_config test_guest_config(void);

/* A host and a guest of one region, both in this process. */
struct pair {
    struct region_name name;
    shmipc_peer *host;
    shmipc_peer *guest;
};

/* `config` NULL: test_host_config. */
void pair_open(struct pair *pair, const shmipc_host_config *config);
void pair_close(struct pair *pair);

/* Claiming must succeed within the time-out, and releasing. */
shmipc_slot must_claim(shmipc_peer *peer, int64_t timeout);
void must_release(shmipc_slot slot);

/* ---- Threads ---- */

pthread_t thread_start(void *(*body)(void *), void *context);
void thread_join(pthread_t thread);

/* A thread that serves until it is stopped, or until shmipc_serve says something but WOKEN. */
struct server {
    pthread_t thread;
    shmipc_peer *peer;
    shmipc_handler handler;
    void *context;
    atomic_bool stopping;
    atomic_bool done;
    int result; /* of shmipc_serve; valid when joined */
};

void server_start(struct server *server, shmipc_peer *peer, shmipc_handler handler, void *context);
int server_stop(struct server *server); /* by shmipc_wake; returns the result */
int server_join(struct server *server); /* when something else ends it */

/* Answers with the request's bytes and type. */
int echo_handler(void *context, const shmipc_request *request, shmipc_response *response);

/* A thread that makes one call without bytes. */
struct call_thread {
    pthread_t thread;
    shmipc_peer *peer;
    int64_t timeout;
    int result; /* of shmipc_call; valid when joined */
};

void call_start(struct call_thread *call_thread, shmipc_peer *peer, int64_t timeout);
int call_join(struct call_thread *call_thread);

/* ---- Child processes, on Linux; for other systems, and other programs, see processes.h ---- */

/* Runs `body` in a child that dies with its parent; its result is the exit status. */
pid_t child_start(int (*body)(void *context), void *context);
int child_wait(pid_t child);  /* the exit status, or 128 + the signal that ended it */
void child_kill(pid_t child); /* SIGKILL, and reaps it */

/* Zeroed memory that this process shares with the children it starts later. */
void *shared_memory(size_t size);
void shared_memory_free(void *memory, size_t size);

/* Whether the tests run under the address sanitizer. */
#if defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZED 1
#elif defined(__has_feature)
#define ADDRESS_SANITIZED __has_feature(address_sanitizer)
#else
#define ADDRESS_SANITIZED 0
#endif

/* ---- Gates ---- */

/* A counter on which processes and threads wait for each other. */
struct gate {
    atomic_uint passed;
};
void gate_pass(struct gate *gate);                        /* adds 1 */
void gate_await(const struct gate *gate, unsigned count); /* until it is at least `count` */

/* A handler that tells when it runs, then stays until it may go, and echoes. */
struct gated {
    struct gate entered;
    struct gate leave;
};

int gated_handler(void *context, const shmipc_request *request, shmipc_response *response);

/* ---- Payloads ---- */

/* Bytes that depend on the seed and on their position. */
void pattern_fill(void *data, size_t length, uint64_t seed);
bool pattern_holds(const void *data, size_t length, uint64_t seed);

/* ---- What this process holds ---- */

int count_descriptors(void); /* or handles */
int count_mappings(void);    /* of regions; 0 where they cannot be told */
int count_regions(void);     /* of names that new_name made here, and that outlive their users */

#endif
