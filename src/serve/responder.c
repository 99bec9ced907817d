/*
 * The serving side of a slot: take a request, run the handler, publish its answer.
 */
#include "serve/responder.h"

#include "base/error.h"
#include "base/unwind.h"
#include "region/copy.h"
#include "region/slot.h"
#include "region/wake_caller.h"
#include "serve/poller.h"
#include "serve/requests.h"
#include "serve/running.h"
#include "serve/sentry.h"
#include "wire/types.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- One request ---- */

struct job {
    shmipc_request request; /* the handler's; it comes first, so shmipc_abandoned finds the job */
    shmipc_peer *peer;
    struct local_slot *slot;
    word taken;
    uint64_t flags;   /* of the answer */
    enum reach reach; /* of the answer */
    bool woke_caller;
};

static void discard(shmipc_peer *p, struct local_slot *l) {
    add_relaxed64(&l->service.discarded);
    if (eventcount_wants_notify(&p->serves.vacancies))
        shmi_peer_notify(p, &p->serves.vacancies, WAKE_ONE);
}

static void wake_caller(const struct job *job) {
    uint64_t begin = shmi_clock_now();
    shmi_wake_caller(&job->peer->region, job->request.slot, job->request.peer);
    shmi_duration_learn_wake(&job->peer->serving.durations, shmi_clock_now() - begin);
}

static int publish(struct job *job) {
    struct local_slot *l = job->slot;
    switch (shmi_slot_publish_response(l->shared, job->taken, job->flags)) {
    case ANSWER_DELIVERED:
        return SHMIPC_OK;
    case ANSWER_DELIVERED_TO_SLEEPER:
        job->woke_caller = true;
        wake_caller(job);
        add_relaxed64(&l->wakes); /* atomic: the slot may have its next worker already */
        return SHMIPC_OK;
    case ANSWER_DISCARDED:
        discard(job->peer, l);
        return SHMIPC_OK;
    default:
        return shmi_peer_mark_corrupt(job->peer, "slot word 0x%016llx while a handler ran",
                                      (unsigned long long)slot_look(l->shared));
    }
}

static void put_inline(struct job *job, const void *data, size_t length) {
    if (belongs_at_end(length))
        job->flags |= WORD_ALIGN_END;
    size_t offset = inline_offset(length, (job->flags & WORD_ALIGN_END) != 0);
    copy_in(job->slot->shared->payload, offset, data, length);
}

/* Copies a short answer inline; a longer one is in the response buffer already. */
static int answer(struct job *job, uint32_t type, const void *data, size_t length) {
    struct slot *slot = job->slot->shared;
    if (length <= INLINE_SIZE)
        put_inline(job, data, length);
    store_relaxed32(&slot->length, (uint32_t)length);
    store_relaxed32(&slot->type, type);
    job->reach = reach_of(length);
    return publish(job);
}

static int answer_error(struct job *job, int error, const void *data, size_t length) {
    job->flags = WORD_ERROR;
    return answer(job, type_of_error(error), data, length);
}

static int answer_failure(struct job *job, const shmipc_response *response) {
    size_t limit = job->peer->serves.response_capacity;
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
        job->flags = WORD_ALIGN_END;
    }
    return answer(job, response->type, buffer, response->length);
}

/* The handler does not return. Tells its caller; the unwinding then goes on. */
COLD static void answer_for_handler(struct job *job) {
    static const char text[] = "the handler threw an exception, or ended its thread";
    _Static_assert(sizeof text <= CACHE_LINE, "no region's answers are shorter than a line");
    count64(&job->slot->service.served);
    (void)answer_error(job, SHMIPC_E_HANDLER, text, sizeof text - 1);
}

static inline void answer_if_unwound(struct job *const *unanswered) {
    if (*unanswered != NULL)
        answer_for_handler(*unanswered);
}

static int answer_by_handler(struct job *job, struct worker *worker) {
    struct slot *slot = job->slot->shared;
    shmipc_response response = {
        .data = region_response_buffer(&job->peer->region, slot),
        .capacity = job->peer->serves.response_capacity,
        .type = SHMIPC_TYPE_NORMAL,
    };
    struct job *unanswered UNDONE_BY(answer_if_unwound) = job;
    int failed = run_handler(job->peer, worker, &job->request, &response);
    unanswered = NULL;
    response.data = region_response_buffer(&job->peer->region, slot);
    count64(&job->slot->service.served);
    return failed ? answer_failure(job, &response) : answer_success(job, &response);
}

/* The shared length is read once, and checked before it is used. */
static int view_request(struct job *job) {
    struct slot *slot = job->slot->shared;
    uint32_t length = load_relaxed32(&slot->length);
    uint32_t capacity = job->peer->serves.request_capacity;
    uint8_t *buffer = region_request_buffer(slot);
    const bool at_end = (job->taken & WORD_ALIGN_END) != 0;
    if (length > capacity)
        return shmi_peer_mark_corrupt(job->peer, "a request of %u bytes, the capacity is %u",
                                      (unsigned)length, (unsigned)capacity);
    job->request.length = length;
    job->request.type = load_relaxed32(&slot->type);
    if (length <= INLINE_SIZE)
        job->request.data = slot->payload + inline_offset(length, at_end);
    else
        job->request.data = at_end ? buffer + capacity - length : buffer;
    return SHMIPC_OK;
}

static int respond(struct job *job, struct worker *worker) {
    int error = view_request(job);
    if (error)
        return error;
    if (type_is_sendable(job->request.type))
        return answer_by_handler(job, worker);
    if (job->request.type == TYPE_HEARTBEAT)
        return answer(job, TYPE_HEARTBEAT_REPLY, NULL, 0);
    return answer_error(job, SHMIPC_E_TYPE, NULL, 0);
}

int shmipc_abandoned(const shmipc_request *request) {
    const struct job *job = (const struct job *)(const void *)request;
    return word_state(slot_look(job->slot->shared)) == SLOT_CANCELLED;
}

int shmipc_fail(shmipc_response *response, const char *format, ...) {
    size_t limit = response->capacity;
    va_list arguments;
    va_start(arguments, format);
    /* vsnprintf needs room for its terminator: a text that fills the buffer loses its last byte. */
    int length = vsnprintf(response->data, limit, format, arguments);
    va_end(arguments);
    response->length = length < 0 ? 0 : (size_t)length < limit ? (size_t)length : limit - 1;
    return -1;
}

/* ---- Taking requests ---- */

static bool request_fits(const shmipc_peer *p, word seen) {
    const bool unnamed_fits = word_owner(seen) == 0 && !peer_is_host(p);
    return (seen & (WORD_ERROR | WORD_RECLAIMED)) == 0 &&
           (unnamed_fits || owner_is_named(word_owner(seen)));
}

/* A guest signs a host slot as its owner; in a guest slot the owner is the caller already. */
static bool take(shmipc_peer *p, uint32_t index, word seen, struct job *job) {
    job->peer = p;
    job->slot = &p->slots[index];
    job->flags = 0;
    job->reach = REACHES_FIRST_LINE;
    job->woke_caller = false;
    job->request = (shmipc_request){.slot = index};
    if (peer_is_host(p))
        job->request.peer = owner_index(word_owner(seen));
    return shmi_slot_take(job->slot->shared, seen, peer_is_host(p) ? word_owner(seen) : p->self,
                          &job->taken);
}

/* True if this request ends a long idle period. A notification may wake two workers, and either may
   take the request: so the period ends when a request is taken, not when a worker wakes up. */
static bool end_rest(shmipc_peer *p) {
    uint64_t since = load_relaxed64(&p->serving.rests_since);
    store_relaxed64(&p->serving.rests_since, 0);
    return since != 0 && shmi_clock_now() - since >= REST_NS;
}

/* The notification that ended the sleep may have been for another request than the one found. Then
   the worker was not idle, but waited for a processor. */
static void on_wakeup(shmipc_peer *p, struct wakeup *wakeup) {
    wakeup->just_woken = false;
    bool rested = end_rest(p);
    if (wakeup->sole_request || !requests_wait(p))
        wakeup->owes_yield |= rested;
    else
        shmi_poller_pass_on(p);
}

/* A peer that closes looks for the requests it has taken, and may not see this one: so no handler
   runs for it. This seq_cst load pairs with the closing thread's store. */
static bool may_run(const shmipc_peer *p) {
    return load_seq_cst32(&p->life.phase) != PEER_CLOSED;
}

static enum reach further(enum reach a, enum reach b) {
    return a > b ? a : b;
}

int shmi_responder_serve(shmipc_peer *p, uint32_t index, word seen, struct worker *worker) {
    struct job job;
    if (!request_fits(p, seen))
        return shmi_peer_mark_corrupt(p, "a request with the word 0x%016llx",
                                      (unsigned long long)seen);
    if (!take(p, index, seen, &job))
        return 0;
    if (worker->wakeup.just_woken)
        on_wakeup(p, &worker->wakeup);
    if (worker->state == WORKER_POLLING && sentry_wants_call(p))
        shmi_sentry_call(p);
    int error = may_run(p) ? respond(&job, worker) : answer_error(&job, SHMIPC_E_SHUTDOWN, NULL, 0);
    worker->reach = further(job.reach, reach_of(job.request.length));
    worker->type = job.request.type;
    run_count(worker);
    worker->wakeup.owes_yield |= job.woke_caller;
    return error ? error : 1;
}

static void refuse(const shmipc_peer *p, const struct region *r, uint32_t index, word taken) {
    struct slot *slot = region_slot(r, index);
    struct local_eventcount vacancies = region_eventcount(r, EVENTCOUNT_GUEST_FREE, p->index);
    store_relaxed32(&slot->length, 0);
    store_relaxed32(&slot->type, type_of_error(SHMIPC_E_SHUTDOWN));
    enum reply_result fate = shmi_slot_publish_response(slot, taken, WORD_ERROR);
    if (fate == ANSWER_DELIVERED_TO_SLEEPER)
        shmi_wake_caller(r, index, owner_index(word_owner(taken)));
    if (fate == ANSWER_DISCARDED && eventcount_wants_notify(&vacancies))
        (void)shmi_eventcount_notify(&vacancies, WAKE_ONE);
}

/* The caller may park meanwhile, or give up. */
static bool take_to_refuse(const shmipc_peer *p, struct slot *slot, word *taken) {
    for (int i = 0; i < WORD_CHANGES; i++) {
        word seen = slot_look(slot);
        if (!request_is_ours(p, seen) || !request_fits(p, seen))
            return false;
        if (shmi_slot_take(slot, seen, word_owner(seen), taken))
            return true;
    }
    return false;
}

void shmi_responder_refuse_all(const shmipc_peer *p, const struct region *r) {
    for (uint32_t i = p->serves.first; i < p->serves.first + p->serves.count; i++) {
        word taken;
        if (take_to_refuse(p, region_slot(r, i), &taken))
            refuse(p, r, i, taken);
    }
}
