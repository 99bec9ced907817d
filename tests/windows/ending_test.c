/*
 * A process that ends: its modules are notified when its other threads were ended already, at any
 * point of their code, and a peer that is closed or freed then waits for none of them.
 */
#include "windows/roles.h"

#include <stdlib.h>
#include <string.h>
#include <windows.h>

enum { ENTERED_GATE, FREED_GATE, NEVER_GATE };

/* Written by main of a role, read when its process ends. */
static shmipc_peer *left_open;
static struct stage *its_stage;

static void free_the_rest(void) {
    shmipc_free(left_open);
    gate_pass(&its_stage->gates[FREED_GATE]);
}

static void be_called_at_the_end(void (*function)(void)) {
    void (*act_at_the_end)(void (*)(void));
    HMODULE plugin = LoadLibraryA(PLUGIN);
    must(plugin != NULL);
    FARPROC found = GetProcAddress(plugin, "act_at_the_end");
    must(found != NULL);
    memcpy(&act_at_the_end, &found, sizeof found);
    act_at_the_end(function);
}

static int hang(void *context, const shmipc_request *request, shmipc_response *response) {
    struct stage *stage = context;
    (void)request;
    (void)response;
    gate_pass(&stage->gates[ENTERED_GATE]);
    gate_await(&stage->gates[NEVER_GATE], 1);
    return 0;
}

static void *serve(void *stage) {
    (void)shmipc_serve(left_open, hang, stage);
    return NULL;
}

static int end_while_a_handler_runs(const char *region, struct stage *stage) {
    const shmipc_request nothing = {.data = NULL};
    be_called_at_the_end(free_the_rest);
    left_open = create(region);
    its_stage = stage;
    (void)thread_start(serve, stage);
    shmipc_peer *guest = attach(region);
    shmipc_slot slot;
    must_equal(shmipc_slot_claim(guest, 20 * SECOND, &slot), SHMIPC_OK);
    must_equal(shmipc_slot_send(slot, nothing.type, 0, 0), SHMIPC_OK);
    gate_await(&stage->gates[ENTERED_GATE], 1);
    return 0;
}

static const struct role roles[] = {{"end", end_while_a_handler_runs}, {NULL, NULL}};

static void a_process_ends_with_a_thread_in_a_handler(void **state) {
    (void)state;
    struct region_name name = new_name();
    struct stage *stage = stage_open(name.text);
    assert_int_equal(process_wait(role_start("end", name.text)), 0);
    gate_await(&stage->gates[FREED_GATE], 1);
    stage_close(stage);
}

int main(int argc, char **argv) {
    const struct CMUnitTest tests[] = {
        watched_test(a_process_ends_with_a_thread_in_a_handler),
    };
    play_role_if_asked(argc, argv, roles);
    return cmocka_run_group_tests_name("ending", tests, NULL, NULL);
}
