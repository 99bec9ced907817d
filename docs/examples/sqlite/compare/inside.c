/* The same functions in C, in the extension: what asking Go is compared with. */
#include "extension.h"

#include <stdint.h>
#include <string.h>

static void hash(const unsigned char *text, size_t length, shmipc_response *response) {
    uint64_t hash = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < length; i++)
        hash = (hash ^ text[i]) * UINT64_C(1099511628211);
    memcpy(response->data, &hash, sizeof hash);
    response->length = sizeof hash;
}

static void variance(const char *request, size_t length, shmipc_response *response) {
    struct {
        uint64_t count;
        double mean;
        double squares;
    } moments;
    memcpy(&moments, request, sizeof moments);
    for (size_t at = sizeof moments; at < length; at += sizeof(double)) {
        double value;
        memcpy(&value, request + at, sizeof value);
        moments.count++;
        double distance = value - moments.mean;
        moments.mean += distance / (double)moments.count;
        moments.squares += distance * (value - moments.mean);
    }
    memcpy(response->data, &moments, sizeof moments);
    response->length = sizeof moments;
}

static char *print(char *text, int64_t number) {
    char digits[20];
    int count = 0;
    do
        digits[count++] = (char)('0' + number % 10);
    while (number /= 10);
    while (count)
        *text++ = digits[--count];
    return text;
}

static uint32_t print_factors(char *text, int64_t number) {
    char *end = text;
    for (int64_t factor = 2; factor <= number / factor;) {
        if (number % factor == 0) {
            end = print(end, factor);
            *end++ = '*';
            number /= factor;
        } else {
            factor++;
        }
    }
    return (uint32_t)(print(end, number) - text);
}

static void factors(const int64_t *range, shmipc_response *response) {
    char text[200]; /* no number has more than 62 factors */
    for (int64_t number = range[0]; number <= range[1]; number++) {
        char *row = (char *)response->data + response->length;
        uint32_t length = print_factors(text, number);
        if (response->length + sizeof number + sizeof length + length > response->capacity)
            return;
        memcpy(row, &number, sizeof number);
        memcpy(row + sizeof number, &length, sizeof length);
        memcpy(row + sizeof number + sizeof length, text, length);
        response->length += sizeof number + sizeof length + length;
    }
}

int ask(sqlite3 *db, const shmipc_request *request, shmipc_response *response, const char **why) {
    (void)db;
    response->length = 0;
    switch (request->type) {
    case TYPE_HASH:
        hash(request->data, request->length, response);
        return SQLITE_OK;
    case TYPE_VARIANCE:
        variance(request->data, request->length, response);
        return SQLITE_OK;
    case TYPE_FACTORS:
        factors(request->data, response);
        return SQLITE_OK;
    default:
        *why = "only in Go";
        return SQLITE_ERROR;
    }
}

void region_hold(void) {}

void region_drop(void *unused) {
    (void)unused;
}

int region_timeout(int milliseconds) {
    return milliseconds;
}
