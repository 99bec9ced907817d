/*
 * What a request says, and what answers it: bytes that follow from the call's number, so that one
 * that belongs to another call, or has changed, shows. go_guest/question.go has the same.
 */
#ifndef SHMIPC_TESTS_CHAOS_QUESTION_H
#define SHMIPC_TESTS_CHAOS_QUESTION_H

#include "support/fixture.h"

enum { QUESTION_TYPE = 200, ANSWER_TYPE, MESSAGE_MAX = 1024, ANSWER_MIN = 8, FAILURE_MAX = 64 };

/* What the handler is to do. */
enum wish {
    WISH_AT_ONCE,
    WISH_COMPUTE,   /* for so long */
    WISH_SLEEP,     /* for so long */
    WISH_FAIL,      /* in Go: by an error or a panic */
    WISH_CALL_BACK, /* a guest: call the host */
    WISHES
};

struct question {
    uint64_t number; /* of the call */
    uint32_t wish;
    uint32_t time_us;
    uint32_t answer_length; /* ANSWER_MIN to MESSAGE_MAX */
    uint32_t reserved;
};

/* Writes `length` bytes, at least sizeof(struct question). */
void question_write(void *data, size_t length, const struct question *question);

/* False: these bytes were not written by question_write. */
bool question_read(const void *data, size_t length, struct question *question);

void answer_write(void *data, const struct question *question);
/* The message of a handler that was to fail. */
void failure_write(char text[static FAILURE_MAX], const struct question *question);

/* Whether this answers that question, if the outcome is OK; else whether it holds that message. */
bool answer_holds(const shmipc_response *response, const struct question *question, int outcome);

const char *wish_name(unsigned wish);

#endif
