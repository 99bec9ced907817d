#define _GNU_SOURCE
#include "chaos/peer.h"

#include "chaos/caller.h"
#include "chaos/handler.h"
#include "chaos/holding.h"

#include <stdlib.h>
#include <unistd.h>

/* ---- A peer, and its threads ---- */

struct life {
    struct role role;
    struct post *post;
    struct chance chance;
    shmipc_peer *peer;
    struct service service;
    struct server servers[WORKERS];
    struct callers callers;
};

static bool is_host(const struct life *life) {
    return life->role.number == 0;
}

static int create(struct life *life) {
    shmipc_host_config config = SHMIPC_HOST_CONFIG_INIT;
    config.host_slots = HOST_SLOTS;
    config.guest_slots = GUEST_SLOTS;
    config.request_capacity = MESSAGE_MAX;
    config.response_capacity = MESSAGE_MAX;
    if (draw_from(&life->chance, 2) == 0)
        config.spin_ns = 0;
    return shmipc_host_create(life->role.ledger->region.text, &config, &life->peer);
}

static int attach(struct life *life) {
    shmipc_guest_config config = SHMIPC_GUEST_CONFIG_INIT;
    if (draw_from(&life->chance, 2) == 0)
        config.spin_ns = 0;
    return shmipc_guest_attach(life->role.ledger->region.text, &config, 10 * MILLISECOND,
                               &life->peer);
}

/* Where the host was killed, or has not yet come. */
static bool is_not_yet(int error) {
    return error == SHMIPC_E_NOT_FOUND;
}

static struct caller model_of(const struct life *life) {
    return (struct caller){.ledger = life->role.ledger,
                           .post = life->post,
                           .desk = &life->post->desks[DESKS - 1],
                           .peer = life->peer,
                           .chance = life->chance,
                           .host = is_host(life)};
}

static void begin(struct life *life) {
    life->service = (struct service){
        .ledger = life->role.ledger, .post = life->post, .peer = is_host(life) ? NULL : life->peer};
    for (unsigned i = 0; i < WORKERS; i++)
        server_start(&life->servers[i], life->peer, chaos_handler, &life->service);
    const struct caller model = model_of(life);
    callers_start(&life->callers, is_host(life) ? HOST_CALLERS : GUEST_CALLERS, &model);
    atomic_store(&life->post->attached, 1);
}

/* False: no peer could be made for now, or ever. */
static bool is_born(struct life *life) {
    int error = is_host(life) ? create(life) : attach(life);
    if (error == SHMIPC_OK) {
        begin(life);
        return true;
    }
    if (!is_not_yet(error))
        (void)post_fault(life->post, "no peer: %s", shmipc_last_error());
    return false;
}

static bool is_over(const struct life *life) {
    for (unsigned i = 0; i < WORKERS; i++) {
        if (atomic_load(&life->servers[i].done))
            return true;
    }
    return false;
}

/* Callers and workers are in the midst of it. */
static void leave(struct life *life) {
    static const int64_t timeouts[] = {0, 2 * MILLISECOND, SECOND};
    uint32_t manner = draw_from(&life->chance, 4);
    int error =
        manner == 3 ? shmipc_close(life->peer) : shmipc_shutdown(life->peer, timeouts[manner]);
    if (error != SHMIPC_OK && error != SHMIPC_E_TIMEOUT)
        (void)post_fault(life->post, "leaving: %s", shmipc_last_error());
}

static void check_end(struct life *life, int result) {
    bool well = result == SHMIPC_E_SHUTDOWN || result == SHMIPC_E_CLOSED ||
                (result == SHMIPC_E_PEER_DIED && !is_host(life));
    if (!well)
        (void)post_fault(life->post, "shmipc_serve came to %d", result);
}

static void end(struct life *life) {
    atomic_store(&life->post->attached, 0);
    leave(life);
    callers_join(&life->callers);
    for (unsigned i = 0; i < WORKERS; i++)
        check_end(life, server_join(&life->servers[i]));
    shmipc_free(life->peer);
    life->peer = NULL;
}

/* ---- Orders ---- */

static void gather(struct life *life) {
    int error = shmipc_wait_guests(life->peer, atomic_load(&life->post->guests), 20 * SECOND);
    if (error != SHMIPC_OK)
        (void)post_fault(life->post, "waiting for guests: %s", shmipc_last_error());
}

static void prove(const struct life *life) {
    struct caller caller = model_of(life);
    (void)prove_all_slots(&caller);
    holding_check(life->post, HOLDING_QUIET);
}

/* What is ordered of a peer that goes on living. */
static void obey(struct life *life, uint32_t order) {
    switch (order % 256) {
    case ORDER_GATHER:
        gather(life);
        break;
    case ORDER_QUIET:
        callers_quiet(&life->callers);
        break;
    case ORDER_PROVE:
        prove(life);
        break;
    default:
        callers_resume(&life->callers);
    }
    atomic_store(&life->post->obeyed, order);
}

static uint32_t new_order(const struct life *life) {
    uint32_t order = atomic_load(&life->post->order);
    return order == atomic_load(&life->post->obeyed) ? ORDER_NONE : order;
}

static void publish_stats(const struct life *life) {
    shmipc_stats stats;
    if (shmipc_get_stats(life->peer, &stats) != SHMIPC_OK)
        return;
    const uint64_t all[] = {stats.calls,     stats.failed, stats.served,
                            stats.discarded, stats.parks,  stats.wakes};
    for (unsigned i = 0; i < 6; i++)
        atomic_store(&life->post->stats[i], all[i]);
}

/* Until the peer is gone, or is to leave: the order is then not yet carried out. */
static uint32_t live(struct life *life) {
    uint32_t order = ORDER_NONE;
    for (;;) {
        order = new_order(life);
        if (is_over(life) || order % 256 == ORDER_LEAVE || order % 256 == ORDER_END)
            return order;
        if (order != ORDER_NONE)
            obey(life, order);
        publish_stats(life);
        pause_briefly();
    }
}

int chaos_peer(void *context) {
    static struct life life;
    life.role = *(const struct role *)context;
    life.post = &life.role.ledger->posts[life.role.number];
    life.chance = chance_of(life.role.ledger->seed, atomic_load(&life.post->incarnation));
    holding_check(life.post, HOLDING_NOTHING);
    while (new_order(&life) % 256 != ORDER_END) {
        if (!is_born(&life))
            continue;
        uint32_t order = live(&life);
        end(&life);
        holding_check(life.post, HOLDING_NOTHING);
        if (order % 256 == ORDER_LEAVE)
            atomic_store(&life.post->obeyed, order);
    }
    return 0;
}
