#include "unit/houses.h"

#include "region/slot.h"

struct asked_for asked_for;

/* Named for the linker. */
uint32_t fake_word_wake_home(struct object *object, atomic_u32 *address, uint32_t peer,
                             uint32_t home) __asm__("__wrap_shmi_word_wake_home");

uint32_t fake_word_wake_home(struct object *object, atomic_u32 *address, uint32_t peer,
                             uint32_t home) {
    (void)object;
    (void)address;
    asked_for.peer = peer;
    asked_for.home = home;
    return 0;
}

void open_houses(struct houses *h, bool host_calls) {
    *h = (struct houses){.worker = {.handler = echo_handler, .id = 1, .home = NO_HOME}};
    pair_open(&h->pair, NULL);
    h->caller = host_calls ? h->pair.host : h->pair.guest;
    h->peer = host_calls ? h->pair.guest : h->pair.host;
    shmi_duration_learn_long(&h->peer->serving.durations, LONG);
    for (int i = 0; i < 2; i++) {
        shmipc_slot slot;
        must_equal(shmipc_slot_claim(h->caller, 0, &slot), SHMIPC_OK);
        h->slots[slot.index - h->peer->serves.first] = slot;
    }
}

void close_houses(struct houses *h) {
    for (int i = 0; i < 2; i++)
        must_equal(shmipc_slot_release(h->slots[i]), SHMIPC_OK);
    pair_close(&h->pair);
}

atomic_u32 *keepers_of(const struct houses *h, uint32_t slot) {
    return &h->peer->slots[h->peer->serves.first + slot].service.keepers;
}

void play_keeper(const struct houses *h, uint32_t slot) {
    add_seq_cst32(keepers_of(h, slot), 1);
}

void send_to(const struct houses *h, uint32_t slot, uint32_t type) {
    must_equal(shmipc_slot_send(h->slots[slot], type, 0, 0), SHMIPC_OK);
}

bool is_answered(const struct houses *h, uint32_t slot) {
    return word_state(slot_look(h->caller->slots[h->slots[slot].index].shared)) == SLOT_RESPONSE;
}

bool receive_from(const struct houses *h, uint32_t slot) {
    shmipc_response response;
    if (!is_answered(h, slot))
        return false;
    must_equal(shmipc_slot_receive(h->slots[slot], 0, &response), SHMIPC_OK);
    return true;
}

void begin_at_home(struct houses *h) {
    shmi_home_settle(h->peer, &h->worker);
    must_equal(h->worker.home, 0);
    h->worker.keeps_home = true;
}
