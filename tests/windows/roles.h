/*
 * What the tests of this directory share: the test program plays parts in processes of its own, and
 * parts meet at gates in a section that all have.
 */
#ifndef SHMIPC_TESTS_ROLES_H
#define SHMIPC_TESTS_ROLES_H

#include "support/fixture.h"
#include "support/processes.h"

enum { GATES = 8 };

/* The memory that all parts of one test share. */
struct stage {
    struct gate gates[GATES];
};

struct role {
    const char *name;
    int (*play)(const char *region, struct stage *stage);
};

/* If the arguments say so, plays a role and does not come back. First of all in main. */
void play_role_if_asked(int argc, char **argv, const struct role *roles);

/* The stage of a region's name, made if it is not there yet. */
struct stage *stage_open(const char *region);
void stage_close(struct stage *stage);

/* A peer of the region, with the fixture's settings. */
shmipc_peer *attach(const char *region);
shmipc_peer *create(const char *region);

struct process role_start(const char *role, const char *region);
void role_kill(struct process process); /* and waits for its end */

#endif
