/* docs/examples/minimal_guest: hosts that are killed, and guests that are killed. */
#define _GNU_SOURCE
#include "hazard/guest_program.h"
#include "hazard/peers.h"
#include "support/processes.h"

#include "region/slot.h"

/* ---- Coming and going ---- */

/* A host that is to be killed: it calls, or its handler does not return. */
struct victim {
    struct region_name name;
    struct gate there;
    struct gate busy;
};

static int be_host(void *context) {
    shmipc_host_config config = test_host_config();
    struct victim *victim = context;
    shmipc_peer *host;
    must_equal(shmipc_host_create(victim->name.text, &config, &host), SHMIPC_OK);
    gate_pass(&victim->there);
    must_equal(shmipc_wait_guests(host, 1, patience()), SHMIPC_OK);
    while (host != NULL) {
        echo(host, 0, draw(200));
        gate_pass(&victim->busy);
    }
    return 1;
}

static int hang(void *context, const shmipc_request *request, shmipc_response *response) {
    struct victim *victim = context;
    (void)request;
    (void)response;
    gate_pass(&victim->busy);
    eventually(victim == NULL);
    return 0;
}

static int be_hanging_host(void *context) {
    shmipc_host_config config = test_host_config();
    struct victim *victim = context;
    shmipc_peer *host;
    must_equal(shmipc_host_create(victim->name.text, &config, &host), SHMIPC_OK);
    gate_pass(&victim->there);
    return shmipc_serve(host, hang, victim);
}

/* The next host takes the name of the one that was killed. */
static void kill_hosts(int (*host)(void *), const char *text, unsigned calls) {
    struct victim *victim = shared_memory(sizeof *victim);
    victim->name = new_name();
    for (unsigned round = 1; round <= 5; round++) {
        pid_t child = child_start(host, victim);
        gate_await(&victim->there, round);
        const unsigned before = atomic_load(&victim->busy.passed);
        struct process guest = start_guest(victim->name.text, text);
        gate_await(&victim->busy, before + calls);
        dawdle(1000000);
        child_kill(child);
        must_equal(end_of(guest), STATUS_HOST_DIED);
    }
    remove_planted(victim->name.text);
    shared_memory_free(victim, sizeof *victim);
}

static void minimal_guest_reports_a_host_that_was_killed(void **state) {
    (void)state;
    kill_hosts(be_host, NULL, 5);
    kill_hosts(be_hanging_host, "is anybody there?", 1);
}

/* ---- Kills ---- */

struct caller {
    shmipc_peer *host;
    uint32_t type;
    atomic_uint answered;
    atomic_bool stopping;
};

/* A call is told that it was started if its guest died over it; all other calls wait for the next
   guest. */
static void *call_on(void *context) {
    struct caller *c = context;
    while (!atomic_load(&c->stopping)) {
        uint8_t question[300];
        uint8_t answer[300];
        const uint32_t length = draw(sizeof question);
        shmipc_response response = {.data = answer, .capacity = sizeof answer};
        pattern_fill(question, length, length);
        int error = call(c->host, c->type, question, length, &response);
        if (error == SHMIPC_OK) {
            must_equal(response.length, length);
            must(pattern_holds(answer, length, length));
            atomic_fetch_add(&c->answered, 1);
        } else {
            must_equal(error, SHMIPC_E_PEER_DIED);
        }
    }
    return NULL;
}

static unsigned total(const struct caller *callers, unsigned count) {
    unsigned sum = 0;
    for (unsigned i = 0; i < count; i++)
        sum += atomic_load(&callers[i].answered);
    return sum;
}

static void kill_guests(const struct caller *callers, unsigned count, const char *name) {
    for (unsigned round = 0; round < scaled(100); round++) {
        const unsigned before = total(callers, count);
        struct process guest = start_guest(name, NULL);
        const unsigned more = draw(20);
        in_time(total(callers, count) > before + more);
        dawdle(500000);
        process_kill(guest);
        must_equal(end_of(guest), STATUS_KILLED);
    }
}

static void every_slot_can_be_used(const struct scenery *s) {
    const shmipc_guest_config config = test_guest_config();
    shmipc_peer *guest;
    whole_pool_can_be_claimed(s->host);
    must_equal(shmipc_guest_attach(s->name.text, &config, patience(), &guest), SHMIPC_OK);
    whole_pool_can_be_claimed(guest);
    must_equal(shmipc_shutdown(guest, patience()), SHMIPC_OK);
    shmipc_free(guest);
}

static void minimal_guest_may_be_killed_at_any_moment(void **state) {
    enum { COUNT = 4 };
    struct scenery s;
    struct caller callers[COUNT];
    pthread_t threads[COUNT];
    shmipc_host_config config = test_host_config();
    (void)state;
    config.flags |= SHMIPC_WAIT_READY;
    open_host(&s, &config);
    for (unsigned i = 0; i < COUNT; i++) {
        callers[i] =
            (struct caller){.host = s.host, .type = i % 2 == 0 ? 0 : SHMIPC_TYPE_GUEST_CALL};
        threads[i] = thread_start(call_on, &callers[i]);
    }
    kill_guests(callers, COUNT, s.name.text);
    struct process last = start_guest(s.name.text, NULL);
    for (unsigned i = 0; i < COUNT; i++)
        atomic_store(&callers[i].stopping, true);
    for (unsigned i = 0; i < COUNT; i++)
        thread_join(threads[i]);
    every_slot_can_be_used(&s);
    close_scenery(&s);
    must_equal(end_of(last), STATUS_HOST_LEFT);
}

HAZARD_MAIN("minimal_guest_deaths", hazard_test(minimal_guest_reports_a_host_that_was_killed),
            hazard_test(minimal_guest_may_be_killed_at_any_moment))
