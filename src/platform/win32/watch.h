/*
 * Handles of the other peers' processes, opened by the ids in the peer table when a thread sleeps.
 * Every sleep in the region includes these handles, so that a death ends it.
 */
#ifndef SHMIPC_WIN32_WATCH_H
#define SHMIPC_WIN32_WATCH_H

#include "platform/win32/system.h"
#include "wire/layout.h"

struct watched;

enum { WATCHED_MAX = PEERS - 1 }; /* all but this one */

struct watch {
    SRWLOCK lock;
    struct watched *peers[PEERS];
    atomic_u32 deaths; /* seen so far */
};

/* The processes that one sleep watches. */
struct watch_set {
    uint32_t count;
    struct watched *watched[WATCHED_MAX];
    HANDLE handles[WATCHED_MAX];
};

struct object;

/* Fills the set with the live processes of the other peers, without this process. False if one was
   found dead. */
bool shmi_watch_begin(struct object *object, struct watch_set *set);

/* `ended`: the index in the set of the process that has ended; set->count or above: none. An ended
   process is not watched again until its peer's record shows another process. */
void shmi_watch_end(struct object *object, struct watch_set *set, uint32_t ended);

void shmi_watch_close(struct object *object);

#endif
