#include "call/send.h"

#include "base/error.h"
#include "call/pool.h"
#include "peer/address.h"
#include "peer/membership.h"
#include "region/copy.h"
#include "region/slot.h"

int shmi_send_refuse(const shmipc_peer *p, uint32_t type, size_t length) {
    if (!type_is_sendable(type))
        return shmi_fail(SHMIPC_E_TYPE, "type %u is reserved; free are %u and above",
                         (unsigned)type, SHMIPC_TYPE_APPLICATION);
    return shmi_fail(SHMIPC_E_TOO_LARGE, "the request has %zu bytes, the capacity is %u", length,
                     (unsigned)p->calls.request_capacity);
}

/* Until a dead guest is reaped, its bit among the sleepers costs every call a system call. */
static void note_vain_notify(shmipc_peer *p) {
    enum { VAIN_NOTIFIES_BEFORE_LOOK = 64 };
    uint32_t notifies = add_relaxed32(&p->calling.vain_notifies);
    if (peer_is_host(p) && notifies % VAIN_NOTIFIES_BEFORE_LOOK == VAIN_NOTIFIES_BEFORE_LOOK - 1)
        shmi_membership_reap_dead(p);
}

static void notify_workers(shmipc_peer *p, uint32_t wake_count) {
    if (shmi_eventcount_notify(&p->calls.requests, wake_count) == 0)
        note_vain_notify(p);
}

/* Within the direction. */
static uint32_t number_of(const shmipc_peer *p, const struct local_slot *l) {
    return (uint32_t)(l - p->slots) - p->calls.first;
}

static void notify_addressee(shmipc_peer *p, const struct local_slot *l, owner to) {
    if (shmi_eventcount_notify_peer(&p->calls.requests, owner_index(to), number_of(p, l)) == 0)
        note_vain_notify(p);
}

/* Wakes the guest that last served this slot, if it sleeps: its caches are warm, and guests that
   have slept long sleep on. `last` is the word before the request; in a guest slot its owner is the
   caller, which serves no such requests: then any sleeper is woken. */
COLD static void notify_home(shmipc_peer *p, struct local_slot *l, word last) {
    count64(&l->wakes);
    if (l->call.to != 0)
        notify_addressee(p, l, l->call.to);
    else if (shmi_eventcount_notify_home(&p->calls.requests, owner_index(word_owner(last)),
                                         number_of(p, l)) == 0)
        note_vain_notify(p);
}

/* Those peers that may take the slot's request, of the lower half of an eventcount's sets. */
static uint32_t takers(const struct local_slot *l) {
    return l->call.to != 0 ? UINT32_C(1) << owner_index(l->call.to) : ALL_PEERS;
}

/* A thread whose calls are always answered while it spins would keep its processor until the
   scheduler preempts it: too long if many threads wait for a processor. */
COLD static void yield_processor(const shmipc_peer *p) {
    if (shmi_pool_is_crowded(p))
        shmi_cpu_yield();
}

static int publish(shmipc_peer *p, struct local_slot *l, uint32_t type, size_t length,
                   uint64_t flags) {
    word last = l->last;
    word published;
    store_relaxed32(&l->shared->length, (uint32_t)length);
    store_relaxed32(&l->shared->type, type);
    if (!slot_publish_request(l->shared, last, p->self | l->call.to, flags, &published))
        return shmi_peer_mark_corrupt(
            p, "somebody else changed slot %u of this caller; nothing was sent",
            (unsigned)(l - p->slots));
    l->last = published;
    l->phase = PHASE_SENT;
    l->call.type = type;
    l->call.reach = reach_of(length);
    l->call.withdrawn = false;
    l->call.notified = false;
    const uint32_t sets = eventcount_sets(&p->calls.requests);
    l->call.polled = (sets >> POLLERS_SHIFT & takers(l)) != 0;
    l->call.woke_worker = !l->call.polled && (sets & takers(l)) != 0;
    count64(&l->calls);
    if (l->call.woke_worker)
        notify_home(p, l, last);
    if (load_relaxed64(&l->calls) % CALLS_PER_YIELD == 0)
        yield_processor(p);
    return SHMIPC_OK;
}

static int send_inline(shmipc_peer *p, struct local_slot *l, uint32_t type, const void *data,
                       size_t length, bool at_end) {
    copy_in(l->shared->payload, inline_offset(length, at_end), data, length);
    return publish(p, l, type, length, at_end ? WORD_ALIGN_END : 0);
}

static bool waits_ready(const shmipc_peer *p, uint32_t flags) {
    return p->wait_ready || (flags & SHMIPC_WAIT_READY) != 0;
}

int shmi_send_copy(shmipc_peer *p, struct local_slot *l, const shmipc_request *request) {
    size_t length = request->length;
    l->call.to = owner_of_address(request->to);
    l->call.waits_ready = waits_ready(p, request->flags);
    if (length <= INLINE_SIZE)
        return send_inline(p, l, request->type, request->data, length, belongs_at_end(length));
    memcpy(region_request_buffer(l->shared), request->data, length);
    return publish(p, l, request->type, length, 0);
}

int shmi_send_in_place(shmipc_peer *p, struct local_slot *l, uint64_t to, uint32_t type,
                       size_t length, uint32_t flags) {
    bool at_end = (flags & SHMIPC_ALIGN_END) != 0;
    l->call.to = owner_of_address(to);
    l->call.waits_ready = waits_ready(p, flags);
    if (length > INLINE_SIZE)
        return publish(p, l, type, length, at_end ? WORD_ALIGN_END : 0);
    const uint8_t *buffer = region_request_buffer(l->shared);
    if (at_end)
        buffer += p->calls.request_capacity - length;
    return send_inline(p, l, type, buffer, length, at_end || belongs_at_end(length));
}

void shmi_send_notify_parked(shmipc_peer *p, struct local_slot *l, word seen) {
    if (l->call.notified || word_state(seen) != SLOT_REQUEST ||
        (eventcount_sets(&p->calls.requests) & takers(l)) == 0)
        return;
    l->call.notified = true;
    count64(&l->wakes);
    if (l->call.to != 0)
        notify_addressee(p, l, l->call.to);
    else
        notify_workers(p, WAKE_ONE);
}

bool shmi_send_notify_for_all(shmipc_peer *p) {
    uint32_t untaken = 0;
    bool any = false;
    if (!eventcount_has_sleepers(&p->calls.requests))
        return false;
    for (uint32_t i = p->calls.first; i < p->calls.first + p->calls.count; i++) {
        word seen = slot_look(region_slot(&p->region, i));
        if (word_state(seen) != SLOT_REQUEST)
            continue;
        any = true;
        if (peer_is_host(p) && word_owner(seen) != 0)
            notify_addressee(p, &p->slots[i], word_owner(seen));
        else
            untaken++;
    }
    if (untaken > 0) {
        add_relaxed64(&p->wakes);
        notify_workers(p, untaken);
    }
    return any;
}
