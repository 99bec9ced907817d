/*
 * A host and a guest in this process, of which one calls and the other one serves: the same test
 * runs in both directions.
 */
#ifndef SHMIPC_TESTS_SIDE_H
#define SHMIPC_TESTS_SIDE_H

#include "support/fixture.h"

#include "region/slot.h"

struct side {
    struct pair pair;
    shmipc_peer *caller;
    shmipc_peer *responder;
};

void open_side(struct side *s, bool host_calls, const shmipc_host_config *config);
void close_side(struct side *s);

/* The caller's slots, from 0 on, and their words. */
struct slot *shared_slot(const struct side *s, uint32_t nth);
word word_of(const struct side *s, uint32_t nth);
shmipc_stats stats_of(shmipc_peer *peer);

/* After any of these tests every slot can be claimed again. */
void assert_whole_pool_is_free(shmipc_peer *peer);

/* Calls an echo handler, in the slot if there is one, and checks the answer. */
void call_and_compare_in(shmipc_peer *peer, const shmipc_slot *slot, size_t length, uint32_t type);
void call_and_compare(shmipc_peer *peer, size_t length, uint32_t type);

/* Fails with a message about the request. */
int failing_handler(void *context, const shmipc_request *request, shmipc_response *response);

/* No function accepts the handle. */
void assert_stale(shmipc_slot slot);
void store_word(struct slot *slot, word w);

#endif
