#include "cast.h"

struct process guest_start(enum language language, const char *region, bool persistent) {
    const char *const arguments[] = {language == C_GUEST ? C_GUEST_PROGRAM : GO_GUEST_PROGRAM,
                                     region, persistent ? "again" : NULL, NULL};
    return process_start(arguments);
}

static void answer_too_much(shmipc_response *response) {
    response->length = response->capacity + 1;
}

int host_handler(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)context;
    switch (request->type) {
    case HOST_ECHO:
        return echo_handler(NULL, request, response);
    case HOST_TOO_MUCH:
        answer_too_much(response);
        return 0;
    case HOST_HANG:
        eventually(shmipc_abandoned(request));
        return 0;
    default:
        return shmipc_fail(response, "the host does not do type %u", (unsigned)request->type);
    }
}

void cast_replace(struct cast *cast, unsigned which) {
    cast->guests[which] = guest_start(cast->languages[which], cast->name.text, false);
}

void cast_await(struct cast *cast) {
    must_equal(shmipc_wait_guests(cast->host, cast->count, 20 * SECOND), SHMIPC_OK);
}

void cast_open(struct cast *cast) {
    shmipc_host_config config = test_host_config();
    cast->name = new_name();
    must_equal(shmipc_host_create(cast->name.text, &config, &cast->host), SHMIPC_OK);
    server_start(&cast->server, cast->host, host_handler, NULL);
    for (unsigned i = 0; i < cast->count; i++)
        cast_replace(cast, i);
    cast_await(cast);
}

void cast_close(struct cast *cast) {
    must_equal(shmipc_shutdown(cast->host, 20 * SECOND), SHMIPC_OK);
    int served = server_join(&cast->server);
    /* CLOSED: its thread had not come to serve before everything was over. */
    must(served == SHMIPC_E_SHUTDOWN || served == SHMIPC_E_CLOSED);
    for (unsigned i = 0; i < cast->count; i++)
        must_equal(process_wait(cast->guests[i]), 0);
    shmipc_free(cast->host);
}

void cast_kill(struct cast *cast, unsigned which) {
    process_kill(cast->guests[which]);
    must_equal(process_wait(cast->guests[which]), STATUS_KILLED);
}

size_t ask(shmipc_peer *host, uint32_t type, const void *data, size_t length, void *answer,
           size_t capacity) {
    const shmipc_request request = {.data = data, .length = length, .type = type};
    shmipc_response response = {.data = answer, .capacity = capacity};
    must_equal(shmipc_call(host, &request, &response, 20 * SECOND), SHMIPC_OK);
    return response.length;
}
