/*
 * Becoming a host.
 */
#include "api/config.h"

#include "base/error.h"
#include "base/thread.h"
#include "peer/peer.h"

CONFIG_CAN_GROW(shmipc_host_config, sddl);

static int check_config(const shmipc_host_config *config, struct geometry *g) {
    const uint32_t known = SHMIPC_LAZY | SHMIPC_GLOBAL | SHMIPC_WAIT_READY;
    if ((config->flags & ~known) != 0)
        return shmi_fail(SHMIPC_E_INVALID, "config.flags is 0x%x, allowed: 0x%x",
                         (unsigned)config->flags, (unsigned)known);
    if ((config->mode & ~0777u) != 0 || (config->mode & 0600u) != 0600u)
        return shmi_fail(SHMIPC_E_INVALID,
                         "config.mode is 0%o, it needs 0600 and no more than 0777",
                         (unsigned)config->mode);
    if (config->spin_ns < 0 && config->spin_ns != SHMIPC_SPIN_AUTO)
        return shmi_fail(SHMIPC_E_INVALID, "config.spin_ns is %lld", (long long)config->spin_ns);
    *g = (struct geometry){.host_slots = config->host_slots,
                           .guest_slots = config->guest_slots,
                           .request_capacity = config->request_capacity,
                           .response_capacity = config->response_capacity};
    if (!shmi_geometry_compute(g))
        return shmi_fail(SHMIPC_E_INVALID,
                         "%u host and %u guest slots (at least 1 together, at most %d each), "
                         "capacities %u and %u (1 to %u)",
                         (unsigned)config->host_slots, (unsigned)config->guest_slots,
                         SHMIPC_SLOTS_MAX, (unsigned)config->request_capacity,
                         (unsigned)config->response_capacity, (unsigned)SHMIPC_CAPACITY_MAX);
    return SHMIPC_OK;
}

static int create(const char *name, const shmipc_host_config *config, shmipc_peer **peer) {
    const struct object_rules rules = {.mode = config->mode,
                                       .owner = SHMIPC_OWNER_SELF,
                                       .lazy = (config->flags & SHMIPC_LAZY) != 0,
                                       .global = (config->flags & SHMIPC_GLOBAL) != 0,
                                       .sddl = config->sddl};
    const struct peer_settings settings = {.spin_ns = config->spin_ns,
                                           .log = config->log,
                                           .log_context = config->log_context,
                                           .wait_ready = (config->flags & SHMIPC_WAIT_READY) != 0};
    struct geometry geometry;
    struct region region;
    int error = check_config(config, &geometry);
    if (error == SHMIPC_OK)
        error = shmi_region_create(&region, name, &geometry, &rules);
    if (error == SHMIPC_OK)
        error = shmi_peer_open(region, HOST, 0, &settings, peer);
    if (error == SHMIPC_OK)
        shmi_peer_log(*peer, SHMIPC_LOG_INFO, "created region %s of %llu bytes", name,
                      (unsigned long long)geometry.total_size);
    return error;
}

int shmipc_host_create(const char *name, const shmipc_host_config *config, shmipc_peer **peer) {
    shmipc_host_config known = SHMIPC_HOST_CONFIG_INIT;
    if (peer == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the place for the peer is NULL");
    *peer = NULL;
    int error = shmi_region_check_name(name);
    if (error == SHMIPC_OK)
        error = shmi_config_read(&known, sizeof known, config);
    if (error)
        return error;
    /* On success the thread's last failure stays as it was. */
    const struct last_failure kept = shmi_thread_state()->last;
    const int cancellation = shmi_cancellation_off();
    error = create(name, &known, peer);
    shmi_cancellation_restore(cancellation);
    if (error == SHMIPC_OK)
        shmi_thread_state()->last = kept;
    return error;
}
