/*
 * Killed processes: the other peers notice at once, by the process's handle. The ticks are off in
 * this program, so a peer that does not notice so never does, and the watchdog fires.
 */
#include "windows/roles.h"

#include "peer/peer.h"
#include "region/slot.h"

#include <string.h>

static const shmipc_request nothing = {.data = NULL};

/* Named for the linker, which puts it in place of the library's. */
uint64_t no_ticks(struct deadline *deadline) __asm__("__wrap_shmi_deadline_or_tick");

uint64_t no_ticks(struct deadline *deadline) {
    return shmi_deadline_at(deadline);
}

/* ---- Roles ---- */

enum { READY_GATE, ENTERED_GATE, NEVER_GATE };

static int hang(void *context, const shmipc_request *request, shmipc_response *response) {
    struct stage *stage = context;
    (void)request;
    (void)response;
    gate_pass(&stage->gates[ENTERED_GATE]);
    gate_await(&stage->gates[NEVER_GATE], 1);
    return 0;
}

static int be_hanging_guest(const char *region, struct stage *stage) {
    shmipc_peer *guest = attach(region);
    gate_pass(&stage->gates[READY_GATE]);
    return shmipc_serve(guest, hang, stage);
}

static int be_hanging_host(const char *region, struct stage *stage) {
    shmipc_peer *host = create(region);
    gate_pass(&stage->gates[READY_GATE]);
    return shmipc_serve(host, hang, stage);
}

static int be_echoing_guest(const char *region, struct stage *stage) {
    shmipc_peer *guest = attach(region);
    gate_pass(&stage->gates[READY_GATE]);
    int error = shmipc_serve(guest, echo_handler, NULL);
    shmipc_free(guest);
    return error == SHMIPC_E_SHUTDOWN ? 0 : 1;
}

/* Keeps the region mapped for good, also when its host ends. */
static int be_idle_guest(const char *region, struct stage *stage) {
    (void)attach(region);
    gate_pass(&stage->gates[READY_GATE]);
    gate_await(&stage->gates[NEVER_GATE], 1);
    return 0;
}

static int be_greedy_guest(const char *region, struct stage *stage) {
    shmipc_peer *guest = attach(region);
    shmipc_slot slots[2];
    for (int i = 0; i < 2; i++)
        must_equal(shmipc_slot_claim(guest, SECOND, &slots[i]), SHMIPC_OK);
    gate_pass(&stage->gates[READY_GATE]);
    gate_await(&stage->gates[NEVER_GATE], 1);
    return 0;
}

static const struct role roles[] = {
    {"hanging-guest", be_hanging_guest}, {"hanging-host", be_hanging_host},
    {"echoing-guest", be_echoing_guest}, {"idle-guest", be_idle_guest},
    {"greedy-guest", be_greedy_guest},   {NULL, NULL},
};

/* ---- Scenes ---- */

struct scene {
    struct region_name name;
    struct stage *stage;
};

static struct scene begin(void) {
    struct scene scene = {.name = new_name()};
    scene.stage = stage_open(scene.name.text);
    return scene;
}

static struct process start(const struct scene *s, const char *role) {
    unsigned before = atomic_load(&s->stage->gates[READY_GATE].passed);
    struct process process = role_start(role, s->name.text);
    gate_await(&s->stage->gates[READY_GATE], before + 1);
    return process;
}

static void report(const char *who, uint64_t since) {
    print_message("             %s was told after %.1f ms\n", who,
                  (double)(now_ns() - since) / 1e6);
}

/* ---- Guests that die ---- */

static void a_host_is_told_that_the_guest_of_its_call_was_killed(void **state) {
    (void)state;
    struct scene s = begin();
    shmipc_peer *host = create(s.name.text);
    for (unsigned round = 1; round <= 3; round++) {
        struct call_thread caller;
        struct process guest = start(&s, "hanging-guest");
        call_start(&caller, host, SHMIPC_FOREVER);
        gate_await(&s.stage->gates[ENTERED_GATE], round);
        eventually(slot_look(region_slot(&host->region, 0)) & WORD_PARKED ||
                   slot_look(region_slot(&host->region, 1)) & WORD_PARKED);
        uint64_t begin_ns = now_ns();
        role_kill(guest);
        assert_int_equal(call_join(&caller), SHMIPC_E_PEER_DIED);
        report("the caller", begin_ns);
    }
    shmipc_free(host);
    stage_close(s.stage);
}

static void a_host_that_waits_for_events_hears_of_a_death(void **state) {
    (void)state;
    struct scene s = begin();
    shmipc_peer *host = create(s.name.text);
    struct process guest = start(&s, "idle-guest");
    shmipc_event event;
    assert_int_equal(shmipc_next_event(host, SHMIPC_FOREVER, &event), SHMIPC_OK);
    assert_int_equal(event.kind, SHMIPC_EVENT_ATTACHED);
    assert_int_equal(event.pid, guest.pid);
    process_kill(guest);
    uint64_t begin_ns = now_ns();
    assert_int_equal(shmipc_next_event(host, SHMIPC_FOREVER, &event), SHMIPC_OK);
    report("who waits for events", begin_ns);
    assert_int_equal(event.kind, SHMIPC_EVENT_DIED);
    assert_int_equal(process_wait(guest), STATUS_KILLED);
    shmipc_free(host);
    stage_close(s.stage);
}

static void of_two_guests_the_other_goes_on(void **state) {
    (void)state;
    struct scene s = begin();
    shmipc_peer *host = create(s.name.text);
    struct process dying = start(&s, "hanging-guest");
    struct call_thread caller;
    call_start(&caller, host, SHMIPC_FOREVER);
    gate_await(&s.stage->gates[ENTERED_GATE], 1);
    struct process other = start(&s, "echoing-guest");
    for (int i = 0; i < 100; i++)
        assert_int_equal(shmipc_call(host, &nothing, NULL, SHMIPC_FOREVER), SHMIPC_OK);
    role_kill(dying);
    assert_int_equal(call_join(&caller), SHMIPC_E_PEER_DIED);
    for (int i = 0; i < 100; i++)
        assert_int_equal(shmipc_call(host, &nothing, NULL, SHMIPC_FOREVER), SHMIPC_OK);
    assert_int_equal(shmipc_shutdown(host, 20 * SECOND), SHMIPC_OK);
    assert_int_equal(process_wait(other), 0);
    shmipc_free(host);
    stage_close(s.stage);
}

static void *claim_slot(void *peer) {
    shmipc_slot slot;
    must_equal(shmipc_slot_claim(peer, SHMIPC_FOREVER, &slot), SHMIPC_OK);
    must_equal(shmipc_slot_release(slot), SHMIPC_OK);
    return NULL;
}

static void a_waiter_for_a_slot_gets_those_of_a_killed_guest(void **state) {
    (void)state;
    struct scene s = begin();
    shmipc_peer *host = create(s.name.text);
    shmipc_peer *guest = attach(s.name.text);
    struct process greedy = start(&s, "greedy-guest");
    pthread_t waiting = thread_start(claim_slot, guest);
    eventually(load_seq_cst32(
                   &host->region.shared->eventcounts[EVENTCOUNT_GUEST_FREE].eventcount.sleepers) !=
               0);
    role_kill(greedy);
    thread_join(waiting);
    shmipc_free(guest);
    shmipc_free(host);
    stage_close(s.stage);
}

/* ---- Hosts that die ---- */

static void a_guest_is_told_that_the_host_of_its_call_was_killed(void **state) {
    (void)state;
    struct scene s = begin();
    struct process host = role_start("hanging-host", s.name.text);
    shmipc_peer *guest = attach(s.name.text);
    struct call_thread caller;
    call_start(&caller, guest, SHMIPC_FOREVER);
    gate_await(&s.stage->gates[ENTERED_GATE], 1);
    uint64_t begin_ns = now_ns();
    role_kill(host);
    assert_int_equal(call_join(&caller), SHMIPC_E_PEER_DIED);
    report("the caller", begin_ns);
    shmipc_free(guest);
    stage_close(s.stage);
}

static void a_guest_that_serves_is_told_that_its_host_was_killed(void **state) {
    (void)state;
    struct scene s = begin();
    struct process host = start(&s, "hanging-host");
    shmipc_peer *guest = attach(s.name.text);
    struct server servers[3];
    for (int i = 0; i < 3; i++)
        server_start(&servers[i], guest, echo_handler, NULL);
    eventually(
        load_seq_cst32(
            &guest->region.shared->eventcounts[EVENTCOUNT_HOST_REQUEST].eventcount.sleepers) != 0);
    uint64_t begin_ns = now_ns();
    role_kill(host);
    for (int i = 0; i < 3; i++)
        assert_int_equal(server_join(&servers[i]), SHMIPC_E_PEER_DIED);
    report("every worker", begin_ns);
    shmipc_free(guest);
    stage_close(s.stage);
}

static void a_guest_that_waits_for_events_hears_of_its_hosts_death(void **state) {
    (void)state;
    struct scene s = begin();
    struct process host = start(&s, "hanging-host");
    shmipc_peer *guest = attach(s.name.text);
    shmipc_event event;
    process_kill(host);
    assert_int_equal(shmipc_next_event(guest, SHMIPC_FOREVER, &event), SHMIPC_OK);
    assert_int_equal(event.kind, SHMIPC_EVENT_DIED);
    assert_int_equal(event.pid, host.pid);
    assert_int_equal(process_wait(host), STATUS_KILLED);
    shmipc_free(guest);
    stage_close(s.stage);
}

/* ---- Names ---- */

/* The old section lives on in the orphan; nobody is to find it. */
static void a_name_is_taken_over_while_an_orphan_holds_the_old_region(void **state) {
    (void)state;
    struct scene s = begin();
    for (int round = 0; round < 3; round++) {
        struct process first = start(&s, "hanging-host");
        struct process orphan = start(&s, "idle-guest");
        shmipc_peer *witness = attach(s.name.text);
        uint64_t old_nonce = witness->region.shared->header.nonce;
        role_kill(first);

        shmipc_peer *host = create(s.name.text);
        assert_true(host->region.shared->header.nonce != old_nonce);
        assert_int_equal(witness->region.shared->header.nonce, old_nonce);
        int refused = shmipc_call(witness, &nothing, NULL, SHMIPC_FOREVER);
        assert_true(refused == SHMIPC_E_NO_PEER || refused == SHMIPC_E_PEER_DIED);
        struct process guest = start(&s, "echoing-guest");
        assert_int_equal(shmipc_wait_guests(host, 1, SHMIPC_FOREVER), SHMIPC_OK);
        assert_int_equal(shmipc_call(host, &nothing, NULL, SHMIPC_FOREVER), SHMIPC_OK);
        assert_int_equal(shmipc_shutdown(host, 20 * SECOND), SHMIPC_OK);
        assert_int_equal(process_wait(guest), 0);
        shmipc_free(host);
        shmipc_free(witness);
        role_kill(orphan);
    }
    stage_close(s.stage);
}

static void a_live_hosts_name_is_refused_to_another_process(void **state) {
    (void)state;
    struct scene s = begin();
    struct process first = start(&s, "hanging-host");
    shmipc_peer *guest = attach(s.name.text);
    uint64_t nonce = guest->region.shared->header.nonce;
    shmipc_host_config config = test_host_config();
    config.host_slots = 1;
    shmipc_peer *second;
    assert_int_equal(shmipc_host_create(s.name.text, &config, &second), SHMIPC_E_NAME_IN_USE);
    assert_null(second);
    shmipc_peer *later = attach(s.name.text);
    assert_int_equal(later->region.shared->header.nonce, nonce);
    shmipc_free(later);
    shmipc_free(guest);
    role_kill(first);
    stage_close(s.stage);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        watched_test(a_host_is_told_that_the_guest_of_its_call_was_killed),
        watched_test(a_host_that_waits_for_events_hears_of_a_death),
        watched_test(of_two_guests_the_other_goes_on),
        watched_test(a_waiter_for_a_slot_gets_those_of_a_killed_guest),
        watched_test(a_guest_is_told_that_the_host_of_its_call_was_killed),
        watched_test(a_guest_that_serves_is_told_that_its_host_was_killed),
        watched_test(a_guest_that_waits_for_events_hears_of_its_hosts_death),
        watched_test(a_name_is_taken_over_while_an_orphan_holds_the_old_region),
        watched_test(a_live_hosts_name_is_refused_to_another_process),
    };
    play_role_if_asked(argc, argv, roles);
    return cmocka_run_group_tests_name("deaths", tests, NULL, NULL);
}
