/*
 * Becoming a guest.
 */
#include "api/config.h"

#include "base/error.h"
#include "base/thread.h"
#include "peer/membership.h"
#include "region/liveness.h"
#include "wait/stop.h"

enum { RETRY_NS = 2000000, RETRY_MOST_NS = 50000000, INDEX_ROUNDS = 3 };

CONFIG_CAN_GROW(shmipc_guest_config, service);

static int check_config(const shmipc_guest_config *config) {
    if ((config->flags & ~(SHMIPC_GLOBAL | SHMIPC_CALLS_ONLY)) != 0)
        return shmi_fail(SHMIPC_E_INVALID, "config.flags is 0x%x, allowed: 0x%x",
                         (unsigned)config->flags, SHMIPC_GLOBAL | SHMIPC_CALLS_ONLY);
    if ((config->mode & ~0777u) != 0)
        return shmi_fail(SHMIPC_E_INVALID, "config.mode is 0%o, at most 0777",
                         (unsigned)config->mode);
    if (config->owner < 0 && config->owner != SHMIPC_OWNER_SELF)
        return shmi_fail(SHMIPC_E_INVALID, "config.owner is %lld", (long long)config->owner);
    if (config->spin_ns < 0 && config->spin_ns != SHMIPC_SPIN_AUTO)
        return shmi_fail(SHMIPC_E_INVALID, "config.spin_ns is %lld", (long long)config->spin_ns);
    return SHMIPC_OK;
}

static int lock_some_index(const struct region *r, uint32_t *index) {
    for (uint32_t i = HOST + 1; i < PEERS; i++) {
        enum lock_verdict verdict = shmi_peer_lock(r->object, i);
        if (verdict == LOCK_ERROR)
            return shmi_fail_lock(r->object, i);
        if (verdict == LOCK_TAKEN) {
            *index = i;
            return SHMIPC_OK;
        }
    }
    return shmi_fail(SHMIPC_E_FULL, "all of %d guests are attached", SHMIPC_GUESTS_MAX);
}

/* A host briefly holds a dead guest's lock to reap it: only several full rounds mean FULL. */
static int find_index(const struct region *r, uint32_t *index) {
    int error = SHMIPC_E_FULL;
    for (int round = 0; round < INDEX_ROUNDS && error == SHMIPC_E_FULL; round++) {
        error = lock_some_index(r, index);
        if (error == SHMIPC_E_FULL)
            shmi_cpu_yield();
    }
    return error;
}

/* Reclaims before the new epoch begins: we hold the lock, so every former epoch is dead. */
static owner enter_table(const struct region *r, uint32_t index,
                         const struct peer_settings *settings) {
    struct peer_record *record = &r->shared->peers[index];
    shmi_reclaim_index(r, index);
    uint32_t epoch = epoch_next(load_relaxed32(&record->epoch));
    if (load_relaxed32(&record->status) != PEER_VACANT)
        shmi_vacate_record(record, 0); /* the former owner died, and was not reaped yet */
    store_release32(&record->epoch, epoch);
    store_relaxed32(&record->pid, shmi_process_id());
    store_relaxed64(&record->origin, shmi_process_origin());
    store_relaxed64(&record->served, 0);
    store_relaxed64(&record->discarded, 0);
    store_relaxed64(&record->calls, 0);
    store_relaxed64(&record->failed, 0);
    /* Release: a peer that sees the service, or the status, sees the epoch that it belongs to. */
    store_release64(&r->shared->services[index], settings->service);
    store_release32(&record->status, settings->calls_only ? PEER_CALLS_ONLY : PEER_ATTACHED);
    return owner_make(index, epoch_in_word(epoch));
}

static bool host_takes_guests(const struct region *r) {
    return shmi_host_is_alive(r) && load_acquire32(&r->shared->peers[HOST].status) == PEER_ATTACHED;
}

static int join(struct region region, const struct peer_settings *settings, shmipc_peer **peer) {
    uint32_t index = 0;
    int error = find_index(&region, &index);
    if (error == SHMIPC_OK && !host_takes_guests(&region))
        error = shmi_fail(SHMIPC_E_NOT_FOUND, "the region's host is dead or leaving");
    if (error == SHMIPC_OK)
        error = shmi_object_settle(region.object);
    if (error) {
        shmi_region_close(&region);
        return error;
    }
    owner self = enter_table(&region, index, settings);
    error = shmi_peer_open(region, index, self, settings, peer);
    if (error == SHMIPC_OK) {
        (*peer)->membership.known[HOST] = (struct known_peer){.epoch = 1, .present = true};
        shmi_membership_announce(*peer);
    }
    return error;
}

static int try_attach(const char *name, const shmipc_guest_config *config, shmipc_peer **peer) {
    const struct object_rules rules = {.mode = config->mode,
                                       .owner = config->owner,
                                       .owner_sid = config->owner_sid,
                                       .global = (config->flags & SHMIPC_GLOBAL) != 0};
    const struct peer_settings settings = {.spin_ns = config->spin_ns,
                                           .log = config->log,
                                           .log_context = config->log_context,
                                           .calls_only = (config->flags & SHMIPC_CALLS_ONLY) != 0,
                                           .service = config->service};
    struct region region;
    int error = shmi_region_open(&region, name, &rules);
    if (error == SHMIPC_OK)
        error = join(region, &settings, peer);
    if (error == SHMIPC_OK)
        shmi_peer_log(*peer, SHMIPC_LOG_INFO, "attached to region %s as guest %u", name,
                      (unsigned)(*peer)->index);
    return error;
}

/* The system does not tell when a name appears, so an attach polls for it every few
   milliseconds. The interval grows in proportion to the wait so far, to use almost no
   processor time. */
static uint64_t retry_after(uint64_t waited_ns) {
    uint64_t share = waited_ns / 32;
    return share < RETRY_NS ? RETRY_NS : share > RETRY_MOST_NS ? RETRY_MOST_NS : share;
}

/* On the stack of a thread that attaches. */
struct attempt {
    atomic_u32 stopped; /* 1: its token was stopped; the word that it sleeps on */
};

static void pause_between_tries(uint64_t began, struct deadline *deadline,
                                struct attempt *attempt) {
    uint64_t now = shmi_clock_now();
    uint64_t until = now + retry_after(now - began);
    uint64_t at = shmi_deadline_at(deadline);
    (void)shmi_word_wait(NULL, &attempt->stopped, 0, sooner(at, until), NO_HOME);
}

static void wake_attach(void *context) {
    struct attempt *attempt = context;
    exchange_seq_cst32(&attempt->stopped, 1);
    (void)shmi_word_wake(NULL, &attempt->stopped, WAKE_ONE);
}

static int attach_unless_stopped(const char *name, const shmipc_guest_config *config,
                                 shmipc_peer **peer) {
    if (stop_is_asked(config->stop))
        return shmi_fail(SHMIPC_E_CANCELLED, "stopped while waiting for a host of %s", name);
    return try_attach(name, config, peer);
}

static int attach(const char *name, const shmipc_guest_config *config, int64_t timeout,
                  shmipc_peer **peer) {
    struct deadline deadline = deadline_in(timeout);
    const uint64_t began = shmi_clock_now();
    struct attempt attempt = {.stopped = 0};
    struct stop_waiter waiter = {.wake = wake_attach, .context = &attempt};
    shmi_stop_join(config->stop, &waiter);
    int error = attach_unless_stopped(name, config, peer);
    while (error == SHMIPC_E_NOT_FOUND && !shmi_deadline_passed(&deadline)) {
        pause_between_tries(began, &deadline, &attempt);
        error = attach_unless_stopped(name, config, peer);
    }
    shmi_stop_leave(config->stop, &waiter);
    if (error == SHMIPC_E_NOT_FOUND)
        return shmi_fail(error, "no live host had a region named %s within %lld ns", name,
                         (long long)timeout);
    return error;
}

int shmipc_guest_attach(const char *name, const shmipc_guest_config *config, int64_t timeout,
                        shmipc_peer **peer) {
    shmipc_guest_config known = SHMIPC_GUEST_CONFIG_INIT;
    if (peer == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the place for the peer is NULL");
    *peer = NULL;
    int error = shmi_region_check_name(name);
    if (error == SHMIPC_OK)
        error = check_timeout(timeout);
    if (error == SHMIPC_OK)
        error = shmi_config_read(&known, sizeof known, config);
    if (error == SHMIPC_OK)
        error = check_config(&known);
    if (error)
        return error;
    /* Failed tries are no failure of an attach that succeeds. */
    const struct last_failure kept = shmi_thread_state()->last;
    const int cancellation = shmi_cancellation_off();
    if (known.stop == NULL)
        known.stop = shmi_stop_of_thread();
    error = attach(name, &known, timeout, peer);
    shmi_cancellation_restore(cancellation);
    if (error == SHMIPC_OK)
        shmi_thread_state()->last = kept;
    return error;
}
