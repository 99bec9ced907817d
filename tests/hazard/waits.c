#include "hazard/waits.h"

static const shmipc_request empty = {.length = 0};

void prepare_nothing(struct stage *s) {
    (void)s;
}

void hear_of_all(struct stage *s) {
    shmipc_event event;
    while (shmipc_next_event(s->pair.host, 0, &event) == SHMIPC_OK) {
    }
}

void hold_one(struct stage *s) {
    s->slots[0] = must_claim(s->pair.host, 0);
}

void hold_all(struct stage *s) {
    hold_one(s);
    s->slots[1] = must_claim(s->pair.host, 0);
}

void send_one(struct stage *s) {
    hold_one(s);
    must_equal(shmipc_slot_send(s->slots[0], SHMIPC_TYPE_NORMAL, 0, 0), SHMIPC_OK);
}

int wait_for_guests(struct stage *s) {
    return shmipc_wait_guests(s->pair.host, 2, SHMIPC_FOREVER);
}

int wait_for_event(struct stage *s) {
    shmipc_event event;
    return shmipc_next_event(s->pair.host, SHMIPC_FOREVER, &event);
}

int claim_and_release(struct stage *s) {
    shmipc_slot slot;
    int error = shmipc_slot_claim(s->pair.host, SHMIPC_FOREVER, &slot);
    return error ? error : shmipc_slot_release(slot);
}

int make_call(struct stage *s) {
    return shmipc_call(s->pair.host, &empty, NULL, SHMIPC_FOREVER);
}

int make_guests_call(struct stage *s) {
    return shmipc_call(s->pair.guest, &empty, NULL, SHMIPC_FOREVER);
}

int ping_the_guest(struct stage *s) {
    return shmipc_ping(s->pair.host, SHMIPC_FOREVER, NULL);
}

int call_in_slot(struct stage *s) {
    return shmipc_slot_call(s->slots[0], &empty, NULL, SHMIPC_FOREVER);
}

int receive_one(struct stage *s) {
    shmipc_response response;
    return shmipc_slot_receive(s->slots[0], SHMIPC_FOREVER, &response);
}

int collect_one(struct stage *s) {
    size_t which = 0;
    return shmipc_slot_wait_any(s->slots, 1, SHMIPC_FOREVER, &which);
}

int serve_the_host(struct stage *s) {
    return shmipc_serve(s->pair.guest, echo_handler, NULL);
}

int wait_for_request(struct stage *s) {
    return shmipc_wait(s->pair.guest, SHMIPC_FOREVER);
}

void open_stage(struct stage *s, void (*prepare)(struct stage *stage)) {
    *s = (struct stage){.nobodys = new_name()};
    pair_open(&s->pair, NULL);
    prepare(s);
}
