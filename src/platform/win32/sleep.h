/*
 * How a thread sleeps: on handles, until a deadline that may be shorter than the system's tick.
 */
#ifndef SHMIPC_WIN32_SLEEP_H
#define SHMIPC_WIN32_SLEEP_H

#include "base/atomic.h"
#include "platform/win32/system.h"

enum { SLEEP_HANDLES_MAX = 16 };

/* Sleeps until one of the handles, at most SLEEP_HANDLES_MAX, is signalled, and returns its index;
   `count` if none was by the deadline (shmi_clock_now). */
DWORD shmi_sleep_on_handles(const HANDLE *handles, DWORD count, uint64_t deadline);

/* Sleeping on a private word of this process: private.c. */
void shmi_private_wait(atomic_u32 *word, uint32_t expected, uint64_t deadline);
uint32_t shmi_private_wake(atomic_u32 *word, uint32_t count);

struct object;

/* One thread of this process at a time, the leader, sleeps at an eventcount; the others that wait
   for the same eventcount are its followers. */
struct leader_queue {
    SRWLOCK lock;
    bool led;
    atomic_u32 turns; /* how many leaders have left; the followers sleep on it */
};

/* Sleeps on the event while the word has the expected value, until a peer dies or the deadline. */
void shmi_event_wait(struct object *object, HANDLE event, const atomic_u32 *word, uint32_t expected,
                     uint64_t deadline);
void shmi_leader_queue_wait(struct object *object, uint32_t eventcount, const atomic_u32 *word,
                            uint32_t expected, uint64_t deadline);

#endif
