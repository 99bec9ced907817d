#include "support/side.h"

#include "peer/peer.h"

#include <stdlib.h>
#include <string.h>

void open_side(struct side *s, bool host_calls, const shmipc_host_config *config) {
    pair_open(&s->pair, config);
    s->caller = host_calls ? s->pair.host : s->pair.guest;
    s->responder = host_calls ? s->pair.guest : s->pair.host;
}

void close_side(struct side *s) {
    pair_close(&s->pair);
}

struct slot *shared_slot(const struct side *s, uint32_t nth) {
    return region_slot(&s->caller->region, s->caller->calls.first + nth);
}

word word_of(const struct side *s, uint32_t nth) {
    return slot_look(shared_slot(s, nth));
}

shmipc_stats stats_of(shmipc_peer *peer) {
    shmipc_stats stats;
    must_equal(shmipc_get_stats(peer, &stats), SHMIPC_OK);
    return stats;
}

void assert_whole_pool_is_free(shmipc_peer *peer) {
    shmipc_slot slots[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(shmipc_slot_claim(peer, 5 * SECOND, &slots[i]), SHMIPC_OK);
    for (int i = 0; i < 2; i++)
        assert_int_equal(shmipc_slot_release(slots[i]), SHMIPC_OK);
}

/* In the slot, if there is one. */
static int call_from(shmipc_peer *peer, const shmipc_slot *slot, const shmipc_request *request,
                     shmipc_response *response) {
    return slot != NULL ? shmipc_slot_call(*slot, request, response, SHMIPC_FOREVER)
                        : shmipc_call(peer, request, response, SHMIPC_FOREVER);
}

void call_and_compare_in(shmipc_peer *peer, const shmipc_slot *slot, size_t length, uint32_t type) {
    uint8_t *data = malloc(length + 1);
    uint8_t *answer = malloc(length + 1);
    must(data != NULL && answer != NULL);
    const shmipc_request request = {.data = data, .length = length, .type = type};
    shmipc_response response = {.data = answer, .capacity = length};
    pattern_fill(data, length, length);
    memset(answer, 0xee, length + 1);
    assert_int_equal(call_from(peer, slot, &request, &response), SHMIPC_OK);
    assert_int_equal(response.length, length);
    assert_int_equal(response.type, type);
    assert_true(pattern_holds(answer, length, length));
    assert_int_equal(answer[length], 0xee);
    free(data);
    free(answer);
}

void call_and_compare(shmipc_peer *peer, size_t length, uint32_t type) {
    call_and_compare_in(peer, NULL, length, type);
}

int failing_handler(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)context;
    return shmipc_fail(response, "no such key: %.*s", (int)request->length,
                       (const char *)request->data);
}

void assert_stale(shmipc_slot slot) {
    shmipc_response response;
    size_t capacity = 17;
    assert_null(shmipc_slot_buffer(slot, &capacity));
    assert_int_equal(capacity, 17);
    assert_int_equal(shmipc_slot_send(slot, 0, 0, 0), SHMIPC_E_STALE);
    assert_int_equal(shmipc_slot_call(slot, &(shmipc_request){.type = 0}, NULL, 0), SHMIPC_E_STALE);
    assert_int_equal(shmipc_slot_ready(slot), SHMIPC_E_STALE);
    assert_int_equal(shmipc_slot_receive(slot, 0, &response), SHMIPC_E_STALE);
    assert_int_equal(shmipc_slot_cancel(slot), SHMIPC_E_STALE);
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_E_STALE);
}

void store_word(struct slot *slot, word w) {
    exchange_seq_cst64(&slot->word, w);
}
