#include "unit/explore_stage.h"

#include "region/slot.h"

#include <string.h>

void open_stage(struct stage *s, bool host_calls, uint32_t slots) {
    *s = (struct stage){.host_calls = host_calls, .config = test_host_config()};
    s->config.host_slots = s->config.guest_slots = slots;
    pair_open(&s->pair, &s->config);
    s->caller = host_calls ? s->pair.host : s->pair.guest;
    s->responder = host_calls ? s->pair.guest : s->pair.host;
}

void close_stage(struct stage *s) {
    pair_close(&s->pair);
}

int number_handler(void *context, const shmipc_request *request, shmipc_response *response) {
    struct stage *s = context;
    uint32_t number;
    memcpy(&number, request->data, sizeof number);
    s->running++;
    explore_step();
    must(memcmp(&number, request->data, sizeof number) == 0);
    memcpy(response->data, &number, sizeof number);
    response->length = sizeof number;
    s->running--;
    s->served++;
    return 0;
}

int call_once(struct stage *s, int64_t timeout) {
    uint32_t number = ++s->request;
    uint32_t answer = 0;
    const shmipc_request request = {.data = &number, .length = sizeof number};
    shmipc_response response = {.data = &answer, .capacity = sizeof answer};
    int error = shmipc_call(s->caller, &request, &response, timeout);
    must(error != SHMIPC_OK || (response.length == sizeof answer && answer == number));
    return error;
}

void finish_call(struct stage *s) {
    if (--s->calls_to_go == 0)
        must_equal(shmipc_wake(s->responder), SHMIPC_OK);
}

void call_and_finish(void *context) {
    struct stage *s = context;
    must_equal(call_once(s, SHMIPC_FOREVER), SHMIPC_OK);
    finish_call(s);
}

void serve_until_woken(void *context) {
    struct stage *s = context;
    must_equal(shmipc_serve(s->responder, number_handler, s), SHMIPC_E_WOKEN);
}

void expect_calls(struct stage *s, uint32_t count) {
    s->calls_to_go = count;
    s->served = 0;
}

void assert_pool_is_free(struct stage *s) {
    const struct direction *d = &s->caller->calls;
    for (uint32_t i = d->first; i < d->first + d->count; i++) {
        enum slot_state state = word_state(slot_look(region_slot(&s->caller->region, i)));
        must(state == SLOT_FREE || (s->host_calls && state == SLOT_RESPONSE));
        must_equal(load_relaxed32(&s->caller->slots[i].claim) % 2, 0);
    }
    must_equal(load_relaxed32(&s->caller->calls.vacancies.shared->sleepers), 0);
    must_equal(load_relaxed32(&s->caller->calls.requests.shared->sleepers), 0);
    must_equal(s->running, 0);
}

void begin_one(void *context) {
    expect_calls(context, 1);
}

void begin_two(void *context) {
    expect_calls(context, 2);
}

void end_two(void *context) {
    struct stage *s = context;
    must_equal(s->served, 2);
    assert_pool_is_free(s);
}

void run_on_stage(bool host_calls, uint32_t slots, struct scenario scenario) {
    struct stage s;
    open_stage(&s, host_calls, slots);
    scenario.context = &s;
    assert_true(explore(&scenario) > scenario.drawn);
    close_stage(&s);
}

void begin_nothing(void *context) {
    (void)context;
}

void begin_claimed(void *context) {
    struct stage *s = context;
    expect_calls(s, 1);
    s->result = 1;
    must_equal(shmipc_slot_claim(s->caller, 0, &s->slot), SHMIPC_OK);
}

void cancel_slot(void *context) {
    struct stage *s = context;
    int error = shmipc_slot_cancel(s->slot);
    must(error == SHMIPC_OK || error == SHMIPC_E_STALE);
}

void end_cancelled_unstarted(void *context) {
    struct stage *s = context;
    must_equal(s->result, SHMIPC_E_CANCELLED);
    must_equal(shmipc_wait(s->responder, 0), SHMIPC_E_WOKEN);
    assert_pool_is_free(s);
}

void end_closed(void *context) {
    close_stage(context);
}

void run_closing(bool host_calls, struct scenario scenario) {
    struct stage s = {.host_calls = host_calls};
    scenario.context = &s;
    assert_true(explore(&scenario) > scenario.drawn);
}
