/* docs/examples/minimal_guest: no wake-up is missing between it and the library. */
#define _GNU_SOURCE
#include "hazard/guest_program.h"
#include "hazard/peers.h"
#include "support/processes.h"

#include "region/slot.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { FUTEX_WAKE = 1 };

/* Sleepers look by themselves every 100 ms: where a wake is missing, nearly all rounds take as
   long. But on a busy machine many take long anyway. */
enum { ROUNDS = 100, QUICK_ROUNDS = 15, QUICK_MS = 50 };

static bool was_quick(uint64_t begin) {
    return now_ns() - begin < QUICK_MS * (uint64_t)MILLISECOND;
}

/* In each of these calls there are four sleeps: the guest's for the request, the host's for the
   answer, and the same two for the guest's own call. */
static void no_wake_is_missing_between_minimal_guest_and_host(void **state) {
    unsigned quick = 0;
    struct scenery s;
    (void)state;
    open_scenery(&s, CAPACITY, RESPONSE_CAPACITY);
    struct process guest = start_guest(s.name.text, NULL);
    must_equal(shmipc_wait_guests(s.host, 1, patience()), SHMIPC_OK);
    for (unsigned i = 0; i < ROUNDS && quick < QUICK_ROUNDS; i++) {
        pause_briefly();
        const uint64_t begin = now_ns();
        echo(s.host, SHMIPC_TYPE_GUEST_CALL, 1);
        quick += was_quick(begin);
    }
    must_equal(quick, QUICK_ROUNDS);
    close_scenery(&s);
    must_equal(end_of(guest), STATUS_HOST_LEFT);
}

static unsigned host_slots_in(const struct view *view, enum slot_state state) {
    return slots_in(view, 0, view->shared->header.host_slots, state);
}

static struct eventcount *requests_of(const struct view *view) {
    return &view->shared->eventcounts[EVENTCOUNT_HOST_REQUEST].eventcount;
}

/* Until no request waits in a host slot. */
static int wait_for_takers(void *context, const shmipc_request *request,
                           shmipc_response *response) {
    eventually(host_slots_in(context, SLOT_REQUEST) == 0);
    return echo_handler(NULL, request, response);
}

static void send_in_vain(shmipc_peer *host, shmipc_slot *slot) {
    must_equal(shmipc_slot_claim(host, patience(), slot), SHMIPC_OK);
    must_equal(shmipc_slot_send(*slot, SHMIPC_TYPE_GUEST_CALL, 0, 0), SHMIPC_OK);
}

/* Two guests sleep, and a peer is said to poll: so nobody notifies of two requests, until one
   notification wakes one guest. The request that it takes is answered when the other one is taken
   too. */
static void pass_on_once(shmipc_peer *host, const struct view *view) {
    enum { BOTH = 6, POLLER = 1 << (16 + 9) };
    shmipc_slot slots[2];
    shmipc_response response;
    struct eventcount *requests = requests_of(view);
    in_time((load_seq_cst32(&requests->sleepers) & BOTH) == BOTH);
    or_seq_cst32(&requests->sleepers, POLLER);
    for (unsigned i = 0; i < 2; i++)
        send_in_vain(host, &slots[i]);
    add_seq_cst32(&requests->generation, 1);
    (void)syscall(SYS_futex, &requests->generation, FUTEX_WAKE, 1, NULL, NULL, 0);
    in_time(host_slots_in(view, SLOT_RESPONSE) == 2);
    and_seq_cst32(&requests->sleepers, ~(uint32_t)POLLER);
    for (unsigned i = 0; i < 2; i++) {
        must_equal(shmipc_slot_receive(slots[i], patience(), &response), SHMIPC_OK);
        must_equal(shmipc_slot_release(slots[i]), SHMIPC_OK);
    }
}

static void woken_minimal_guest_wakes_another_for_another_request(void **state) {
    unsigned quick = 0;
    struct scenery s = {.name = new_name()};
    struct process guests[2];
    shmipc_host_config config = test_host_config();
    (void)state;
    must_equal(shmipc_host_create(s.name.text, &config, &s.host), SHMIPC_OK);
    struct view view = view_open(s.name.text);
    server_start(&s.server, s.host, wait_for_takers, &view);
    for (unsigned i = 0; i < 2; i++)
        guests[i] = start_guest(s.name.text, NULL);
    must_equal(shmipc_wait_guests(s.host, 2, patience()), SHMIPC_OK);
    for (unsigned i = 0; i < ROUNDS && quick < QUICK_ROUNDS; i++) {
        const uint64_t begin = now_ns();
        pass_on_once(s.host, &view);
        quick += was_quick(begin);
    }
    must_equal(quick, QUICK_ROUNDS);
    close_scenery(&s);
    for (unsigned i = 0; i < 2; i++)
        must_equal(end_of(guests[i]), STATUS_HOST_LEFT);
    must_equal(munmap(view.shared, view.size), 0);
}

HAZARD_MAIN("minimal_guest_wakes", hazard_test(no_wake_is_missing_between_minimal_guest_and_host),
            hazard_test(woken_minimal_guest_wakes_another_for_another_request))
