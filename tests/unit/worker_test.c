/*
 * Workers that sleep and are woken, on a fake system.
 */
#include "support/fake_system.h"
#include "support/fixture.h"

#include "region/slot.h"
#include "serve/responder.h"
#include "serve/sentry.h"

enum { SOMEBODY_ELSE = 1000 }; /* a worker's id */

/* How a worker is woken. */
struct awakening {
    uint64_t rest;     /* before the requests */
    uint32_t ticks;    /* before the rest */
    uint32_t requests; /* that come at once */
    bool parked;       /* their callers sleep */
    bool displaced;    /* another worker was woken too, and is the poller by now */
};

static struct {
    struct awakening by;
    struct pair pair;
    shmipc_slot slots[2];
    uint32_t yields[2]; /* before it is woken, and when it sleeps again */
} notified;

static void send_both(void) {
    const struct awakening *by = &notified.by;
    for (uint32_t i = 0; i < by->requests; i++)
        must_equal(shmipc_slot_send(notified.slots[i], SHMIPC_TYPE_NORMAL, 0, 0), SHMIPC_OK);
    for (uint32_t i = 0; by->parked && i < by->requests; i++) {
        struct slot *slot = notified.pair.host->slots[notified.slots[i].index].shared;
        word seen = slot_look(slot);
        must(shmi_slot_park(slot, &seen));
    }
}

static void tick_send_or_end(void) {
    const struct awakening *by = &notified.by;
    if (fake.sleeps <= by->ticks) {
        fake.now = fake.until;
        return;
    }
    must(fake.sleeps <= by->ticks + 2);
    notified.yields[fake.sleeps - by->ticks - 1] = fake.yields;
    if (fake.sleeps == by->ticks + 2) {
        must_equal(shmipc_wake(notified.pair.guest), SHMIPC_OK);
        return;
    }
    fake.now += by->rest;
    send_both();
    if (by->displaced)
        store_relaxed32(&notified.pair.guest->serving.poller, SOMEBODY_ELSE);
}

/* In the last sleep `during` calls shmipc_wake. */
static void serve_asleep(shmipc_peer *peer, shmipc_handler handler, void (*during)(void),
                         uint32_t sleeps) {
    fake.sleeps = 0;
    fake.during_sleep = during;
    must_equal(shmipc_serve(peer, handler, NULL), SHMIPC_E_WOKEN);
    fake.during_sleep = NULL;
    must_equal(fake.sleeps, sleeps);
}

/* The guest of an open pair serves two slots that the host holds, with `sleeps` sleeps. */
static void serve_two_slots(struct pair *pair, shmipc_slot slots[2], shmipc_handler handler,
                            void (*during)(void), uint32_t sleeps) {
    for (int i = 0; i < 2; i++)
        must_equal(shmipc_slot_claim(pair->host, 0, &slots[i]), SHMIPC_OK);
    serve_asleep(pair->guest, handler, during, sleeps);
    for (int i = 0; i < 2; i++)
        must_equal(shmipc_slot_release(slots[i]), SHMIPC_OK);
    pair_close(pair);
}

/* How often a worker yields from when it is woken until it sleeps again. */
static uint32_t yields_with(shmipc_handler handler, struct awakening by) {
    notified.by = by;
    pair_open(&notified.pair, NULL);
    serve_two_slots(&notified.pair, notified.slots, handler, tick_send_or_end, by.ticks + 2);
    return notified.yields[1] - notified.yields[0];
}

/* The same, less the yields before each sleep. */
static uint32_t yields_of_a_worker(struct awakening by) {
    return yields_with(echo_handler, by) - YIELDS;
}

/* The caller that notified may be waiting for the processor of the worker that it woke. */
static void a_worker_yields_to_the_caller_that_ended_its_rest(void **state) {
    (void)state;
    const struct awakening first = {.rest = MILLISECOND, .requests = 1};
    const struct awakening shortly_after_a_tick = {.rest = 10000, .ticks = 1, .requests = 1};
    assert_int_equal(yields_of_a_worker(first), 1);
    assert_int_equal(yields_of_a_worker(shortly_after_a_tick), 1);
}

/* A notification may wake two workers, each of which may take the other's place. */
static void a_worker_that_was_displaced_while_it_slept_gives_way(void **state) {
    (void)state;
    const struct awakening both = {.rest = MILLISECOND, .requests = 1, .displaced = true};
    assert_int_equal(yields_of_a_worker(both), 1);
}

static int be_displaced(void *context, const shmipc_request *request, shmipc_response *response) {
    store_relaxed32(&notified.pair.guest->serving.poller, SOMEBODY_ELSE);
    return echo_handler(context, request, response);
}

static void a_worker_that_is_displaced_while_it_serves_gives_way(void **state) {
    (void)state;
    const struct awakening first = {.rest = MILLISECOND, .requests = 1};
    assert_int_equal(yields_with(be_displaced, first), 1);
}

/* Two woken workers serve a request each, in turn. */
static void the_first_request_ends_the_rest(void **state) {
    (void)state;
    struct pair pair;
    shmipc_slot slot;
    shmipc_response response;
    pair_open(&pair, NULL);
    assert_int_equal(shmipc_slot_claim(pair.host, 0, &slot), SHMIPC_OK);
    store_relaxed64(&pair.guest->serving.rests_since, fake.now - MILLISECOND);
    for (int i = 0; i < 2; i++) {
        struct worker worker = {.handler = echo_handler, .wakeup.just_woken = true};
        assert_int_equal(shmipc_slot_send(slot, SHMIPC_TYPE_NORMAL, 0, 0), SHMIPC_OK);
        word seen = slot_look(pair.host->slots[slot.index].shared);
        assert_int_equal(shmi_responder_serve(pair.guest, slot.index, seen, &worker), 1);
        assert_int_equal(worker.wakeup.owes_yield, i == 0);
        assert_int_equal(shmipc_slot_receive(slot, SECOND, &response), SHMIPC_OK);
    }
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    pair_close(&pair);
}

/* Once, after all requests are answered. */
static void a_worker_yields_to_the_caller_that_it_wakes(void **state) {
    (void)state;
    for (uint32_t requests = 1; requests <= 2; requests++) {
        const struct awakening by = {.rest = 10000, .requests = requests, .parked = true};
        assert_int_equal(yields_of_a_worker(by), 1);
    }
}

/* A worker sleeps; two requests come; nobody is notified of the second. */
struct silence {
    bool displaced;    /* before that: at a tick it learns that another worker polls */
    bool polled;       /* another worker polls on */
    uint32_t notifies; /* for no request */
};

static struct {
    struct silence with;
    struct pair pair;
    shmipc_slot slots[2];
    uint32_t eventcount[2]; /* after they came, and when the worker sleeps again */
} silent;

static void send_with_a_poller(uint32_t index, bool polled_on) {
    struct local_eventcount other = silent.pair.guest->serves.requests;
    other.bit = 1 << 15;
    shmi_eventcount_join_pollers(&other);
    must_equal(shmipc_slot_send(silent.slots[index], SHMIPC_TYPE_NORMAL, 0, 0), SHMIPC_OK);
    if (!polled_on)
        shmi_eventcount_leave_pollers(&other);
}

static void send_one_silently_or_end(void) {
    struct local_eventcount *eventcount = &silent.pair.guest->serves.requests;
    uint32_t sleep = fake.sleeps - silent.with.displaced;
    must(sleep <= 2);
    if (sleep == 0) {
        store_relaxed32(&silent.pair.guest->serving.poller, SOMEBODY_ELSE);
        fake.now = fake.until;
        return;
    }
    if (sleep == 1) {
        must_equal(shmipc_slot_send(silent.slots[0], SHMIPC_TYPE_NORMAL, 0, 0), SHMIPC_OK);
        send_with_a_poller(1, silent.with.polled);
        for (uint32_t i = 0; i < silent.with.notifies; i++)
            (void)shmi_eventcount_notify(eventcount, WAKE_ONE);
    }
    silent.eventcount[sleep - 1] = shmi_eventcount_generation(eventcount);
    if (sleep == 2)
        must_equal(shmipc_wake(silent.pair.guest), SHMIPC_OK);
}

enum { PASSED_ON = 2 }; /* passing on counts as two: it may be for several requests */
enum { ANOTHER_SLEEPER = 1 << 14 };

static uint32_t notifications_passed_on(struct silence with) {
    silent.with = with;
    pair_open(&silent.pair, NULL);
    store_relaxed32(&silent.pair.guest->serving.sentry,
                    SENTRY_CONTENT); /* so no sentry is called */
    (void)shmi_eventcount_notify(&silent.pair.guest->serves.requests, WAKE_ONE);
    or_seq_cst32(&silent.pair.guest->serves.requests.shared->sleepers, ANOTHER_SLEEPER);
    serve_two_slots(&silent.pair, silent.slots, echo_handler, send_one_silently_or_end,
                    2 + with.displaced);
    return silent.eventcount[1] - silent.eventcount[0];
}

/* A worker that was notified once need not look at all slots: a caller that did not notify has an
   awake worker. */
static void a_worker_passes_a_notification_on_if_there_may_be_another_request(void **state) {
    (void)state;
    assert_int_equal(notifications_passed_on((struct silence){.notifies = 0}), 0);
    assert_int_equal(notifications_passed_on((struct silence){.notifies = 1}), PASSED_ON);
    assert_int_equal(notifications_passed_on((struct silence){.polled = true}), PASSED_ON);
}

/* Callers did not notify while no sleeper was announced, so a notification, even the first one, may
   be for any request. */
static void a_standby_passes_a_notification_on_also_the_first(void **state) {
    (void)state;
    assert_int_equal(notifications_passed_on((struct silence){.displaced = true, .notifies = 1}),
                     PASSED_ON);
}

static void send_first_or_end(void) {
    if (fake.sleeps == 1)
        must_equal(shmipc_slot_send(silent.slots[0], SHMIPC_TYPE_NORMAL, 0, 0), SHMIPC_OK);
    else
        must_equal(shmipc_wake(silent.pair.guest), SHMIPC_OK);
}

/* The second request comes while the first one's handler runs. Somebody else sleeps all the time.
   */
static int send_second(void *context, const shmipc_request *request, shmipc_response *response) {
    const struct local_eventcount *eventcount = &silent.pair.guest->serves.requests;
    const bool first = request->slot == silent.slots[0].index;
    must_equal(eventcount_wants_notify(eventcount), first);
    must_equal(eventcount_has_pollers(eventcount), !first);
    if (first)
        must_equal(shmipc_slot_send(silent.slots[1], SHMIPC_TYPE_NORMAL, 0, 0), SHMIPC_OK);
    return echo_handler(context, request, response);
}

/* A caller that sends a request during that handler notifies another worker. */
static void a_woken_worker_is_not_the_poller_until_it_has_run_its_first_handler(void **state) {
    (void)state;
    pair_open(&silent.pair, NULL);
    struct local_eventcount other = silent.pair.guest->serves.requests;
    other.bit = 1 << 15;
    (void)shmi_eventcount_prepare(&other);
    serve_two_slots(&silent.pair, silent.slots, send_second, send_first_or_end, 2);
}

static void send_to_a_watcher_or_end(void) {
    if (fake.sleeps == 2) {
        must_equal(word_state(slot_look(silent.pair.host->slots[silent.slots[0].index].shared)),
                   SLOT_RESPONSE);
        must_equal(shmipc_wake(silent.pair.guest), SHMIPC_OK);
        return;
    }
    send_with_a_poller(0, true);
    fake.now = fake.until;
}

/* The poller may be in a handler for long. */
static void a_tick_finds_a_request_that_was_not_notified_of(void **state) {
    (void)state;
    pair_open(&silent.pair, NULL);
    serve_two_slots(&silent.pair, silent.slots, echo_handler, send_to_a_watcher_or_end, 2);
}

static shmipc_peer *idler;

static void idle(void (*during)(void), uint32_t sleeps) {
    struct pair pair;
    pair_open(&pair, NULL);
    idler = pair.guest;
    serve_asleep(idler, echo_handler, during, sleeps);
    pair_close(&pair);
}

/* The worker counts its ticks; after a notification that was for nobody it counts anew. */
static void sleep_to_the_end(void) {
    uint32_t ticks = (fake.sleeps - 1) % 15;
    must_equal(fake.until - fake.now, ticks < TICKS_TO_IDLE ? TICK_NS : IDLE_TICK_NS);
    if (fake.sleeps == 15)
        (void)shmi_eventcount_notify(&idler->serves.requests, WAKE_ONE);
    else if (fake.sleeps == 30)
        must_equal(shmipc_wake(idler), SHMIPC_OK);
    else
        fake.now = fake.until;
}

static void a_worker_without_work_sleeps_longer(void **state) {
    (void)state;
    idle(sleep_to_the_end, 30);
}

/* Another thread looks for deaths just before an idle worker's tick, which is then not due. The
   next tick must not be too long after that look. */
static void look_before_the_last_tick(void) {
    static uint64_t looked;
    if (fake.sleeps == TICKS_TO_IDLE + 2) {
        must_equal(fake.until, looked + IDLE_TICK_NS);
        must_equal(shmipc_wake(idler), SHMIPC_OK);
        return;
    }
    if (fake.sleeps == TICKS_TO_IDLE + 1) {
        looked = fake.until - MILLISECOND;
        store_relaxed64(&idler->membership.next_tick, looked + TICK_NS);
    }
    fake.now = fake.until;
}

static void an_idle_worker_sleeps_from_the_last_look(void **state) {
    (void)state;
    idle(look_before_the_last_tick, TICKS_TO_IDLE + 2);
}

static shmipc_stop_token stopped_asleep = SHMIPC_STOP_TOKEN_INIT;

static void stop_and_be_notified(void) {
    struct local_eventcount *eventcount = &idler->serves.requests;
    uint32_t before = shmi_eventcount_generation(eventcount);
    shmipc_stop(&stopped_asleep);
    must(shmi_eventcount_generation(eventcount) != before);
}

static void a_sleeping_worker_is_notified_when_it_is_stopped(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, NULL);
    idler = pair.guest;
    fake.during_sleep = stop_and_be_notified;
    assert_int_equal(shmipc_serve_until(idler, echo_handler, NULL, &stopped_asleep),
                     SHMIPC_E_CANCELLED);
    fake.during_sleep = NULL;
    assert_int_equal(fake.sleeps, 1);
    pair_close(&pair);
}

static struct {
    struct pair pair;
    shmipc_slot slot;
    bool due_at_service, due_at_sleep; /* a tick of the guest */
} late;

static bool tick_of_late_guest_is_due(void) {
    return load_relaxed64(&late.pair.guest->membership.next_tick) <= fake.now;
}

static int note_whether_due(void *context, const shmipc_request *request,
                            shmipc_response *response) {
    late.due_at_service = tick_of_late_guest_is_due();
    return echo_handler(context, request, response);
}

static void send_when_due_or_end(void) {
    if (fake.sleeps == 2) {
        late.due_at_sleep = tick_of_late_guest_is_due();
        must_equal(shmipc_wake(late.pair.guest), SHMIPC_OK);
        return;
    }
    store_relaxed64(&late.pair.guest->membership.next_tick, fake.now);
    must_equal(shmipc_slot_send(late.slot, SHMIPC_TYPE_NORMAL, 0, 0), SHMIPC_OK);
}

static void a_request_comes_before_a_tick_that_is_due(void **state) {
    (void)state;
    pair_open(&late.pair, NULL);
    assert_int_equal(shmipc_slot_claim(late.pair.host, 0, &late.slot), SHMIPC_OK);
    serve_asleep(late.pair.guest, note_whether_due, send_when_due_or_end, 2);
    assert_true(late.due_at_service);
    assert_false(late.due_at_sleep);
    assert_int_equal(shmipc_slot_release(late.slot), SHMIPC_OK);
    pair_close(&late.pair);
}

/* With many callers, all would wait for a worker that yields. */
static void a_worker_of_many_callers_does_not_yield(void **state) {
    (void)state;
    const struct awakening soon = {.rest = 10000, .requests = 1};
    const struct awakening both = {.rest = MILLISECOND, .requests = 2};
    assert_int_equal(yields_of_a_worker(soon), 0);
    assert_int_equal(yields_of_a_worker(both), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(a_worker_yields_to_the_caller_that_ended_its_rest, fake_system),
        cmocka_unit_test_setup(a_worker_that_was_displaced_while_it_slept_gives_way, fake_system),
        cmocka_unit_test_setup(a_worker_that_is_displaced_while_it_serves_gives_way, fake_system),
        cmocka_unit_test_setup(the_first_request_ends_the_rest, fake_system),
        cmocka_unit_test_setup(a_worker_yields_to_the_caller_that_it_wakes, fake_system),
        cmocka_unit_test_setup(a_worker_without_work_sleeps_longer, fake_system),
        cmocka_unit_test_setup(a_sleeping_worker_is_notified_when_it_is_stopped, fake_system),
        cmocka_unit_test_setup(a_worker_passes_a_notification_on_if_there_may_be_another_request,
                               fake_system),
        cmocka_unit_test_setup(a_standby_passes_a_notification_on_also_the_first, fake_system),
        cmocka_unit_test_setup(a_woken_worker_is_not_the_poller_until_it_has_run_its_first_handler,
                               fake_system),
        cmocka_unit_test_setup(a_tick_finds_a_request_that_was_not_notified_of, fake_system),
        cmocka_unit_test_setup(a_request_comes_before_a_tick_that_is_due, fake_system),
        cmocka_unit_test_setup(an_idle_worker_sleeps_from_the_last_look, fake_system),
        cmocka_unit_test_setup(a_worker_of_many_callers_does_not_yield, fake_system),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
