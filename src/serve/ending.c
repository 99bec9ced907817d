#include "serve/ending.h"

#include "base/error.h"
#include "serve/requests.h"

static bool take_pending_wake(shmipc_peer *p) {
    return load_seq_cst32(&p->serving.wake_pending) != 0 &&
           exchange_seq_cst32(&p->serving.wake_pending, 0) != 0;
}

int shmi_ending_by_token(const struct until *until) {
    if (!stop_is_asked(until->stop))
        return SHMIPC_OK;
    return shmi_fail(SHMIPC_E_CANCELLED, "stopped by shmipc_stop");
}

int shmi_ending_by_wake(shmipc_peer *p, const struct until *until) {
    int error = shmi_ending_by_token(until);
    if (error)
        return error;
    if (ending_wakes(load_seq_cst64(&p->serving.waiters_and_wakes)) == until->wakes_before &&
        !take_pending_wake(p))
        return SHMIPC_OK;
    return shmi_fail(SHMIPC_E_WOKEN, "woken by shmipc_wake");
}

static int host_is_gone(shmipc_peer *p) {
    if (load_relaxed32(&p->membership.host_lost) == HOST_IS_DEAD)
        return shmi_fail(SHMIPC_E_PEER_DIED, "the host of the region has died");
    if (peer_host_is_leaving(p) && !requests_wait(p))
        return shmi_fail(SHMIPC_E_SHUTDOWN, "the host is shutting down");
    return SHMIPC_OK;
}

int shmi_ending_of_peer(shmipc_peer *p) {
    if (load_seq_cst32(&p->life.phase) != PEER_OPEN || load_relaxed32(&p->life.corrupt))
        return peer_refusal(p);
    return peer_is_host(p) ? shmi_peer_name_refusal(p) : host_is_gone(p);
}

int shmi_ending(shmipc_peer *p, const struct until *until) {
    int error = shmi_ending_by_wake(p, until);
    return error ? error : shmi_ending_of_peer(p);
}
