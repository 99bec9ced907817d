/*
 * Sending a request in a slot that is claimed, and notifying a worker of it.
 */
#ifndef SHMIPC_SEND_H
#define SHMIPC_SEND_H

#include "peer/peer.h"
#include "wire/types.h"

COLD int shmi_send_refuse(const shmipc_peer *peer, uint32_t type, size_t length);

/* TYPE or TOO_LARGE for a request that an application may not send. */
static inline int send_check(const shmipc_peer *p, uint32_t type, size_t length) {
    return type_is_sendable(type) && length <= p->calls.request_capacity
               ? SHMIPC_OK
               : shmi_send_refuse(p, type, length);
}

/* Publish a checked request, copied or written in place. CORRUPT: nothing was sent. */
int shmi_send_copy(shmipc_peer *peer, struct local_slot *local, const shmipc_request *request);
int shmi_send_in_place(shmipc_peer *peer, struct local_slot *local, uint64_t to, uint32_t type,
                       size_t length, uint32_t flags);

/*
 * A worker may be parked while the poller is in a handler. If no worker has taken the request when
 * the caller stops spinning, the caller notifies one, once. A notification at publishing does not
 * count, since the worker that received it may have found another request first. `seen` is the
 * slot's word.
 */
void shmi_send_notify_parked(shmipc_peer *peer, struct local_slot *local, word seen);

/* For a thread that may have several requests in flight, before it sleeps: if a worker sleeps,
   notifies as many as this peer has requests that are not taken. True if it notified. */
bool shmi_send_notify_for_all(shmipc_peer *peer);

#endif
