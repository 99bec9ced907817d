/* Two workers without any call, in every order of their steps: homes, and polling. */
#include "support/explore.h"
#include "support/fixture.h"
#include "unit/explore_stage.h"

#include "peer/peer.h"
#include "serve/home.h"
#include "serve/poller.h"

/* Each of two workers that begin at the same time has a home of its own. */
static void settle(void *context) {
    struct stage *s = context;
    struct worker worker = {.home = NO_HOME};
    shmi_home_settle(s->responder, &worker);
    must(worker.home != NO_HOME);
}

static void end_homes(void *context) {
    struct stage *s = context;
    for (uint32_t i = 0; i < 2; i++) {
        struct local_slot *l = &s->responder->slots[s->responder->serves.first + i];
        must_equal(load_relaxed32(&l->service.residents), 1);
        must_equal(load_relaxed32(&l->service.keepers), 1);
        store_relaxed32(&l->service.residents, 0);
        store_relaxed32(&l->service.keepers, 0);
    }
}

/* Two workers' steps of their own, without calls. */
static void run_workers(void (*one)(void *), void (*other)(void *), void (*end)(void *)) {
    struct stage s;
    const struct scenario scenario = {.begin = begin_nothing,
                                      .end = end,
                                      .actors = {one, other},
                                      .context = &s,
                                      .preemptions = 2};
    open_stage(&s, true, 2);
    assert_true(explore(&scenario) > 2);
    close_stage(&s);
}

static void workers_settle_in_different_slots_in_any_order(void **state) {
    (void)state;
    run_workers(settle, settle, end_homes);
}

/* One worker begins to poll, and another one supersedes it. If none polls in the end, the bit of
   the pollers is not set. */
static void begin_to_poll(void *context) {
    struct stage *s = context;
    struct worker worker = {.id = 1, .home = NO_HOME};
    bool polls = shmi_poller_begin(s->responder, &worker);
    must_equal(worker.state, polls ? WORKER_POLLING : WORKER_SEARCHING);
}

static void supersede(void *context) {
    struct stage *s = context;
    (void)shmi_poller_supersede(s->responder);
}

static void end_polling(void *context) {
    struct stage *s = context;
    struct worker worker = {.id = 1, .state = WORKER_POLLING};
    if (load_seq_cst32(&s->responder->serving.poller) == 0)
        must(!eventcount_has_pollers(&s->responder->serves.requests));
    shmi_poller_stop(s->responder, &worker);
    must_equal(load_seq_cst32(&s->responder->serving.superseded), 0);
}

static void a_superseded_poller_leaves_nothing_behind_in_any_order(void **state) {
    (void)state;
    run_workers(begin_to_poll, supersede, end_polling);
}

static void begin_and_stop(void *context) {
    struct stage *s = context;
    struct worker worker = {.id = 1, .home = NO_HOME};
    must(shmi_poller_begin(s->responder, &worker));
    shmi_poller_stop(s->responder, &worker);
}

static void nobody_polls(void *context) {
    struct stage *s = context;
    must_equal(load_seq_cst32(&s->responder->serving.poller), 0);
    must(!eventcount_has_pollers(&s->responder->serves.requests));
    must_equal(load_seq_cst32(&s->responder->serving.superseded), 0);
}

/* Either of the two may be the one that removes the poller. */
static void a_poller_superseded_as_it_stops_is_counted_once_in_any_order(void **state) {
    (void)state;
    run_workers(begin_and_stop, supersede, nobody_polls);
}

static void poll_if_nobody_does(void *context) {
    struct stage *s = context;
    struct worker worker = {.id = 2, .home = NO_HOME};
    (void)shmi_poller_begin(s->responder, &worker);
}

static void end_next_polling(void *context) {
    struct stage *s = context;
    struct worker next = {.id = 2, .state = WORKER_POLLING};
    const bool polls = load_seq_cst32(&s->responder->serving.poller) == next.id;
    must_equal(eventcount_has_pollers(&s->responder->serves.requests), polls);
    if (polls)
        shmi_poller_stop(s->responder, &next);
    nobody_polls(context);
}

/* A poller that stops does not take back the bit that the next poller has set. */
static void stop_if_polling(void *context) {
    struct stage *s = context;
    struct worker worker = {.id = 1, .home = NO_HOME};
    if (shmi_poller_begin(s->responder, &worker))
        shmi_poller_stop(s->responder, &worker);
}

static void a_poller_that_stops_leaves_the_next_ones_bit_in_any_order(void **state) {
    (void)state;
    run_workers(stop_if_polling, poll_if_nobody_does, end_next_polling);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        watched_test(workers_settle_in_different_slots_in_any_order),
        watched_test(a_superseded_poller_leaves_nothing_behind_in_any_order),
        watched_test(a_poller_superseded_as_it_stops_is_counted_once_in_any_order),
        watched_test(a_poller_that_stops_leaves_the_next_ones_bit_in_any_order),
    };
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
