#define _GNU_SOURCE
#include "hazard/loops.h"

#include "peer/peer.h"
#include "support/readable.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

shmipc_host_config loop_config(void) {
    shmipc_host_config config = test_host_config();
    config.host_slots = LOOP_SLOTS;
    config.guest_slots = LOOP_SLOTS;
    return config;
}

/* ---- Loops ---- */

static int watch_by_edge(int fd) {
    int watch = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET};
    must(watch >= 0);
    must_equal(epoll_ctl(watch, EPOLL_CTL_ADD, fd, &event), 0);
    return watch;
}

void loop_open(struct loop *loop, shmipc_peer *peer, uint32_t events, bool by_edge) {
    shmipc_event event;
    *loop = (struct loop){.peer = peer, .watch = -1, .events = events};
    must_equal(shmipc_get_fd(peer, &loop->fd), SHMIPC_OK);
    if (by_edge)
        loop->watch = watch_by_edge(loop->fd);
    while (shmipc_next_event(peer, 0, &event) == SHMIPC_OK) {
    }
}

void loop_close(struct loop *loop) {
    (void)shmipc_disarm(loop->peer);
    for (size_t i = 0; i < loop->count; i++)
        (void)shmipc_slot_release(loop->slots[i]);
    if (loop->watch >= 0)
        must_equal(close(loop->watch), 0);
}

void loop_claim(struct loop *loop, size_t count) {
    for (loop->count = 0; loop->count < count; loop->count++)
        loop->slots[loop->count] = must_claim(loop->peer, 0);
}

void loop_without_ticks(struct loop *loop) {
    loop->peer->loop.tick_at = now_ns() + 3600 * (uint64_t)SECOND;
}

void loop_send(shmipc_slot slot) {
    must_equal(shmipc_slot_send(slot, SHMIPC_TYPE_APPLICATION, 0, 0), SHMIPC_OK);
}

int loop_arm(struct loop *loop) {
    return shmipc_arm(loop->peer, loop->events, loop->slots, loop->count);
}

bool loop_is_ready(const struct loop *loop, int64_t timeout) {
    struct epoll_event event;
    if (loop->watch < 0)
        return is_readable(loop->fd, timeout);
    return epoll_wait(loop->watch, &event, 1, (int)(timeout / MILLISECOND)) == 1;
}

bool loop_is_quiet(const struct loop *loop) {
    return !loop_is_ready(loop, 0) || now_ns() >= loop->peer->loop.tick_at;
}

void loop_await(struct loop *loop) {
    int there;
    while ((there = loop_arm(loop)) == 0)
        must(loop_is_ready(loop, 10 * SECOND));
    must_equal(there, 1);
}

int loop_receive(struct loop *loop, shmipc_slot slot, shmipc_response *response) {
    while (shmipc_slot_ready(slot) == 0)
        loop_await(loop);
    return shmipc_slot_receive(slot, 0, response);
}

int loop_call(struct loop *loop) {
    shmipc_response response;
    int error = shmipc_slot_send(loop->slots[0], SHMIPC_TYPE_APPLICATION, 0, 0);
    return error ? error : loop_receive(loop, loop->slots[0], &response);
}

/* ---- Their FIFOs ---- */

uint64_t nonce_of(const shmipc_peer *peer) {
    return peer->region.geometry.nonce;
}

void fifo_path(uint64_t nonce, uint32_t peer, char path[static 64]) {
    (void)snprintf(path, 64, "/dev/shm/shmipc-%016llx-ready-%u", (unsigned long long)nonce,
                   (unsigned)peer);
}

int count_fifos(uint64_t nonce) {
    int count = 0;
    char prefix[64];
    (void)snprintf(prefix, sizeof prefix, "shmipc-%016llx-", (unsigned long long)nonce);
    DIR *entries = opendir("/dev/shm");
    must(entries != NULL);
    for (struct dirent *entry = readdir(entries); entry != NULL; entry = readdir(entries))
        count += strncmp(entry->d_name, prefix, strlen(prefix)) == 0;
    (void)closedir(entries);
    return count;
}

/* ---- A loop and a guest ---- */

void stand_open(struct stand *s) {
    const shmipc_host_config config = loop_config();
    pair_open(&s->pair, &config);
    loop_open(&s->loop, s->pair.host, 0, false);
    loop_claim(&s->loop, 1);
    s->nonce = nonce_of(s->pair.host);
    fifo_path(s->nonce, 0, s->path);
}

void stand_close(struct stand *s) {
    loop_close(&s->loop);
    pair_close(&s->pair);
    must_equal(count_fifos(s->nonce), 0);
}

void stand_send(const struct stand *s) {
    loop_send(s->loop.slots[0]);
}

void stand_answer(const struct stand *s) {
    must_equal(shmipc_poll(s->pair.guest, echo_handler, NULL), 1);
}

void stand_receive(struct stand *s) {
    shmipc_response response;
    must_equal(loop_receive(&s->loop, s->loop.slots[0], &response), SHMIPC_OK);
}
