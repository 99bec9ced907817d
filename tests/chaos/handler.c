#define _GNU_SOURCE
#include "chaos/handler.h"

#include "chaos/caller.h"

#include <string.h>
#include <time.h>

static void compute(uint32_t time_us) {
    uint64_t until = now_ns() + (uint64_t)time_us * NANOSECONDS_A_MICROSECOND;
    while (now_ns() < until)
        ;
}

static void block(uint32_t time_us) {
    const struct timespec time = {.tv_nsec = (long)time_us * NANOSECONDS_A_MICROSECOND};
    (void)nanosleep(&time, NULL);
}

/* Of this handler alone, so that its draws follow from the call's number. */
static void ask_in_turn(const struct service *service, uint64_t number) {
    struct caller caller = {.ledger = service->ledger,
                            .post = service->post,
                            .peer = service->peer,
                            .chance = chance_of(service->ledger->seed, number)};
    if (service->peer != NULL)
        call_back(&caller);
}

static void fulfil(const struct service *service, const struct question *question) {
    switch (question->wish) {
    case WISH_COMPUTE:
        compute(question->time_us);
        break;
    case WISH_SLEEP:
        block(question->time_us);
        break;
    case WISH_CALL_BACK:
        ask_in_turn(service, question->number);
        break;
    default:
        break;
    }
}

static int answer(const struct question *question, shmipc_response *response) {
    char text[FAILURE_MAX];
    if (question->wish == WISH_FAIL) {
        failure_write(text, question);
        return shmipc_fail(response, "%s", text);
    }
    response->type = ANSWER_TYPE;
    response->length = question->answer_length;
    answer_write(response->data, question);
    return 0;
}

int chaos_handler(void *context, const shmipc_request *request, shmipc_response *response) {
    const struct service *service = context;
    struct question question;
    struct question again;
    struct call *call = NULL;
    if (question_read(request->data, request->length, &question))
        call = ledger_call(service->ledger, question.number);
    if (call == NULL) {
        atomic_fetch_add(&service->ledger->garbled, 1);
        return shmipc_fail(response, "nobody has asked this");
    }
    ledger_start(call, service->post);
    fulfil(service, &question);
    if (!question_read(request->data, request->length, &again) ||
        memcmp(&question, &again, sizeof question) != 0)
        atomic_fetch_add(&service->ledger->garbled, 1);
    int result = answer(&question, response);
    ledger_finish(call, service->post);
    return result;
}
