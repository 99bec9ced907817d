/*
 * docs/examples/minimal_guest as a program, and a host for it. In the environment MINIMAL_GUEST
 * names another program to test, and MINIMAL_GUEST_PATIENCE the seconds within which things must
 * happen: minimal_guest_mutants.sh has guests that are wrong.
 */
#ifndef SHMIPC_TESTS_GUEST_PROGRAM_H
#define SHMIPC_TESTS_GUEST_PROGRAM_H

#include "hazard/peers.h"
#include "support/processes.h"

#include "region/slot.h"

/* Its exit statuses: see minimal_guest.c. */
enum {
    STATUS_STOPPED = 0,
    STATUS_CALL_FAILED = 1,
    STATUS_NO_REGION = 2,
    STATUS_HOST_LEFT = 3,
    STATUS_HOST_DIED = 4,
    STATUS_CORRUPT = 5
};

enum { CAPACITY = 1024, RESPONSE_CAPACITY = 512 };

/* In nanoseconds. */
int64_t patience(void);

/* Like eventually, but fails when it takes too long. */
#define in_time(condition)                                                                         \
    do {                                                                                           \
        const uint64_t latest = now_ns() + (uint64_t)patience();                                   \
        eventually((condition) || now_ns() > latest);                                              \
        must(now_ns() <= latest);                                                                  \
    } while (0)

/* With `text`, unless it is NULL, the guest only calls. */
struct process start_guest(const char *region, const char *text);

/* As process_wait. */
int end_of(struct process guest);

/* A host that serves, and its guests. */
struct scenery {
    struct region_name name;
    shmipc_peer *host;
    struct server server;
    atomic_uint from_only_calls; /* requests with that text */
};

static const char only_calls[] = "a guest that only calls";

/* Echoes; answers a single byte so late that the waiting caller sleeps. */
int host_handler(void *context, const shmipc_request *request, shmipc_response *response);
void open_host(struct scenery *s, const shmipc_host_config *config);
void open_scenery(struct scenery *s, uint32_t request_capacity, uint32_t response_capacity);
void close_scenery(struct scenery *s);

int call(shmipc_peer *host, uint32_t type, const void *data, size_t length,
         shmipc_response *response);

/* Calls with so many bytes, and checks that they come back. */
void echo(shmipc_peer *host, uint32_t type, size_t length);

/* The region as the test sees it, beside the library. */
struct view {
    struct region_layout *shared;
    size_t size;
};

struct view view_open(const char *name);
struct slot *slot_of(const struct view *view, uint32_t number);

/* How many of `slots` from `first` on are in the state. */
unsigned slots_in(const struct view *view, uint32_t first, uint32_t slots, enum slot_state state);

#endif
