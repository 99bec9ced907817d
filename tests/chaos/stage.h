/*
 * A scene: the director starts a host and its guests, does to them what the plan says, watches that
 * they go on, and in the end judges every call that there was. The processes are its children; the
 * director itself is no peer.
 */
#ifndef SHMIPC_TESTS_CHAOS_STAGE_H
#define SHMIPC_TESTS_CHAOS_STAGE_H

#include "chaos/ledger.h"

enum language { IN_C, IN_GO };

enum { GUESTS_MAX = POSTS - 1 };

struct scene {
    const char *title;
    unsigned guests;
    enum language languages[GUESTS_MAX];
    bool hosts; /* are killed and leave too */
};

/* The whole of it. A failure is reported, with everything that helps to find its cause, and fails
   the test. */
void scene_play(const struct scene *scene, unsigned seconds, uint64_t seed);

#endif
