/* The alignment of messages, in the request buffer and in the response buffer. */
#include "support/fixture.h"
#include "support/side.h"

#include "peer/peer.h"
#include "region/slot.h"

static bool aligned(const void *data, size_t alignment) {
    return (uintptr_t)data % alignment == 0;
}

/* A message that was sent with SHMIPC_ALIGN_END ends aligned; any other begins aligned. */
static void must_be_aligned(const uint8_t *data, size_t length, uint32_t flags) {
    if (flags & SHMIPC_ALIGN_END)
        must(aligned(data + length, 64));
    else if (length > SHMIPC_INLINE || (length % 64 == 0 && length != 0))
        must(aligned(data, 64));
    else
        must(aligned(data, length % 32 == 0 && length != 0 ? 32 : 16));
}

struct shape {
    size_t length;
    uint32_t flags;
};

/* Builds an answer like the request that it checks. */
static int shape_handler(void *context, const shmipc_request *request, shmipc_response *response) {
    const struct shape *shape = context;
    must(aligned(response->data, 64) && response->capacity % 64 == 0);
    must_be_aligned(request->data, request->length, shape->flags);
    must(pattern_holds(request->data, request->length, 1));
    bool at_end = (shape->flags & SHMIPC_ALIGN_END) != 0;
    uint8_t *to = (uint8_t *)response->data + (at_end ? response->capacity - shape->length : 0);
    pattern_fill(to, shape->length, 2);
    response->length = shape->length;
    response->flags = shape->flags;
    return 0;
}

static void exchange_in_place(struct side *s, shmipc_slot slot, const struct shape *shape) {
    size_t capacity;
    shmipc_response response;
    uint8_t *buffer = shmipc_slot_buffer(slot, &capacity);
    must(aligned(buffer, 64) && aligned(buffer + capacity, 64));
    uint8_t *at = (shape->flags & SHMIPC_ALIGN_END) ? buffer + capacity - shape->length : buffer;
    pattern_fill(at, shape->length, 1);
    must_equal(shmipc_slot_send(slot, 0, shape->length, shape->flags), SHMIPC_OK);
    must_equal(shmipc_poll(s->responder, shape_handler, (void *)shape), 1);
    must_equal(shmipc_slot_receive(slot, 5 * SECOND, &response), SHMIPC_OK);
    must_equal(response.length, shape->length);
    must_be_aligned(response.data, shape->length, shape->flags);
    must(pattern_holds(response.data, shape->length, 2));
}

static void messages_are_aligned_as_promised(void **state) {
    (void)state;
    const uint32_t capacities[] = {1, 8, 63, 100, 130, 500, 1000};
    for (int host_calls = 0; host_calls < 2; host_calls++) {
        for (size_t i = 0; i < sizeof capacities / sizeof *capacities; i++) {
            shmipc_host_config config = test_host_config();
            struct side s;
            config.request_capacity = config.response_capacity = capacities[i];
            open_side(&s, host_calls, &config);
            shmipc_slot slot = must_claim(s.caller, SHMIPC_FOREVER);
            for (size_t length = 0; length <= capacities[i]; length++) {
                exchange_in_place(&s, slot, &(struct shape){length, 0});
                exchange_in_place(&s, slot, &(struct shape){length, SHMIPC_ALIGN_END});
            }
            must_equal(shmipc_slot_release(slot), SHMIPC_OK);
            close_side(&s);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(messages_are_aligned_as_promised),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
