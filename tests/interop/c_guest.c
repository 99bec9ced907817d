/*
 * A guest in C that does what script.h says, until its host leaves gracefully. With a third
 * argument it attaches again when the host is gone; with "crowd <first> <count>" it only calls, see
 * crowd.h.
 */
#include "crowd.h"
#include "script.h"

#include "support/fixture.h"
#include "support/processes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CAPACITY_MAX = 4096 };

static shmipc_peer *self;

static uint32_t read_u32(const shmipc_request *request) {
    uint32_t value = 0;
    memcpy(&value, request->data, request->length < sizeof value ? request->length : sizeof value);
    return value;
}

static int pattern(const shmipc_request *request, shmipc_response *response, bool at_end) {
    uint32_t length = read_u32(request);
    response->length = length;
    if (length > response->capacity)
        return 0;
    uint8_t *to = (uint8_t *)response->data + (at_end ? response->capacity - length : 0);
    for (uint32_t i = 0; i < length; i++)
        to[i] = (uint8_t)(i * 7 + length);
    response->flags = at_end ? SHMIPC_ALIGN_END : 0;
    return 0;
}

static int answer(shmipc_response *response, const void *data, size_t length) {
    memcpy(response->data, data, length);
    response->length = length;
    return 0;
}

static int call_host(const shmipc_request *request, shmipc_response *response) {
    const shmipc_request call = {
        .data = request->data, .length = request->length, .type = HOST_ECHO};
    int error = shmipc_call(self, &call, response, SHMIPC_TIMEOUT_DEFAULT);
    response->type = SHMIPC_TYPE_NORMAL;
    return error ? shmipc_fail(response, "%s", shmipc_last_error()) : 0;
}

static int call_with(uint32_t type, size_t length, int64_t timeout) {
    static const char bytes[CAPACITY_MAX + 1];
    const shmipc_request call = {.data = bytes, .length = length, .type = type};
    return shmipc_call(self, &call, NULL, timeout);
}

static int call_too_large(void) {
    shmipc_info info;
    int error = shmipc_get_info(self, &info);
    return error ? error : call_with(HOST_ECHO, info.request_capacity + 1, SHMIPC_TIMEOUT_DEFAULT);
}

static int misuse_slot(uint32_t provocation) {
    shmipc_slot slot;
    shmipc_response response;
    int error = shmipc_slot_claim(self, SHMIPC_TIMEOUT_DEFAULT, &slot);
    if (error)
        return error;
    if (provocation == PROVOKE_CANCELLED) {
        shmipc_slot_send(slot, HOST_HANG, 0, 0);
        shmipc_slot_cancel(slot);
        return shmipc_slot_receive(slot, SHMIPC_TIMEOUT_DEFAULT, &response);
    }
    if (provocation == PROVOKE_STATE)
        error = shmipc_slot_receive(slot, SHMIPC_TIMEOUT_DEFAULT, &response);
    shmipc_slot_release(slot);
    return provocation == PROVOKE_STALE ? shmipc_slot_release(slot) : error;
}

static int provoke(uint32_t provocation) {
    switch (provocation) {
    case PROVOKE_NOTHING:
        return call_with(HOST_ECHO, 0, SHMIPC_TIMEOUT_DEFAULT);
    case PROVOKE_TYPE:
        return call_with(3, 0, SHMIPC_TIMEOUT_DEFAULT);
    case PROVOKE_TOO_LARGE:
        return call_too_large();
    case PROVOKE_HANDLER:
        return call_with(HOST_FAIL, 0, SHMIPC_TIMEOUT_DEFAULT);
    case PROVOKE_ANSWER:
        return call_with(HOST_TOO_MUCH, 0, SHMIPC_TIMEOUT_DEFAULT);
    case PROVOKE_TIMEOUT:
        return call_with(HOST_HANG, 0, 20000000);
    default:
        return misuse_slot(provocation);
    }
}

static int answer_provocation(const shmipc_request *request, shmipc_response *response) {
    int32_t error = provoke(read_u32(request));
    return answer(response, &error, sizeof error);
}

static int ping_host(shmipc_response *response) {
    int64_t rtt = 0;
    int error = shmipc_ping(self, SHMIPC_TIMEOUT_DEFAULT, &rtt);
    return error ? shmipc_fail(response, "%s", shmipc_last_error())
                 : answer(response, &rtt, sizeof rtt);
}

static int act(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)context;
    switch (request->type) {
    case SCRIPT_ECHO:
        response->type = SCRIPT_ECHO;
        return answer(response, request->data, request->length);
    case SCRIPT_PATTERN:
        return pattern(request, response, false);
    case SCRIPT_AT_END:
        return pattern(request, response, true);
    case SCRIPT_FAIL:
        return shmipc_fail(response, "%.*s", (int)request->length, (const char *)request->data);
    case SCRIPT_WRONG_TYPE:
        response->type = 7;
        return 0;
    case SCRIPT_CALL_HOST:
        return call_host(request, response);
    case SCRIPT_PROVOKE:
        return answer_provocation(request, response);
    case SCRIPT_PING:
        return ping_host(response);
    case SCRIPT_HANG:
        for (;;)
            pause_briefly();
    case SCRIPT_AWAIT_ABANDONED:
        while (!shmipc_abandoned(request))
            pause_briefly(); /* nothing tells a handler: it asks */
        return 0;
    default:
        return shmipc_fail(response, "unknown type %u", (unsigned)request->type);
    }
}

static int attach_and_serve(const char *name) {
    int error = shmipc_guest_attach(name, NULL, SHMIPC_TIMEOUT_DEFAULT, &self);
    if (error == SHMIPC_OK)
        error = shmipc_serve(self, act, NULL);
    shmipc_free(self);
    return error;
}

int main(int argc, char **argv) {
    if (argc < 2)
        return EXIT_FAILURE;
    die_with_parent();
    if (argc == 5 && strcmp(argv[2], "crowd") == 0)
        return crowd_call(argv[1], (uint32_t)atoi(argv[3]), (uint32_t)atoi(argv[4]));
    int error = attach_and_serve(argv[1]);
    while (argc > 2 && error == SHMIPC_E_PEER_DIED)
        error = attach_and_serve(argv[1]);
    if (error == SHMIPC_E_SHUTDOWN)
        return EXIT_SUCCESS;
    (void)fprintf(stderr, "guest: %s\n", shmipc_last_error());
    return EXIT_FAILURE;
}
