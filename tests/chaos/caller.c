#define _GNU_SOURCE
#include "chaos/caller.h"

#include <string.h>
#include <time.h>

enum {
    TOGETHER_MAX = 3,
    SLOTS_MAX = 16,
    HANDLER_COMPUTES_US = 300,
    HANDLER_SLEEPS_US = 12000,
    WRITING_US = 1000,
    LATE_US = 15000,
    ABANDONED_US = 2000
};

#define PATIENT (60 * SECOND)

const char *call_way_name(unsigned way) {
    static const char *const names[CALL_WAYS] = {
        "by copy",   "in a held slot", "in place", "once in place", "polled", "received late",
        "cancelled", "abandoned",      "together", "called back",   "proof"};
    return way < CALL_WAYS ? names[way] : "?";
}

/* ---- One call, by any function ---- */

struct attempt {
    struct question question;
    uint64_t began;
    int64_t timeout;
    enum call_way way;
    uint32_t flags; /* of the request */
    size_t length;
};

static uint32_t some_length(struct chance *chance, uint32_t least) {
    static const uint32_t most[] = {48, 112, MESSAGE_MAX};
    return least + draw_from(chance, most[draw_from(chance, 3)] - least + 1);
}

static int64_t some_timeout(struct chance *chance) {
    static const int64_t timeouts[] = {0,       MILLISECOND / 5, 2 * MILLISECOND, 20 * MILLISECOND,
                                       PATIENT, PATIENT};
    return timeouts[draw_from(chance, 6)];
}

/* Half of the handlers return at once, so that the others find them under way. */
static void wish_something(struct question *question, struct chance *chance) {
    question->wish = draw_from(chance, 2) == 0 ? WISH_AT_ONCE : draw_from(chance, WISHES);
    if (question->wish == WISH_SLEEP)
        question->time_us = draw_from(chance, HANDLER_SLEEPS_US);
    else
        question->time_us = draw_from(chance, HANDLER_COMPUTES_US);
    question->answer_length = some_length(chance, ANSWER_MIN);
}

static void attempt_number(struct attempt *attempt, struct caller *caller) {
    const struct call call = {.way = (uint8_t)attempt->way,
                              .wish = (uint8_t)attempt->question.wish,
                              .timeout_us =
                                  (uint32_t)(attempt->timeout / NANOSECONDS_A_MICROSECOND)};
    attempt->question.number = ledger_begin(caller->ledger, caller->post, &call);
    attempt->began = now_ns();
    if (caller->desk != NULL)
        desk_take(caller->desk, attempt->question.number);
}

static struct attempt attempt_begin(struct caller *caller, enum call_way way, int64_t timeout) {
    struct attempt attempt = {.way = way, .timeout = timeout};
    wish_something(&attempt.question, &caller->chance);
    attempt.length = some_length(&caller->chance, sizeof attempt.question);
    if (caller->host && draw_from(&caller->chance, 4) == 0)
        attempt.flags = SHMIPC_WAIT_READY;
    attempt_number(&attempt, caller);
    return attempt;
}

static bool came_to_an_answer(int outcome) {
    return outcome == SHMIPC_OK || outcome == SHMIPC_E_HANDLER;
}

/* A caller that is refused at once would be refused again and again. */
static void rest_if_refused(int outcome) {
    const struct timespec rest = {.tv_nsec = MILLISECOND};
    if (outcome == SHMIPC_E_NO_PEER || outcome == SHMIPC_E_SHUTDOWN || outcome == SHMIPC_E_CLOSED)
        (void)nanosleep(&rest, NULL);
}

/* `response` is looked at where the outcome says that there is one. */
static void attempt_end(const struct attempt *attempt, struct caller *caller, int outcome,
                        const shmipc_response *response) {
    bool wrong = came_to_an_answer(outcome) && !answer_holds(response, &attempt->question, outcome);
    ledger_end(caller->ledger, caller->post, attempt->question.number, outcome, wrong);
    if (caller->desk != NULL)
        desk_clear(caller->desk);
    rest_if_refused(outcome);
}

static int64_t time_left(const struct attempt *attempt) {
    int64_t left = attempt->timeout - (int64_t)(now_ns() - attempt->began);
    return left > 0 ? left : 0;
}

static void pass(struct chance *chance, uint32_t most_us) {
    uint64_t until = now_ns() + (uint64_t)draw_from(chance, most_us) * NANOSECONDS_A_MICROSECOND;
    while (now_ns() < until)
        pause_briefly();
}

/* ---- Slots ---- */

static int hold(struct caller *caller, int64_t timeout) {
    if (caller->holding)
        return SHMIPC_OK;
    int error = shmipc_slot_claim(caller->peer, timeout, &caller->slot);
    caller->holding = error == SHMIPC_OK;
    return error;
}

/* STALE: the peer was closed meanwhile. */
static void give_back(struct caller *caller) {
    if (caller->holding)
        (void)shmipc_slot_release(caller->slot);
    caller->holding = false;
}

static int send_in(shmipc_slot slot, const struct attempt *attempt) {
    uint8_t *buffer = shmipc_slot_buffer(slot, NULL);
    must(buffer != NULL);
    question_write(buffer, attempt->length, &attempt->question);
    return shmipc_slot_send(slot, QUESTION_TYPE, attempt->length, attempt->flags);
}

/* The attempt is over, also if it fails. */
static bool send_held(struct caller *caller, const struct attempt *attempt) {
    int error = hold(caller, attempt->timeout);
    if (draw_from(&caller->chance, 4) == 0)
        pass(&caller->chance, WRITING_US);
    if (error == SHMIPC_OK)
        error = send_in(caller->slot, attempt);
    if (error == SHMIPC_OK)
        return true;
    give_back(caller);
    attempt_end(attempt, caller, error, NULL);
    return false;
}

static void receive_held(struct caller *caller, const struct attempt *attempt) {
    shmipc_response view = {.data = NULL};
    int error = shmipc_slot_receive(caller->slot, time_left(attempt), &view);
    attempt_end(attempt, caller, error, &view);
    caller->holding = came_to_an_answer(error);
}

/* ---- The ways ---- */

static int copying_call(struct caller *caller, const struct attempt *attempt,
                        shmipc_response *response) {
    uint8_t bytes[MESSAGE_MAX];
    const shmipc_request request = {
        .data = bytes, .length = attempt->length, .type = QUESTION_TYPE, .flags = attempt->flags};
    question_write(bytes, attempt->length, &attempt->question);
    if (attempt->way != IN_HELD_SLOT)
        return shmipc_call(caller->peer, &request, response, attempt->timeout);
    int error = hold(caller, attempt->timeout);
    if (error == SHMIPC_OK) {
        error = shmipc_slot_call(caller->slot, &request, response, time_left(attempt));
        caller->holding = came_to_an_answer(error);
    }
    return error;
}

static void call_copying(struct caller *caller, enum call_way way, int64_t timeout) {
    uint8_t bytes[MESSAGE_MAX];
    shmipc_response response = {.data = bytes, .capacity = sizeof bytes};
    struct attempt attempt = attempt_begin(caller, way, timeout);
    int error = copying_call(caller, &attempt, &response);
    attempt_end(&attempt, caller, error, &response);
}

static void call_in_place(struct caller *caller, enum call_way way) {
    struct attempt attempt = attempt_begin(caller, way, some_timeout(&caller->chance));
    if (!send_held(caller, &attempt))
        return;
    while (way == POLLED && shmipc_slot_ready(caller->slot) == 0 && time_left(&attempt) > 0)
        pause_briefly();
    if (way == LATE)
        pass(&caller->chance, LATE_US);
    receive_held(caller, &attempt);
    if (way == ONCE)
        give_back(caller);
}

static void send_canceller(struct caller *caller) {
    if (atomic_load(&caller->errand_at) != 0)
        return;
    caller->errand = caller->slot;
    atomic_store(&caller->errand_at,
                 now_ns() + (uint64_t)draw_from(&caller->chance, 3 * MILLISECOND));
}

static void call_to_be_cancelled(struct caller *caller) {
    struct attempt attempt = attempt_begin(caller, CANCELLED, PATIENT);
    if (!send_held(caller, &attempt))
        return;
    send_canceller(caller);
    receive_held(caller, &attempt);
}

static void call_and_abandon(struct caller *caller) {
    struct attempt attempt = attempt_begin(caller, ABANDONED, some_timeout(&caller->chance));
    if (!send_held(caller, &attempt))
        return;
    pass(&caller->chance, ABANDONED_US);
    give_back(caller);
    attempt_end(&attempt, caller, OUTCOME_ABANDONED, NULL);
}

/* The first slot is waited for, the others are not. */
static unsigned claim_several(struct caller *caller, shmipc_slot slots[TOGETHER_MAX]) {
    unsigned count = 0;
    int64_t timeout = 20 * MILLISECOND;
    while (count < TOGETHER_MAX && shmipc_slot_claim(caller->peer, timeout, &slots[count]) == 0) {
        timeout = 0;
        count++;
    }
    return count;
}

struct several {
    shmipc_slot slots[TOGETHER_MAX];
    struct attempt attempts[TOGETHER_MAX];
    bool open[TOGETHER_MAX];
    unsigned count;
};

/* Of the claimed slots those in which a request could be sent. */
static void send_several(struct caller *caller, struct several *several, unsigned claimed) {
    int64_t timeout = some_timeout(&caller->chance);
    several->count = 0;
    for (unsigned i = 0; i < claimed; i++) {
        shmipc_slot slot = several->slots[i];
        struct attempt attempt = attempt_begin(caller, TOGETHER, timeout);
        int error = send_in(slot, &attempt);
        if (error == SHMIPC_OK) {
            several->slots[several->count] = slot;
            several->attempts[several->count] = attempt;
            several->open[several->count++] = true;
        } else {
            (void)shmipc_slot_release(slot);
            attempt_end(&attempt, caller, error, NULL);
        }
    }
}

static size_t first_open(const struct several *several) {
    size_t first = 0;
    while (first < several->count && !several->open[first])
        first++;
    return first;
}

static void receive_of_several(struct caller *caller, struct several *several, size_t which,
                               int64_t timeout) {
    shmipc_response view = {.data = NULL};
    int error = shmipc_slot_receive(several->slots[which], timeout, &view);
    attempt_end(&several->attempts[which], caller, error, &view);
    if (came_to_an_answer(error))
        (void)shmipc_slot_release(several->slots[which]);
    several->open[which] = false;
}

/* Where none ends in time, the first is received all the same, which gives it up. */
static void call_together(struct caller *caller) {
    struct several several;
    size_t which = 0;
    send_several(caller, &several, claim_several(caller, several.slots));
    for (size_t first = 0; first < several.count; first = first_open(&several)) {
        const struct attempt *waiting = &several.attempts[first];
        desk_take(caller->desk, waiting->question.number);
        int error = shmipc_slot_wait_any(several.slots, several.count, time_left(waiting), &which);
        must(error == SHMIPC_OK || error == SHMIPC_E_TIMEOUT);
        if (error != SHMIPC_OK)
            which = first;
        receive_of_several(caller, &several, which, error == SHMIPC_OK ? SECOND : 0);
        which++;
    }
}

void call_back(struct caller *caller) {
    call_copying(caller, CALLED_BACK, 20 * MILLISECOND);
}

/* ---- Threads ---- */

/* Nobody waits for a slot while holding one. */
static void call_once(struct caller *caller) {
    enum call_way way = (enum call_way)draw_from(&caller->chance, CALLED_BACK);
    if (way == BY_COPY || way == TOGETHER)
        give_back(caller);
    switch (way) {
    case BY_COPY:
    case IN_HELD_SLOT:
        call_copying(caller, way, some_timeout(&caller->chance));
        break;
    case CANCELLED:
        call_to_be_cancelled(caller);
        break;
    case ABANDONED:
        call_and_abandon(caller);
        break;
    case TOGETHER:
        call_together(caller);
        break;
    default:
        call_in_place(caller, way);
    }
}

static void keep_quiet(struct caller *caller, struct callers *all) {
    give_back(caller);
    atomic_fetch_add(&all->idle, 1);
    eventually(!atomic_load(&all->quiet) || atomic_load(&all->over));
    atomic_fetch_sub(&all->idle, 1);
}

static void *call_until_over(void *context) {
    struct callers *all = context;
    struct caller *caller = &all->callers[atomic_fetch_add(&all->seated, 1)];
    while (!atomic_load(&all->over)) {
        if (atomic_load(&all->quiet))
            keep_quiet(caller, all);
        else if (ledger_has_room(caller->ledger))
            call_once(caller);
        else
            pause_briefly();
    }
    give_back(caller);
    return NULL;
}

static void run_errand(struct caller *caller) {
    uint64_t at = atomic_load(&caller->errand_at);
    if (at == 0 || now_ns() < at)
        return;
    (void)shmipc_slot_cancel(caller->errand); /* STALE: too late */
    atomic_store(&caller->errand_at, 0);
}

static void *cancel_until_over(void *context) {
    struct callers *all = context;
    while (!atomic_load(&all->over)) {
        for (unsigned i = 0; i < all->count; i++)
            run_errand(&all->callers[i]);
        pause_briefly();
    }
    return NULL;
}

static void caller_init(struct caller *caller, const struct caller *model, unsigned number) {
    caller->ledger = model->ledger;
    caller->post = model->post;
    caller->desk = &model->post->desks[number];
    caller->peer = model->peer;
    caller->chance = chance_of(model->chance.state, number);
    caller->host = model->host;
    caller->holding = false;
    atomic_store(&caller->errand_at, 0);
}

void callers_start(struct callers *callers, unsigned count, const struct caller *model) {
    memset(callers, 0, sizeof *callers);
    callers->count = count;
    for (unsigned i = 0; i < count; i++)
        caller_init(&callers->callers[i], model, i);
    for (unsigned i = 0; i < count; i++)
        callers->threads[i] = thread_start(call_until_over, callers);
    callers->canceller = thread_start(cancel_until_over, callers);
}

void callers_quiet(struct callers *callers) {
    atomic_store(&callers->quiet, true);
    eventually(atomic_load(&callers->idle) == callers->count);
}

void callers_resume(struct callers *callers) {
    atomic_store(&callers->quiet, false);
}

void callers_join(struct callers *callers) {
    atomic_store(&callers->over, true);
    for (unsigned i = 0; i < callers->count; i++)
        thread_join(callers->threads[i]);
    thread_join(callers->canceller);
}

/* ---- Proof ---- */

static bool prove_slot(struct caller *caller, shmipc_slot slot, unsigned index) {
    shmipc_response view = {.data = NULL};
    struct attempt attempt = {.way = PROOF,
                              .timeout = 10 * SECOND,
                              .length = sizeof attempt.question,
                              .question = {.answer_length = ANSWER_MIN}};
    attempt_number(&attempt, caller);
    int error = send_in(slot, &attempt);
    if (error == SHMIPC_OK)
        error = shmipc_slot_receive(slot, attempt.timeout, &view);
    attempt_end(&attempt, caller, error, &view);
    return error == SHMIPC_OK ||
           post_fault(caller->post, "quiet, a call in slot %u of %u fails: %s", index, slot.index,
                      shmipc_last_error());
}

bool prove_all_slots(struct caller *caller) {
    shmipc_slot slots[SLOTS_MAX];
    shmipc_info info;
    unsigned claimed = 0;
    must_equal(shmipc_get_info(caller->peer, &info), SHMIPC_OK);
    unsigned count = caller->host ? info.host_slots : info.guest_slots;
    must(count <= SLOTS_MAX);
    while (claimed < count &&
           shmipc_slot_claim(caller->peer, 10 * SECOND, &slots[claimed]) == SHMIPC_OK)
        claimed++;
    bool proved = claimed == count || post_fault(caller->post, "quiet, %u of %u slots: %s", claimed,
                                                 count, shmipc_last_error());
    for (unsigned i = 0; i < claimed; i++) {
        proved = proved && prove_slot(caller, slots[i], i);
        (void)shmipc_slot_release(slots[i]);
    }
    return proved;
}
