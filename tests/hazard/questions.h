/* Requests whose answer must be the same bytes, and threads that ask. */
#ifndef SHMIPC_TESTS_QUESTIONS_H
#define SHMIPC_TESTS_QUESTIONS_H

#include "hazard/peers.h"

enum { BYTES = 512 };

shmipc_host_config config_with_slots(uint32_t slots);

/* A question that is a pattern of its seed; the answer must be the same bytes. */
struct question {
    uint8_t bytes[BYTES];
    size_t length;
    uint64_t seed;
};

struct question new_question(void);

/* Calls with the question, and compares the answer with it. */
int ask(struct line *line, const struct question *question, int64_t timeout);

/* A thread that asks, and how many of its questions were answered and given up. */
struct asking {
    struct line line;
    unsigned rounds;
    unsigned answered;
    unsigned given_up;
};

/* A call whose answer is not looked at. */
int send_some_type(struct line *line, uint32_t type, size_t length, int64_t timeout);

#endif
