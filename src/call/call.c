/*
 * Calls that copy, in a slot of the pool or in one that is held: shmipc.h, Calls.
 */
#include "base/error.h"
#include "base/unwind.h"
#include "call/caller.h"
#include "call/pool.h"
#include "peer/address.h"
#include "region/copy.h"

static void take_bytes(const shmipc_response *view, shmipc_response *response) {
    response->length = view->length < response->capacity ? view->length : response->capacity;
    if (response->length <= INLINE_SIZE)
        copy_out(response->data, view->data, response->length);
    else
        memcpy(response->data, view->data, response->length);
}

COLD static int answer_exceeds(const shmipc_response *view, size_t capacity) {
    return shmi_fail(SHMIPC_E_TOO_LARGE, "the answer has %zu bytes, the response buffer %zu",
                     view->length, capacity);
}

static void restore_cancellation(const int *before) {
    shmi_cancellation_restore(*before);
}

static void *allocate(const shmipc_response *response, size_t length) {
    const int before UNDONE_BY(restore_cancellation) = shmi_cancellation_off();
    void *data = response->allocate(response->allocate_context, length);
    restore_cancellation(&before); /* harmless if repeated */
    return data;
}

/* Calls the user's allocate only for an answer that does not fit. */
static bool make_room(const shmipc_response *view, shmipc_response *response) {
    if (view->length <= response->capacity || response->allocate == NULL)
        return true;
    void *data = allocate(response, view->length);
    if (data == NULL)
        return false;
    response->data = data;
    response->capacity = view->length;
    return true;
}

COLD static int no_room(const shmipc_response *view) {
    return shmi_fail(SHMIPC_E_NO_MEMORY,
                     "response->allocate gave no memory for an answer of %zu bytes", view->length);
}

/* `error` is the answer's own. A handler's message is copied as far as it fits; an answer that does
   not fit is not copied, but its size is reported. */
static int copy_answer(const shmipc_response *view, shmipc_response *response, int error) {
    if (response == NULL)
        return error == SHMIPC_OK && view->length > 0 ? answer_exceeds(view, 0) : error;
    response->flags = 0;
    response->type = view->type;
    response->length = 0;
    if (error != SHMIPC_OK && error != SHMIPC_E_HANDLER)
        return error;
    bool room = make_room(view, response);
    if (error == SHMIPC_OK && view->length > response->capacity) {
        response->length = view->length;
        return room ? answer_exceeds(view, response->capacity) : no_room(view);
    }
    take_bytes(view, response);
    return error;
}

/* Like shmi_caller_receive, leaves the slot claimed after an answer. */
static int call_in_slot(shmipc_peer *p, struct local_slot *l, const shmipc_request *request,
                        shmipc_response *response, struct await *await) {
    shmipc_response view = {.data = NULL};
    int error = shmi_send_copy(p, l, request);
    if (error) {
        shmi_pool_release(p, l);
        return error;
    }
    error = shmi_caller_receive(p, l, await, &view);
    return is_answer(error) ? copy_answer(&view, response, error) : error;
}

/* A slot that stays claimed while its answer is copied. */
struct held {
    shmipc_peer *peer;
    struct local_slot *slot; /* NULL: no longer held */
};

/* Releases the slot if the user's allocate does not return, but unwinds the stack. */
static inline void release_if_unwound(const struct held *held) {
    if (held->slot != NULL)
        shmi_pool_release(held->peer, held->slot);
}

/* The addressee is looked for in the region, which may be unmapped while this thread has no
   claim. */
static int claim_for(shmipc_peer *p, const shmipc_request *request, struct deadline *deadline,
                     struct local_slot **slot) {
    int error = shmi_pool_claim(p, deadline, slot);
    if (error)
        return error;
    error = check_address(p, request->to);
    if (error)
        shmi_pool_release(p, *slot);
    return error;
}

static int call_in_free_slot(shmipc_peer *p, const shmipc_request *request,
                             shmipc_response *response, struct deadline *deadline) {
    struct await await = {.deadline = deadline};
    struct local_slot *l;
    int error = claim_for(p, request, deadline, &l);
    if (error)
        return error;
    struct held held UNDONE_BY(release_if_unwound) = {p, l};
    error = call_in_slot(p, l, request, response, &await);
    held.slot = NULL;
    if (is_answer(error))
        shmi_pool_release(p, l);
    return error;
}

COLD static int refuse_call(const shmipc_peer *p, const shmipc_request *request,
                            const shmipc_response *response) {
    if (p == NULL || request == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the %s is NULL", p == NULL ? "peer" : "request");
    if (request->data == NULL && request->length > 0)
        return shmi_fail(SHMIPC_E_INVALID, "the request's data is NULL, its length %zu",
                         request->length);
    if ((request->flags & ~SHMIPC_WAIT_READY) != 0)
        return shmi_fail(SHMIPC_E_INVALID, "the request's flags are 0x%x, allowed: 0x%x",
                         (unsigned)request->flags, SHMIPC_WAIT_READY);
    return shmi_fail(SHMIPC_E_INVALID, "the response's data is NULL, its capacity %zu",
                     response->capacity);
}

static int check_call(const shmipc_peer *p, const shmipc_request *request,
                      const shmipc_response *response, int64_t timeout) {
    if (p == NULL || request == NULL || (request->data == NULL && request->length > 0) ||
        (request->flags & ~SHMIPC_WAIT_READY) != 0 ||
        (response != NULL && response->data == NULL && response->capacity > 0))
        return refuse_call(p, request, response);
    return check_timeout(timeout);
}

int shmipc_call(shmipc_peer *p, const shmipc_request *request, shmipc_response *response,
                int64_t timeout) {
    struct deadline deadline = deadline_in(timeout);
    int error = check_call(p, request, response, timeout);
    if (error == SHMIPC_OK)
        error = send_check(p, request->type, request->length);
    return error ? error : call_in_free_slot(p, request, response, &deadline);
}

/* An address that is none leaves the slot claimed, as every other wrong argument does. */
static int admit_call(shmipc_peer *p, struct local_slot *l, const shmipc_request *request) {
    int error = pool_admit(p, l);
    if (error)
        return error;
    error = check_address(p, request->to);
    if (error == SHMIPC_E_NO_PEER)
        shmi_pool_release(p, l);
    return error;
}

int shmipc_slot_call(shmipc_slot slot, const shmipc_request *request, shmipc_response *response,
                     int64_t timeout) {
    struct deadline deadline = deadline_in(timeout);
    struct await await = {.deadline = &deadline, .one_of_several = true};
    struct local_slot *l;
    int error = pool_resolve_idle(slot, &l);
    if (error == SHMIPC_OK)
        error = check_call(slot.peer, request, response, timeout);
    if (error == SHMIPC_OK)
        error = send_check(slot.peer, request->type, request->length);
    if (error == SHMIPC_OK)
        error = admit_call(slot.peer, l, request);
    return error ? error : call_in_slot(slot.peer, l, request, response, &await);
}

int shmipc_ping(shmipc_peer *p, int64_t timeout, int64_t *rtt) {
    const shmipc_request heartbeat = {.type = TYPE_HEARTBEAT};
    struct deadline deadline = deadline_in(timeout);
    struct await await = {.deadline = &deadline};
    struct local_slot *l;
    int error = check_call(p, &heartbeat, NULL, timeout);
    if (error == SHMIPC_OK)
        error = shmi_pool_claim(p, &deadline, &l);
    if (error)
        return error;
    uint64_t begin = shmi_clock_now();
    error = call_in_slot(p, l, &heartbeat, NULL, &await);
    if (error == SHMIPC_OK && rtt != NULL)
        *rtt = (int64_t)(shmi_clock_now() - begin);
    if (is_answer(error))
        shmi_pool_release(p, l);
    return error;
}
