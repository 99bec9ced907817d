/* A call to one guest beside calls to any, in every order of their steps: no wake-up is lost, and
   nobody else answers. */
#include "support/explore.h"
#include "support/fixture.h"
#include "unit/explore_stage.h"

#include "peer/address.h"

#include <string.h>

static int tell_index(void *context, const shmipc_request *request, shmipc_response *response) {
    const shmipc_peer *guest = context;
    (void)request;
    memcpy(response->data, &guest->index, sizeof guest->index);
    response->length = sizeof guest->index;
    return 0;
}

static uint32_t call_to(struct stage *s, uint64_t to) {
    uint32_t answerer = 0;
    const shmipc_request request = {.to = to};
    shmipc_response response = {.data = &answerer, .capacity = sizeof answerer};
    must_equal(shmipc_call(s->caller, &request, &response, SHMIPC_FOREVER), SHMIPC_OK);
    if (--s->calls_to_go == 0) {
        must_equal(shmipc_wake(s->responder), SHMIPC_OK);
        must_equal(shmipc_wake(s->another), SHMIPC_OK);
    }
    return answerer;
}

static void call_another(void *context) {
    struct stage *s = context;
    uint32_t epoch = load_relaxed32(&s->another->region.shared->peers[s->another->index].epoch);
    must_equal(call_to(s, address_make(s->another->index, epoch)), s->another->index);
}

static void call_any(void *context) {
    must(call_to(context, 0) != 0);
}

static void serve_one(void *context) {
    const struct stage *s = context;
    must_equal(shmipc_serve(s->responder, tell_index, s->responder), SHMIPC_E_WOKEN);
}

static void serve_another(void *context) {
    const struct stage *s = context;
    must_equal(shmipc_serve(s->another, tell_index, s->another), SHMIPC_E_WOKEN);
}

static void end_calls(void *context) {
    assert_pool_is_free(context);
}

static void run(void (*begin)(void *), struct scenario scenario) {
    struct stage s;
    open_stage(&s, true, 2);
    const shmipc_guest_config config = test_guest_config();
    must_equal(shmipc_guest_attach(s.pair.name.text, &config, 0, &s.another), SHMIPC_OK);
    scenario.begin = begin;
    scenario.end = end_calls;
    scenario.context = &s;
    scenario.drawn = DRAWN;
    assert_true(explore(&scenario) > scenario.drawn);
    shmipc_free(s.another);
    close_stage(&s);
}

static void its_guest_is_woken_though_another_serves(void **state) {
    (void)state;
    run(begin_one,
        (struct scenario){.actors = {call_another, serve_one, serve_another}, .preemptions = 2});
}

static void a_call_to_any_beside_it_is_answered_too(void **state) {
    (void)state;
    run(begin_two, (struct scenario){.actors = {call_another, call_any, serve_one, serve_another},
                                     .preemptions = 1});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(its_guest_is_woken_though_another_serves),
        watched_test(a_call_to_any_beside_it_is_answered_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
