/*
 * The serving side: take a request, run the handler, publish its answer; and how workers share
 * this. One worker polls; it runs handlers itself. Others stand by, asleep, until they are rung:
 * that happens when the poller is in a handler and a caller has waited in vain. A standby that
 * finds work becomes the poller.
 */
#include "responder.h"

#include "copy.h"
#include "error.h"
#include "liveness.h"
#include "membership.h"
#include "slot.h"
#include "types.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- One request ---- */

struct job {
    shmipc_request
        request; /* what the handler sees; first, so that shmipc_abandoned finds the job */
    shmipc_peer *peer;
    struct local_slot *slot;
    word taken;
    uint64_t flags; /* of the answer */
};

/* What the poll loop and the handler of one worker share. */
struct worker {
    shmipc_handler handler;
    void *context;
    uint32_t id;
    uint32_t next; /* where the next scan begins */
    bool ticked;   /* its last sleep ended because time passed, not by a ring */
    bool roused;   /* came out of a sleep, and has taken no request since */
};

static void discard(shmipc_peer *p, struct local_slot *l) {
    add_relaxed64(&l->discarded);
    if (doorbell_has_sleepers(&p->serves.vacancies))
        shmi_peer_ring(p, &p->serves.vacancies, WAKE_ONE);
}

static int publish(struct job *job) {
    struct local_slot *l = job->slot;
    switch (shmi_slot_publish_response(l->shared, job->taken, job->flags)) {
    case ANSWER_DELIVERED:
        return SHMIPC_OK;
    case ANSWER_DELIVERED_TO_SLEEPER:
        (void)shmi_word_wake(shmi_slot_futex(l->shared), WAKE_ALL);
        add_relaxed64(&l->wakes); /* the slot may have its next worker already */
        return SHMIPC_OK;
    case ANSWER_DISCARDED:
        discard(job->peer, l);
        return SHMIPC_OK;
    default:
        return shmi_peer_poison(job->peer, "slot word 0x%016llx while a handler ran",
                                (unsigned long long)shmi_slot_look(l->shared));
    }
}

/* Puts up to 48 bytes inline; longer ones are in the response buffer already. */
static int answer(struct job *job, uint32_t type, const void *data, size_t length) {
    struct slot *slot = job->slot->shared;
    if (length <= INLINE_SIZE)
        copy_small(slot->payload, data, length);
    store_relaxed32(&slot->length, (uint32_t)length);
    store_relaxed32(&slot->type, type);
    return publish(job);
}

static int answer_error(struct job *job, int error, const void *data, size_t length) {
    job->flags = WORD_ERROR;
    return answer(job, type_of_error(error), data, length);
}

static size_t message_limit(size_t capacity) {
    return capacity > INLINE_SIZE ? capacity : INLINE_SIZE;
}

static int answer_failure(struct job *job, const shmipc_response *response) {
    size_t limit = message_limit(job->peer->serves.response_capacity);
    size_t length = response->length < limit ? response->length : limit;
    return answer_error(job, SHMIPC_E_HANDLER, response->data, length);
}

static int answer_excess(struct job *job, const shmipc_response *response) {
    struct excess excess = {response->length, job->peer->serves.response_capacity};
    return answer_error(job, SHMIPC_E_TOO_LARGE, &excess, sizeof excess);
}

static int answer_success(struct job *job, const shmipc_response *response) {
    size_t capacity = job->peer->serves.response_capacity;
    const uint8_t *buffer = region_response_buffer(&job->peer->region, job->slot->shared);
    if (response->length > capacity)
        return answer_excess(job, response);
    if (!type_is_sendable(response->type))
        return answer_error(job, SHMIPC_E_TYPE, NULL, 0);
    if (response->flags & SHMIPC_ALIGN_END) {
        buffer += capacity - response->length;
        job->flags = response->length > INLINE_SIZE ? WORD_ALIGN_END : 0;
    }
    return answer(job, response->type, buffer, response->length);
}

static int run_handler(struct job *job, const struct worker *worker) {
    struct slot *slot = job->slot->shared;
    shmipc_response response = {
        .data = region_response_buffer(&job->peer->region, slot),
        .capacity = job->peer->serves.response_capacity,
        .type = SHMIPC_TYPE_NORMAL,
    };
    int failed = worker->handler(worker->context, &job->request, &response);
    response.data = region_response_buffer(&job->peer->region, slot);
    count64(&job->slot->served);
    return failed ? answer_failure(job, &response) : answer_success(job, &response);
}

/* The shared length is read once, and checked before it is used. */
static int view_request(struct job *job) {
    struct slot *slot = job->slot->shared;
    uint32_t length = load_relaxed32(&slot->length);
    uint32_t capacity = job->peer->serves.request_capacity;
    uint8_t *buffer = region_request_buffer(slot);
    if (length > capacity)
        return shmi_peer_poison(job->peer, "a request of %u bytes, the capacity is %u",
                                (unsigned)length, (unsigned)capacity);
    job->request.length = length;
    job->request.type = load_relaxed32(&slot->type);
    if (length <= INLINE_SIZE)
        job->request.data = slot->payload;
    else
        job->request.data = job->taken & WORD_ALIGN_END ? buffer + capacity - length : buffer;
    return SHMIPC_OK;
}

static int respond(struct job *job, const struct worker *worker) {
    int error = view_request(job);
    if (error)
        return error;
    if (type_is_sendable(job->request.type))
        return run_handler(job, worker);
    if (job->request.type == TYPE_HEARTBEAT)
        return answer(job, TYPE_HEARTBEAT_REPLY, NULL, 0);
    return answer_error(job, SHMIPC_E_TYPE, NULL, 0);
}

int shmipc_abandoned(const shmipc_request *request) {
    const struct job *job = (const struct job *)(const void *)request;
    return word_state(shmi_slot_look(job->slot->shared)) == SLOT_CANCELLED;
}

int shmipc_fail(shmipc_response *response, const char *format, ...) {
    size_t limit = message_limit(response->capacity);
    va_list arguments;
    va_start(arguments, format);
    /* vsnprintf wants room for its terminator: a text that fills the buffer loses its last byte. */
    int length = vsnprintf(response->data, limit, format, arguments);
    va_end(arguments);
    response->length = length < 0 ? 0 : (size_t)length < limit ? (size_t)length : limit - 1;
    return -1;
}

/* ---- Finding requests ---- */

static bool request_fits(const shmipc_peer *p, word seen) {
    uint32_t index = owner_index(word_owner(seen));
    if (seen & (WORD_ERROR | WORD_RECLAIMED))
        return false;
    return peer_is_host(p) ? index != HOST : word_owner(seen) == 0;
}

/* A guest signs a host slot as its owner; in a guest slot the owner is the caller already. */
static bool take(shmipc_peer *p, uint32_t index, word seen, struct job *job) {
    job->peer = p;
    job->slot = &p->slots[index];
    job->flags = 0;
    job->request.peer = owner_index(word_owner(seen));
    job->request.slot = index;
    return shmi_slot_take(job->slot->shared, seen, peer_is_host(p) ? word_owner(seen) : p->self,
                          &job->taken);
}

/* After a doorbell was armed or its generation read: the second half of the pair with
   shmi_slot_publish_request. */
static bool request_waits(const shmipc_peer *p) {
    const struct direction *d = &p->serves;
    for (uint32_t i = d->first; i < d->first + d->count; i++) {
        if (word_state(shmi_slot_look_again(region_slot(&p->region, i))) == SLOT_REQUEST)
            return true;
    }
    return false;
}

/* The ring that ended a sleep may have been for another request than the one that was found. */
static void pass_ring_on(shmipc_peer *p, struct worker *worker) {
    worker->roused = false;
    if (request_waits(p))
        shmi_peer_ring(p, &p->serves.requests, WAKE_ONE);
}

static int serve_slot(shmipc_peer *p, uint32_t index, word seen, struct worker *worker) {
    struct job job;
    if (!request_fits(p, seen))
        return shmi_peer_poison(p, "a request with the word 0x%016llx", (unsigned long long)seen);
    if (!take(p, index, seen, &job))
        return 0;
    if (worker->roused)
        pass_ring_on(p, worker);
    int error = respond(&job, worker);
    return error ? error : 1;
}

/* One look at every slot, beginning behind the last one served so that none starves. Serves at
   most one request: the count, or an error. */
static int serve_one(shmipc_peer *p, struct worker *worker) {
    const struct direction *d = &p->serves;
    for (uint32_t n = 0, i = worker->next; n < d->count; n++) {
        word seen = shmi_slot_look(region_slot(&p->region, d->first + i));
        uint32_t index = d->first + i;
        i = i + 1 < d->count ? i + 1 : 0;
        if (word_state(seen) != SLOT_REQUEST)
            continue;
        worker->next = i;
        int served = serve_slot(p, index, seen, worker);
        if (served != 0)
            return served;
    }
    return 0;
}

/* ---- What ends serving ---- */

static uint32_t wakes_of(uint64_t attendance) {
    return (uint32_t)(attendance >> 32);
}

static bool take_pending_wake(shmipc_peer *p) {
    return load_seq_cst32(&p->wake_pending) != 0 && exchange_seq_cst32(&p->wake_pending, 0) != 0;
}

/* `wakes_before`: those asked for before the wait began. */
static int woken(shmipc_peer *p, uint32_t wakes_before) {
    if (wakes_of(load_seq_cst64(&p->attendance)) == wakes_before && !take_pending_wake(p))
        return SHMIPC_OK;
    return shmi_fail(SHMIPC_E_WOKEN, "woken by shmipc_wake");
}

static int host_is_gone(shmipc_peer *p) {
    if (load_relaxed32(&p->deserted))
        return shmi_fail(SHMIPC_E_PEER_DIED, "the host of the region has died");
    if (shmi_peer_host_is_leaving(p) && !request_waits(p))
        return shmi_fail(SHMIPC_E_SHUTDOWN, "the host is shutting down");
    return SHMIPC_OK;
}

static int end_of_serving(shmipc_peer *p) {
    if (load_seq_cst32(&p->phase) != PEER_OPEN || load_relaxed32(&p->corrupt))
        return shmi_peer_refusal(p);
    return host_is_gone(p);
}

/* Between two requests: looks at private memory only. */
static int end_of_busy_serving(shmipc_peer *p, uint32_t wakes_before) {
    if (load_relaxed32(&p->phase) != PEER_OPEN)
        return end_of_serving(p);
    return woken(p, wakes_before);
}

/* ---- Waiting for requests ---- */

/* True if nobody rang: a look around after that is no reason to expect a request. */
static bool sleep_on_requests(shmipc_peer *p, uint32_t generation, uint64_t until) {
    add_relaxed64(&p->parks);
    shmi_doorbell_sleep(&p->serves.requests, generation, until);
    (void)shmi_membership_tick(p);
    return shmi_doorbell_generation(&p->serves.requests) == generation;
}

/* Sleeps until there may be a request. An error ends serving. */
static int sleep_as_poller(shmipc_peer *p, uint32_t wakes_before, struct deadline *deadline,
                           bool *ticked) {
    uint32_t generation = shmi_doorbell_arm(&p->serves.requests);
    int error = woken(p, wakes_before);
    if (error == SHMIPC_OK)
        error = end_of_serving(p);
    *ticked = error == SHMIPC_OK && !request_waits(p) &&
              sleep_on_requests(p, generation, shmi_deadline_or_tick(deadline));
    shmi_doorbell_disarm(&p->serves.requests);
    return error;
}

/* The poller sees to the ticks; a standby has only rings to wait for, and its own ticks in case
   the poller never comes back from its handler. */
static int sleep_as_standby(shmipc_peer *p, uint32_t wakes_before) {
    uint32_t generation = shmi_doorbell_generation(&p->serves.requests);
    int error = woken(p, wakes_before);
    if (error == SHMIPC_OK)
        error = end_of_serving(p);
    if (error)
        return error;
    /* Whoever resigned, or published and rang, before we read the generation will not ring again.
       */
    if (load_seq_cst32(&p->poller) == 0 || request_waits(p))
        return SHMIPC_OK;
    (void)sleep_on_requests(p, generation, shmi_clock_now() + 10 * TICK_NS);
    return SHMIPC_OK;
}

static bool is_poller(shmipc_peer *p, const struct worker *worker) {
    uint32_t poller = load_relaxed32(&p->poller);
    if (poller == worker->id)
        return true;
    return poller == 0 && cas_seq_cst32(&p->poller, &poller, worker->id);
}

/* A poller that is superseded while it is in a handler stands by when it comes back. */
static void become_poller(shmipc_peer *p, const struct worker *worker) {
    exchange_seq_cst32(&p->poller, worker->id);
}

static void resign(shmipc_peer *p, const struct worker *worker) {
    uint32_t poller = worker->id;
    if (cas_seq_cst32(&p->poller, &poller, 0))
        shmi_peer_ring(p, &p->serves.requests, WAKE_ALL);
}

static int poll_turn(shmipc_peer *p, struct worker *worker, uint32_t wakes_before) {
    struct deadline forever = deadline_in(SHMIPC_FOREVER);
    struct spin spin = spin_begin(&p->serve_spins);
    do {
        int served = serve_one(p, worker);
        spin_pay(&spin, p->serves.count);
        if (served < 0)
            return served;
        if (served > 0) {
            spin_won(&spin);
            worker->ticked = false;
            return end_of_busy_serving(p, wakes_before);
        }
    } while (!worker->ticked && spin_again(&spin));
    worker->roused = true;
    return sleep_as_poller(p, wakes_before, &forever, &worker->ticked);
}

static int standby_turn(shmipc_peer *p, struct worker *worker, uint32_t wakes_before) {
    worker->roused = true;
    int error = sleep_as_standby(p, wakes_before);
    if (error)
        return error;
    if (!request_waits(p))
        return SHMIPC_OK;
    become_poller(p, worker);
    return SHMIPC_OK;
}

static int serve(shmipc_peer *p, struct worker *worker, uint32_t wakes_before) {
    int error;
    do {
        error = is_poller(p, worker) ? poll_turn(p, worker, wakes_before)
                                     : standby_turn(p, worker, wakes_before);
    } while (error == SHMIPC_OK);
    resign(p, worker);
    return error;
}

/* ---- The public calls ---- */

static int check_handler(shmipc_handler handler) {
    return handler ? SHMIPC_OK : shmi_fail(SHMIPC_E_INVALID, "the handler is NULL");
}

static struct worker new_worker(shmipc_peer *p, shmipc_handler handler, void *context) {
    uint32_t id = 0;
    while (id == 0) /* 0 means that nobody polls */
        id = add_seq_cst32(&p->next_worker, 1) + 1;
    return (struct worker){.handler = handler, .context = context, .id = id};
}

static int enter_waiter(shmipc_peer *p, uint32_t *wakes_before) {
    int error = shmi_peer_enter(p);
    if (error == SHMIPC_OK)
        *wakes_before = wakes_of(add_seq_cst64(&p->attendance, 1));
    return error;
}

static void leave_waiter(shmipc_peer *p) {
    add_seq_cst64(&p->attendance, UINT64_MAX);
    shmi_peer_leave(p);
}

int shmipc_serve(shmipc_peer *p, shmipc_handler handler, void *context) {
    uint32_t wakes_before;
    int error = check_handler(handler);
    if (error == SHMIPC_OK)
        error = enter_waiter(p, &wakes_before);
    if (error)
        return error;
    struct worker worker = new_worker(p, handler, context);
    error = serve(p, &worker, wakes_before);
    leave_waiter(p);
    return error;
}

static int poll_all(shmipc_peer *p, struct worker *worker) {
    int count = 0;
    while ((uint32_t)count < p->serves.count) {
        int served = serve_one(p, worker);
        if (served < 0)
            return served;
        if (served == 0)
            break;
        count++;
    }
    return count;
}

/* A loop of nothing but shmipc_poll learns of deaths too. */
static int poll_once(shmipc_peer *p, struct worker *worker) {
    int error = end_of_serving(p);
    if (error)
        return error;
    int count = poll_all(p, worker);
    if (count == 0)
        (void)shmi_membership_tick(p);
    return count;
}

int shmipc_poll(shmipc_peer *p, shmipc_handler handler, void *context) {
    int error = check_handler(handler);
    if (error == SHMIPC_OK)
        error = shmi_peer_enter(p);
    if (error)
        return error;
    struct worker worker = new_worker(p, handler, context);
    int result = poll_once(p, &worker);
    shmi_peer_leave(p);
    return result;
}

static int wait_turn(shmipc_peer *p, uint32_t wakes_before, struct deadline *deadline) {
    bool ticked;
    int error = sleep_as_poller(p, wakes_before, deadline, &ticked);
    if (error || request_waits(p))
        return error;
    if (shmi_deadline_passed(deadline))
        return shmi_fail(SHMIPC_E_TIMEOUT, "no request came within %lld ns",
                         (long long)deadline->timeout);
    return SHMIPC_E_STATE; /* of no use to the user: go on */
}

static int wait_for_request(shmipc_peer *p, int64_t timeout, uint32_t wakes_before) {
    struct deadline deadline = deadline_in(timeout);
    struct spin spin = spin_begin(&p->serve_spins);
    int error;
    do {
        if (request_waits(p)) {
            spin_won(&spin);
            return SHMIPC_OK;
        }
        spin_pay(&spin, p->serves.count);
    } while (timeout != 0 && spin_again(&spin));
    do {
        error = wait_turn(p, wakes_before, &deadline);
    } while (error == SHMIPC_E_STATE);
    return error;
}

int shmipc_wait(shmipc_peer *p, int64_t timeout) {
    uint32_t wakes_before;
    int error = shmi_check_timeout(timeout);
    if (error == SHMIPC_OK)
        error = enter_waiter(p, &wakes_before);
    if (error)
        return error;
    error = wait_for_request(p, timeout, wakes_before);
    leave_waiter(p);
    return error;
}

int shmipc_wake(shmipc_peer *p) {
    int error = shmi_peer_enter(p);
    if (error)
        return error;
    uint32_t waiters = (uint32_t)add_seq_cst64(&p->attendance, UINT64_C(1) << 32);
    if (waiters == 0)
        exchange_seq_cst32(&p->wake_pending, 1);
    shmi_peer_ring(p, &p->serves.requests, WAKE_ALL);
    shmi_peer_leave(p);
    return SHMIPC_OK;
}

/* ---- Leaving ---- */

void shmi_responder_refuse_all(shmipc_peer *p) {
    for (uint32_t i = p->serves.first; i < p->serves.first + p->serves.count; i++) {
        word seen = shmi_slot_look(region_slot(&p->region, i));
        struct job job;
        if (word_state(seen) == SLOT_REQUEST && request_fits(p, seen) && take(p, i, seen, &job))
            (void)answer_error(&job, SHMIPC_E_SHUTDOWN, NULL, 0);
    }
}
