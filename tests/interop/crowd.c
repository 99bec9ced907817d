#include "crowd.h"

#include "support/fixture.h"

struct caller {
    pthread_t thread;
    shmipc_peer *guest;
    uint32_t number;
};

static int hold_and_call(shmipc_peer *guest, const shmipc_request *request,
                         shmipc_response *response) {
    shmipc_slot slot;
    int error = shmipc_slot_claim(guest, CROWD_PATIENCE, &slot);
    if (error)
        return error;
    const uint64_t until = now_ns() + CROWD_HOLDS;
    while (now_ns() < until)
        continue;
    error = shmipc_slot_call(slot, request, response, CROWD_PATIENCE);
    (void)shmipc_slot_release(slot);
    return error;
}

static void *call_until_all_have(void *context) {
    const struct caller *caller = context;
    const shmipc_request request = {
        .data = &caller->number, .length = sizeof caller->number, .type = HOST_COUNT};
    uint8_t all_have = 0;
    while (!all_have) {
        shmipc_response response = {.data = &all_have, .capacity = sizeof all_have};
        if (hold_and_call(caller->guest, &request, &response) != SHMIPC_OK)
            fixture_die(__FILE__, __LINE__, shmipc_last_error());
    }
    return NULL;
}

int crowd_call(const char *region, uint32_t first, uint32_t count) {
    shmipc_peer *guest;
    struct caller callers[CROWD_MAX];
    must(count <= CROWD_MAX);
    must_equal(shmipc_guest_attach(region, NULL, SHMIPC_TIMEOUT_DEFAULT, &guest), SHMIPC_OK);
    for (uint32_t i = 0; i < count; i++) {
        callers[i].guest = guest;
        callers[i].number = first + i;
        callers[i].thread = thread_start(call_until_all_have, &callers[i]);
    }
    for (uint32_t i = 0; i < count; i++)
        thread_join(callers[i].thread);
    shmipc_free(guest);
    return 0;
}
