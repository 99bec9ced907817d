/* Peers in separate process-id namespaces: no peer is found alive or dead by a process id. */
#define _GNU_SOURCE
#include "hazard/peers.h"

#include <sched.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { NOT_ALLOWED = 77 };

struct stage {
    struct region_name name;
    struct gate entered;
    struct gate go_on;
    atomic_int pid_within; /* of the peer, as it sees itself */
};

static int note_and_stay(void *context, const shmipc_request *request, shmipc_response *response) {
    struct stage *stage = context;
    (void)response;
    if (request->type != 200)
        return 0;
    gate_pass(&stage->entered);
    gate_await(&stage->go_on, 1);
    return 0;
}

static int guest_within(void *context) {
    struct stage *stage = context;
    shmipc_peer *guest;
    atomic_store(&stage->pid_within, getpid());
    must_equal(shmipc_guest_attach(stage->name.text, NULL, 20 * SECOND, &guest), 0);
    int error = shmipc_serve(guest, note_and_stay, stage);
    must(error == SHMIPC_E_SHUTDOWN || error == SHMIPC_E_PEER_DIED);
    shmipc_free(guest);
    return 0;
}

static int host_within(void *context) {
    struct stage *stage = context;
    shmipc_peer *host;
    atomic_store(&stage->pid_within, getpid());
    must_equal(shmipc_host_create(stage->name.text, NULL, &host), 0);
    (void)shmipc_serve(host, note_and_stay, stage);
    return 0;
}

/* The first child of a new namespace has process id 1 there. It dies with this process. */
struct within {
    int (*body)(void *context);
    void *context;
};

static int enter_namespace(void *context) {
    const struct within *within = context;
    if (unshare(CLONE_NEWPID) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWPID) != 0)
        return NOT_ALLOWED;
    pid_t child = fork();
    must(child >= 0);
    if (child == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        _exit(within->body(within->context));
    }
    return child_wait(child);
}

static pid_t start_within(struct within *within) {
    return child_start(enter_namespace, within);
}

static bool namespaces_are_allowed(void) {
    pid_t child = fork();
    must(child >= 0);
    if (child == 0)
        _exit(unshare(CLONE_NEWPID) == 0 || unshare(CLONE_NEWUSER | CLONE_NEWPID) == 0 ? 0 : 1);
    return child_wait(child) == 0;
}

static int call_of_type(shmipc_peer *peer, uint32_t type) {
    const shmipc_request request = {.type = type};
    return shmipc_call(peer, &request, NULL, 30 * SECOND);
}

static void *call_that_stays(void *context) {
    must_equal(call_of_type(context, 200), SHMIPC_E_PEER_DIED);
    return NULL;
}

/* Calls it, loses it in the middle of a call, and sees the next one come. */
static void lives_through_guests_of_other_namespaces(void) {
    struct stage *stage = shared_memory(sizeof *stage);
    struct within within = {guest_within, stage};
    shmipc_peer *host;
    shmipc_event event;
    stage->name = new_name();
    must_equal(shmipc_host_create(stage->name.text, NULL, &host), 0);
    for (unsigned i = 1; i <= 3; i++) {
        pid_t child = start_within(&within);
        must_equal(shmipc_next_event(host, 20 * SECOND, &event), 0);
        must_equal(event.kind, SHMIPC_EVENT_ATTACHED);
        must_equal(event.pid, 1);
        must_equal(call_of_type(host, 0), 0);
        pthread_t caller = thread_start(call_that_stays, host);
        gate_await(&stage->entered, i);
        must_equal(shmipc_next_event(host, 250 * MILLISECOND, &event), SHMIPC_E_TIMEOUT);
        child_kill(child);
        thread_join(caller);
        must_equal(shmipc_next_event(host, 20 * SECOND, &event), 0);
        must_equal(event.kind, SHMIPC_EVENT_DIED);
    }
    shmipc_free(host);
    shared_memory_free(stage, sizeof *stage);
}

static void lives_through_hosts_of_other_namespaces(void) {
    struct stage *stage = shared_memory(sizeof *stage);
    struct within within = {host_within, stage};
    shmipc_peer *host;
    stage->name = new_name();
    for (unsigned i = 1; i <= 3; i++) {
        shmipc_peer *guest;
        shmipc_event event;
        pid_t child = start_within(&within);
        must_equal(shmipc_guest_attach(stage->name.text, NULL, 20 * SECOND, &guest), 0);
        must_equal(call_of_type(guest, 0), 0);
        pthread_t caller = thread_start(call_that_stays, guest);
        gate_await(&stage->entered, i);
        must_equal(shmipc_next_event(guest, 250 * MILLISECOND, &event), SHMIPC_E_TIMEOUT);
        must_equal(shmipc_host_create(stage->name.text, NULL, &host), SHMIPC_E_NAME_IN_USE);
        child_kill(child);
        thread_join(caller);
        must_equal(shmipc_next_event(guest, 20 * SECOND, &event), 0);
        must_equal(event.kind, SHMIPC_EVENT_DIED);
        shmipc_free(guest);
    }
    must_equal(shmipc_host_create(stage->name.text, NULL, &host), 0);
    shmipc_free(host);
    shared_memory_free(stage, sizeof *stage);
}

static void test_peers_of_other_process_namespaces_live_and_die_like_others(void **state) {
    (void)state;
    if (!namespaces_are_allowed()) {
        print_message("             not tried: no process namespaces for this user here\n");
        skip();
    }
    lives_through_guests_of_other_namespaces();
    lives_through_hosts_of_other_namespaces();
}

HAZARD_MAIN("namespaces",
            hazard_test(test_peers_of_other_process_namespaces_live_and_die_like_others))
