#define _GNU_SOURCE
#include "chaos/question.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

void question_write(void *data, size_t length, const struct question *question) {
    memcpy(data, question, sizeof *question);
    pattern_fill((uint8_t *)data + sizeof *question, length - sizeof *question, question->number);
}

bool question_read(const void *data, size_t length, struct question *question) {
    if (length < sizeof *question)
        return false;
    memcpy(question, data, sizeof *question);
    return question->wish < WISHES && question->answer_length >= ANSWER_MIN &&
           question->answer_length <= MESSAGE_MAX &&
           pattern_holds((const uint8_t *)data + sizeof *question, length - sizeof *question,
                         question->number);
}

void answer_write(void *data, const struct question *question) {
    memcpy(data, &question->number, sizeof question->number);
    pattern_fill((uint8_t *)data + ANSWER_MIN, question->answer_length - ANSWER_MIN,
                 ~question->number);
}

void failure_write(char text[static FAILURE_MAX], const struct question *question) {
    (void)snprintf(text, FAILURE_MAX, "call %" PRIu64 " was to fail", question->number);
}

static bool is_failure(const shmipc_response *response, const struct question *question) {
    char text[FAILURE_MAX];
    failure_write(text, question);
    return memmem(response->data, response->length, text, strlen(text)) != NULL;
}

static bool is_answer(const shmipc_response *response, const struct question *question) {
    uint64_t number = 0;
    if (response->type != ANSWER_TYPE || response->length != question->answer_length)
        return false;
    memcpy(&number, response->data, sizeof number);
    return number == question->number &&
           pattern_holds((const uint8_t *)response->data + ANSWER_MIN,
                         question->answer_length - ANSWER_MIN, ~question->number);
}

bool answer_holds(const shmipc_response *response, const struct question *question, int outcome) {
    return outcome == SHMIPC_OK ? is_answer(response, question) : is_failure(response, question);
}

const char *wish_name(unsigned wish) {
    static const char *const names[WISHES] = {"at once", "compute", "sleep", "fail", "call back"};
    return wish < WISHES ? names[wish] : "?";
}
