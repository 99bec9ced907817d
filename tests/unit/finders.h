/*
 * What the tests of a finder share: hosts, names, and what a finder finds.
 */
#ifndef SHMIPC_TESTS_FINDERS_H
#define SHMIPC_TESTS_FINDERS_H

#include "support/fixture.h"

/* ---- Hosts, and names ---- */

struct long_name {
    char text[128];
};

struct long_name named(const struct region_name *base, const char *ending);

shmipc_peer *host(const char *name);

/* Of a host that was killed. */
void leave_dead_region(const char *name);

/* The file stays the same, as no host's does. */
void move_away(const char *name, const char *to);

/* ---- A finder ---- */

shmipc_finder *finder(const char *prefix);

/* shmipc_finder_next, without the name. */
int next(shmipc_finder *f);

/* Waits up to `timeout` ns for the finder's descriptor. */
bool is_ready(shmipc_finder *f, int64_t timeout);

/* The next region, as a loop finds it: the descriptor says when. */
void finds(shmipc_finder *f, const char *expected);

/* Calls until the descriptor is not ready, as other tests' files may be reported; each call must
   give `result`. */
void answers(shmipc_finder *f, int result);
void finds_nothing(shmipc_finder *f);

/* This process's lowest descriptor of a kind, such as "anon_inode:inotify"; -1 without one. */
int held(const char *kind);

#endif
