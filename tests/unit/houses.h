/*
 * Two slots with homes, and a worker of the peer that serves them, whose steps the test takes.
 * Linked with the fake system, and with --wrap for shmi_word_wake_home.
 */
#ifndef SHMIPC_TESTS_HOUSES_H
#define SHMIPC_TESTS_HOUSES_H

#include "support/fixture.h"

#include "serve/home.h"

enum { LONG = SHMIPC_TYPE_APPLICATION, SHORT }; /* message types */
enum { LONG_NS = 100000 };

#define ANOTHER_PEER (UINT32_C(1) << 15) /* its bit */

/* Of a sleeper at home, the last one that was asked for. */
extern struct asked_for { uint32_t peer, home; } asked_for;

struct houses {
    struct pair pair;
    shmipc_peer *caller;
    shmipc_peer *peer;
    shmipc_slot slots[2];
    struct worker worker;
};

void open_houses(struct houses *h, bool host_calls);
void close_houses(struct houses *h);

/* How many workers keep the slot. */
atomic_u32 *keepers_of(const struct houses *h, uint32_t slot);

/* Another worker that is at home there. */
void play_keeper(const struct houses *h, uint32_t slot);

void send_to(const struct houses *h, uint32_t slot, uint32_t type);

/* Without a notification, which shmipc_slot_ready might make. */
bool is_answered(const struct houses *h, uint32_t slot);

/* False if there is no answer yet. */
bool receive_from(const struct houses *h, uint32_t slot);

/* A worker that is at home in slot 0, and has run a long handler. */
void begin_at_home(struct houses *h);

#endif
