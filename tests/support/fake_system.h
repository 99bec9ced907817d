/*
 * A system of the test's own: its clock, sleep, yield and number of processors stand in place of
 * the real ones. A sleep ends at its deadline at once, by moving the clock. A test linked with
 * fake_system.c needs the options of shmipc_fake_system() in CMakeLists.txt.
 */
#ifndef SHMIPC_TESTS_FAKE_SYSTEM_H
#define SHMIPC_TESTS_FAKE_SYSTEM_H

#include <shmipc/shmipc.h>

#include <stdint.h>

struct fake_system {
    uint64_t now;
    uint64_t per_look; /* the clock advances by this with every look */
    uint32_t processors;
    uint32_t looks;
    uint32_t yields;
    uint32_t sleeps;
    uint64_t longest;      /* sleep */
    uint32_t wake_instead; /* this many sleeps end at once, for no reason */
    shmipc_peer *answerer; /* answers while others yield */
    void (*during_sleep)(void);
    uint64_t until; /* the deadline of the sleep under way */
};

extern struct fake_system fake;

/* A test's setup: another system, and the watchdog. */
int fake_system(void **state);

#endif
