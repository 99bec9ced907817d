#define _GNU_SOURCE
#include "hazard/play.h"

#include <unistd.h>

int stay(void *context, const shmipc_request *request, shmipc_response *response) {
    struct stage *stage = context;
    (void)request;
    (void)response;
    atomic_fetch_add(&stage->runs, 1);
    gate_pass(&stage->entered);
    gate_await(&stage->go_on, 1);
    return 0;
}

int answer(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)context;
    (void)request;
    (void)response;
    return 0;
}

_Noreturn void stay_until_killed(struct stage *stage) {
    gate_pass(&stage->child_is_there);
    for (;;)
        pause();
}

void be_idle(struct stage *stage, shmipc_peer *peer) {
    (void)peer;
    stay_until_killed(stage);
}

static int act(void *context) {
    struct play *play = context;
    const shmipc_guest_config guest = test_guest_config();
    const shmipc_host_config host = test_host_config();
    shmipc_peer *peer;
    if (play->child_is_guest)
        must_equal(shmipc_guest_attach(play->stage->name.text, &guest, 20 * SECOND, &peer), 0);
    else
        must_equal(shmipc_host_create(play->stage->name.text, &host, &peer), 0);
    play->act(play->stage, peer);
    return 0;
}

pid_t begin(struct play *play) {
    const shmipc_guest_config guest = test_guest_config();
    const shmipc_host_config host = test_host_config();
    play->stage = shared_memory(sizeof *play->stage);
    play->stage->name = new_name();
    pid_t child = child_start(act, play);
    if (play->child_is_guest) {
        must_equal(shmipc_host_create(play->stage->name.text, &host, &play->peer), 0);
        must_equal(shmipc_wait_guests(play->peer, 1, 20 * SECOND), 0);
    } else {
        must_equal(shmipc_guest_attach(play->stage->name.text, &guest, 20 * SECOND, &play->peer),
                   0);
    }
    return child;
}

void strike(struct play *play, pid_t child) {
    gate_await(&play->stage->child_is_there, 1);
    child_kill(child);
    play->killed_at = now_ns();
}

void end(struct play *play) {
    shmipc_peer *next;
    shmipc_free(play->peer);
    must_equal(shmipc_host_create(play->stage->name.text, NULL, &next), 0);
    shmipc_free(next);
    must_equal(count_regions(), 0);
    shared_memory_free(play->stage, sizeof *play->stage);
}
