/* Calls in flight: one thread has several calls under way, and takes each answer as it comes. */
#include <shmipc/shmipc.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { DEPTH = 8, NUMBERS = 10000 };

static int ask(shmipc_slot slot, uint64_t number) {
    memcpy(shmipc_slot_buffer(slot, NULL), &number, sizeof number);
    return shmipc_slot_send(slot, SHMIPC_TYPE_NORMAL, sizeof number, 0);
}

/* Takes the answer of whichever call is over first, and sends the next number in its slot. */
static int take_and_ask(const shmipc_slot *slots, size_t *which, uint64_t next, uint64_t *sum) {
    shmipc_response response;
    uint64_t square;
    int error = shmipc_slot_wait_any(slots, DEPTH, SHMIPC_TIMEOUT_DEFAULT, which);
    if (!error)
        error = shmipc_slot_receive(slots[*which], SHMIPC_TIMEOUT_DEFAULT, &response);
    if (error)
        return error;
    memcpy(&square, response.data, sizeof square);
    *sum += square;
    return next <= NUMBERS ? ask(slots[*which], next) : 0;
}

static int add_squares(const shmipc_slot *slots, uint64_t *sum) {
    size_t which = 0;
    uint64_t next = 1;
    int error = 0;
    for (; !error && next <= DEPTH; next++)
        error = ask(slots[next - 1], next);
    for (int taken = 0; !error && taken < NUMBERS; taken++, next++, which++)
        error = take_and_ask(slots, &which, next, sum);
    return error;
}

static int run(shmipc_peer *host) {
    shmipc_slot slots[DEPTH] = {{0}};
    uint64_t sum = 0;
    int error = shmipc_wait_guests(host, 1, SHMIPC_TIMEOUT_DEFAULT);
    for (int i = 0; !error && i < DEPTH; i++)
        error = shmipc_slot_claim(host, SHMIPC_TIMEOUT_DEFAULT, &slots[i]);
    if (!error)
        error = add_squares(slots, &sum);
    for (int i = 0; i < DEPTH; i++)
        shmipc_slot_release(slots[i]); /* STALE, and harmless, for one that was not claimed */
    if (!error)
        printf("the squares of 1 to %d add up to %llu\n", NUMBERS, (unsigned long long)sum);
    return error;
}

int main(int argc, char **argv) {
    shmipc_host_config config = SHMIPC_HOST_CONFIG_INIT;
    config.host_slots = DEPTH;
    shmipc_peer *host;
    int error = shmipc_host_create(argc > 1 ? argv[1] : "in_flight", &config, &host);
    if (!error)
        error = run(host);
    if (error)
        fprintf(stderr, "%s: %s\n", shmipc_strerror(error), shmipc_last_error());
    else
        shmipc_shutdown(host, SHMIPC_TIMEOUT_DEFAULT);
    shmipc_free(host);
    return error ? 1 : 0;
}
