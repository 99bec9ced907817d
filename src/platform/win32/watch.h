/*
 * The processes of the other peers, by handles that are opened from the peer table when somebody
 * sleeps. Every sleep in the region includes them, so that a death ends it.
 */
#ifndef SHMIPC_WIN32_WATCH_H
#define SHMIPC_WIN32_WATCH_H

#include "platform/win32/system.h"
#include "wire/layout.h"

struct watched;

enum { WATCHED_MAX = PEERS - 1 }; /* everybody but oneself */

struct watch {
    SRWLOCK lock;
    struct watched *peers[PEERS];
    atomic_u32 deaths; /* seen so far */
};

/* What one sleep watches. */
struct watch_set {
    uint32_t count;
    struct watched *watched[WATCHED_MAX];
    HANDLE handles[WATCHED_MAX];
};

struct object;

/* Fills the set with the other peers' processes that live, but for this one. False if one was found
   dead. */
bool shmi_watch_begin(struct object *object, struct watch_set *set);

/* `ended`: which of the set's processes has; set->count or above: none. It is not watched again
   until its peer's record shows another process. */
void shmi_watch_end(struct object *object, struct watch_set *set, uint32_t ended);

void shmi_watch_close(struct object *object);

#endif
