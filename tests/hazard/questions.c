#define _GNU_SOURCE
#include "hazard/questions.h"

shmipc_host_config config_with_slots(uint32_t slots) {
    shmipc_host_config config = test_host_config();
    config.host_slots = slots;
    config.guest_slots = slots;
    config.request_capacity = BYTES;
    config.response_capacity = BYTES;
    return config;
}

struct question new_question(void) {
    struct question question = {.seed = (uint64_t)draw(1u << 30) << 30 | draw(1u << 30)};
    question.length = 8 + draw(2) * draw(BYTES - 8);
    pattern_fill(question.bytes, question.length, question.seed);
    return question;
}

int ask(struct line *line, const struct question *question, int64_t timeout) {
    uint8_t answer[BYTES];
    const shmipc_request request = {
        .data = question->bytes, .length = question->length, .type = 130};
    shmipc_response response = {.data = answer, .capacity = sizeof answer};
    int error = line_call(line, &request, &response, timeout);
    if (error == SHMIPC_OK) {
        must_equal(response.type, 130);
        must_equal(response.length, question->length);
        must(pattern_holds(answer, response.length, question->seed));
    }
    return error;
}

int send_some_type(struct line *line, uint32_t type, size_t length, int64_t timeout) {
    static const uint8_t bytes[BYTES + 1];
    uint8_t answer[BYTES];
    const shmipc_request request = {.data = bytes, .length = length, .type = type};
    shmipc_response response = {.data = answer, .capacity = sizeof answer};
    return line_call(line, &request, &response, timeout);
}
