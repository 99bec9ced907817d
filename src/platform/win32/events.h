/*
 * The named events that threads sleep on, opened at their first use and kept. An event belongs to a
 * wait key: a slot's word, or one peer at one eventcount.
 */
#ifndef SHMIPC_WIN32_EVENTS_H
#define SHMIPC_WIN32_EVENTS_H

#include "platform/win32/system.h"
#include "wire/layout.h"

/* Numbers of eventcounts: the region's, then a peer's own eventcount for answers. */
enum { EVENTCOUNT_ANSWERS = EVENTCOUNTS, EVENTCOUNTS_TO_SLEEP_ON = EVENTCOUNTS + 1 };

struct wait_key {
    bool is_slot;
    uint32_t number; /* of the slot or eventcount */
    uint32_t peer;   /* that sleeps at the eventcount */
};

/* Handles as numbers, 0 where none was opened. */
struct events {
    atomic_u64 *slots;
    atomic_u64 eventcounts[EVENTCOUNTS_TO_SLEEP_ON][PEERS];
};

struct object;

/* Finds the key of `word`. An eventcount's key has no peer yet, except for answers, on which only
   one peer sleeps. False if no thread ever sleeps on the word. */
bool shmi_wait_key_of(const struct object *object, const atomic_u32 *word, struct wait_key *key);

/* Makes room for the geometry's slots. */
int shmi_events_prepare(struct object *object);

/* The event of a key, created if no thread has slept there yet; NULL on failure. */
HANDLE shmi_event_to_sleep_on(struct object *object, struct wait_key key);

/* Sets the event of a key. False if there is none, since no thread ever slept there. */
bool shmi_event_set(struct object *object, struct wait_key key);

void shmi_events_close(struct object *object);

#endif
