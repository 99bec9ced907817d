/* Zero copy: numbers are written where the guest reads them, and its sums are read where it wrote
   them. One slot serves for all calls. */
#include <shmipc/shmipc.h>
#include <stdint.h>
#include <stdio.h>

enum { COUNT = 100000, ROUNDS = 3 };

/* Sends 1*factor, 2*factor, ... and shows the last of their running sums. */
static int add_up(shmipc_slot slot, uint64_t factor) {
    size_t capacity;
    uint64_t *numbers = shmipc_slot_buffer(slot, &capacity);
    if (!numbers || capacity < COUNT * sizeof *numbers)
        return SHMIPC_E_TOO_LARGE;
    for (uint64_t i = 0; i < COUNT; i++)
        numbers[i] = (i + 1) * factor;

    shmipc_response response;
    int error = shmipc_slot_send(slot, SHMIPC_TYPE_NORMAL, COUNT * sizeof *numbers, 0);
    if (!error) /* here is time for other work; shmipc_slot_ready tells when it is done */
        error = shmipc_slot_receive(slot, SHMIPC_TIMEOUT_DEFAULT, &response);
    if (error)
        return error;

    /* Valid until the slot is sent again or released. */
    const uint64_t *sums = response.data;
    size_t count = response.length / sizeof *sums;
    printf("%zu sums, the last is %llu\n", count, count ? (unsigned long long)sums[count - 1] : 0);
    return 0;
}

static int run(shmipc_peer *host) {
    shmipc_slot slot;
    int error = shmipc_wait_guests(host, 1, SHMIPC_TIMEOUT_DEFAULT);
    if (!error)
        error = shmipc_slot_claim(host, SHMIPC_TIMEOUT_DEFAULT, &slot);
    if (error)
        return error;
    for (uint64_t factor = 1; !error && factor <= ROUNDS; factor++)
        error = add_up(slot, factor);
    shmipc_slot_release(slot); /* STALE, and harmless, if the call that failed released it */
    return error;
}

int main(int argc, char **argv) {
    shmipc_host_config config = SHMIPC_HOST_CONFIG_INIT;
    config.host_slots = 1;
    config.request_capacity = config.response_capacity = COUNT * sizeof(uint64_t);
    shmipc_peer *host;
    int error = shmipc_host_create(argc > 1 ? argv[1] : "zero_copy", &config, &host);
    if (!error)
        error = run(host);
    if (error)
        fprintf(stderr, "%s: %s\n", shmipc_strerror(error), shmipc_last_error());
    else
        shmipc_shutdown(host, SHMIPC_TIMEOUT_DEFAULT);
    shmipc_free(host);
    return error ? 1 : 0;
}
