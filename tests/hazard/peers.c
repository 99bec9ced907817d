#define _GNU_SOURCE
#include "hazard/peers.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- Rounds and chance ---- */

unsigned scaled(unsigned rounds) {
    const char *scale = getenv("SHMIPC_HAZARD_SCALE");
    unsigned long factor = scale == NULL ? 1 : strtoul(scale, NULL, 10);
    return rounds * (unsigned)(factor == 0 ? 1 : factor);
}

uint32_t draw(uint32_t below) {
    static _Thread_local uint64_t state;
    static _Thread_local pid_t drawer;
    if (drawer != getpid()) {
        drawer = getpid();
        state = now_ns() * 2 + (uint64_t)syscall(SYS_gettid) * UINT64_C(0x9e3779b97f4a7c15) + 1;
    }
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 20) % below;
}

void dawdle(uint32_t ns) {
    uint64_t until = now_ns() + draw(ns + 1);
    bool spins = draw(2) == 0;
    while (now_ns() < until) {
        if (!spins)
            sched_yield();
    }
}

int hazard_setup(void **state) {
    (void)state;
    watchdog_start("a test", 110);
    return 0;
}

int call_empty(shmipc_peer *peer, int64_t timeout) {
    const shmipc_request request = {.length = 0};
    return shmipc_call(peer, &request, NULL, timeout);
}

/* ---- The ways to make a call ---- */

const char *way_name(enum way way) {
    static const char *const names[WAYS] = {"pooled", "held", "held, copying", "zero-copy",
                                            "asynchronous"};
    return names[way];
}

static int claim(struct line *line, int64_t timeout) {
    if (line->holding)
        return SHMIPC_OK;
    int error = shmipc_slot_claim(line->peer, timeout, &line->slot);
    line->holding = error == SHMIPC_OK;
    return error;
}

static int send(struct line *line, const shmipc_request *request) {
    size_t capacity = 0;
    uint8_t *buffer = shmipc_slot_buffer(line->slot, &capacity);
    must(buffer != NULL);
    if (request->length > 0 && request->length <= capacity)
        memcpy(buffer, request->data, request->length);
    return shmipc_slot_send(line->slot, request->type, request->length, 0);
}

static void copy_out(const shmipc_response *view, shmipc_response *response) {
    size_t length = view->length < response->capacity ? view->length : response->capacity;
    if (length > 0)
        memcpy(response->data, view->data, length);
    response->length = view->length;
    response->type = view->type;
}

static int64_t time_left(uint64_t begin, int64_t timeout) {
    if (timeout == SHMIPC_FOREVER)
        return timeout;
    int64_t left = timeout - (int64_t)(now_ns() - begin);
    return left > 0 ? left : 0;
}

static void poll_until_ready(const struct line *line, uint64_t begin, int64_t timeout) {
    while (shmipc_slot_ready(line->slot) == 0 && time_left(begin, timeout) != 0)
        pause_briefly();
}

static bool leaves_slot_claimed(int error) {
    return error == SHMIPC_OK || error == SHMIPC_E_HANDLER || error == SHMIPC_E_TOO_LARGE ||
           error == SHMIPC_E_TYPE;
}

static int receive(struct line *line, shmipc_response *response, uint64_t begin, int64_t timeout) {
    shmipc_response view = {.data = NULL};
    if (line->way == WAY_ASYNCHRONOUS)
        poll_until_ready(line, begin, timeout);
    int error = shmipc_slot_receive(line->slot, time_left(begin, timeout), &view);
    line->holding = leaves_slot_claimed(error);
    if (line->holding)
        copy_out(&view, response);
    return error;
}

static int call_in_slot(struct line *line, const shmipc_request *request, shmipc_response *response,
                        int64_t timeout) {
    uint64_t begin = now_ns();
    int error = claim(line, timeout);
    if (error == SHMIPC_OK)
        error = send(line, request);
    if (error == SHMIPC_OK)
        error = receive(line, response, begin, timeout);
    if (line->way != WAY_HELD)
        line_end(line);
    return error;
}

static int call_copying(struct line *line, const shmipc_request *request, shmipc_response *response,
                        int64_t timeout) {
    uint64_t begin = now_ns();
    int error = claim(line, timeout);
    if (error)
        return error;
    error = shmipc_slot_call(line->slot, request, response, time_left(begin, timeout));
    line->holding = leaves_slot_claimed(error);
    return error;
}

int line_call(struct line *line, const shmipc_request *request, shmipc_response *response,
              int64_t timeout) {
    switch (line->way) {
    case WAY_POOLED:
        return shmipc_call(line->peer, request, response, timeout);
    case WAY_HELD_COPYING:
        return call_copying(line, request, response, timeout);
    default:
        return call_in_slot(line, request, response, timeout);
    }
}

void line_end(struct line *line) {
    if (line->holding)
        must_equal(shmipc_slot_release(line->slot), 0);
    line->holding = false;
}

/* ---- Scenes ---- */

enum { RESPONDERS_MAX = SHMIPC_GUESTS_MAX };

struct scene_stage {
    struct gate ready;
    struct gate stop;
    pid_t responders[RESPONDERS_MAX];
};

static unsigned at_least_one(unsigned count) {
    return count == 0 ? 1 : count;
}

static void end_well(int result) {
    must(result == SHMIPC_E_SHUTDOWN || result == SHMIPC_E_CLOSED || result == SHMIPC_E_PEER_DIED);
}

static void serve_with_workers(const struct scene *scene, shmipc_peer *peer) {
    struct server servers[64];
    unsigned workers = at_least_one(scene->workers);
    for (unsigned i = 0; i < workers; i++)
        server_start(&servers[i], peer, scene->handler, scene->context);
    gate_pass(&scene->stage->ready);
    if (!scene->host_calls) {
        gate_await(&scene->stage->stop, 1);
        (void)shmipc_shutdown(peer, 10 * SECOND);
    }
    for (unsigned i = 0; i < workers; i++)
        end_well(server_join(&servers[i]));
}

static int respond(void *context) {
    const struct scene *scene = context;
    shmipc_guest_config guest = SHMIPC_GUEST_CONFIG_INIT;
    shmipc_peer *peer = NULL;
    guest.spin_ns = scene->config.spin_ns;
    if (scene->host_calls)
        must_equal(shmipc_guest_attach(scene->name.text, &guest, 20 * SECOND, &peer), 0);
    else
        must_equal(shmipc_host_create(scene->name.text, &scene->config, &peer), 0);
    serve_with_workers(scene, peer);
    shmipc_free(peer);
    return 0;
}

static void call_from_here(struct scene *scene) {
    shmipc_guest_config guest = SHMIPC_GUEST_CONFIG_INIT;
    guest.spin_ns = scene->config.spin_ns;
    if (scene->host_calls)
        must_equal(shmipc_host_create(scene->name.text, &scene->config, &scene->caller), 0);
    else
        must_equal(shmipc_guest_attach(scene->name.text, &guest, 20 * SECOND, &scene->caller), 0);
}

void scene_open(struct scene *scene) {
    if (scene->config.size == 0)
        scene->config = test_host_config();
    scene->processes = at_least_one(scene->processes);
    scene->name = new_name();
    scene->stage = shared_memory(sizeof *scene->stage);
    for (unsigned i = 0; i < scene->processes; i++)
        scene->stage->responders[i] = child_start(respond, scene);
    call_from_here(scene);
    gate_await(&scene->stage->ready, scene->processes);
}

void scene_close(struct scene *scene) {
    shmipc_free(scene->caller);
    gate_pass(&scene->stage->stop);
    for (unsigned i = 0; i < scene->processes; i++) {
        if (scene->stage->responders[i] != 0)
            must_equal(child_wait(scene->stage->responders[i]), 0);
    }
    shared_memory_free(scene->stage, sizeof *scene->stage);
}

pid_t scene_responder(const struct scene *scene, unsigned index) {
    return scene->stage->responders[index];
}

void scene_forget(struct scene *scene, unsigned index) {
    scene->stage->responders[index] = 0;
}

const char *direction_name(bool host_calls) {
    return host_calls ? "host to guest" : "guest to host";
}

static void in_every_way(void (*test)(bool host_calls, enum way way), bool host_calls) {
    for (unsigned way = 0; way < WAYS; way++) {
        print_message("             %s, %s\n", direction_name(host_calls), way_name((enum way)way));
        test(host_calls, (enum way)way);
    }
}

void on_every_path(void (*test)(bool host_calls, enum way way)) {
    in_every_way(test, true);
    in_every_way(test, false);
}

uint32_t calling_slots(shmipc_peer *peer) {
    shmipc_info info;
    must_equal(shmipc_get_info(peer, &info), 0);
    return info.index == 0 ? info.host_slots : info.guest_slots;
}

void whole_pool_can_be_claimed(shmipc_peer *peer) {
    shmipc_slot slots[64];
    uint32_t count = calling_slots(peer);
    must(count <= 64);
    for (uint32_t i = 0; i < count; i++)
        must_equal(shmipc_slot_claim(peer, 10 * SECOND, &slots[i]), 0);
    for (uint32_t i = 0; i < count; i++)
        must_equal(shmipc_slot_release(slots[i]), 0);
}

bool thread_is_asleep(int thread) {
    char path[64];
    char state = '?';
    (void)snprintf(path, sizeof path, "/proc/self/task/%d/stat", thread);
    FILE *file = thread == 0 ? NULL : fopen(path, "re");
    if (file == NULL)
        return false;
    must_equal(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
    must_equal(fclose(file), 0);
    return state == 'S';
}
