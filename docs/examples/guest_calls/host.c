/* Guest calls: the guest calls the host, which serves with a thread of its own and ends when the
   guest is gone. */
#include <pthread.h>
#include <shmipc/shmipc.h>
#include <stdio.h>
#include <string.h>

static const char *const settings[][2] = {{"colour", "green"}, {"size", "12"}};

/* Runs in the serving thread. */
static int look_up(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)context;
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        const char *key = settings[i][0], *value = settings[i][1];
        if (request->length != strlen(key) || memcmp(request->data, key, request->length) != 0)
            continue;
        response->length = strlen(value);
        memcpy(response->data, value, response->length);
        printf("guest %u asked for %s\n", request->peer, key);
        return 0;
    }
    return shmipc_fail(response, "no setting is called \"%.*s\"", (int)request->length,
                       (const char *)request->data);
}

static void *serve(void *host) {
    shmipc_serve(host, look_up, NULL); /* returns when the main thread shuts down */
    return NULL;
}

/* Waits until the guest has come and gone, in order or not. */
static int wait_for_the_end(shmipc_peer *host) {
    shmipc_event event;
    int error;
    do {
        error = shmipc_next_event(host, SHMIPC_TIMEOUT_DEFAULT, &event);
    } while (!error && event.kind == SHMIPC_EVENT_ATTACHED);
    if (!error)
        printf("guest %u %s\n", event.peer, event.kind == SHMIPC_EVENT_LEFT ? "left" : "died");
    return error;
}

int main(int argc, char **argv) {
    shmipc_peer *host;
    pthread_t thread;
    if (shmipc_host_create(argc > 1 ? argv[1] : "guest_calls", NULL, &host)) {
        fprintf(stderr, "%s\n", shmipc_last_error());
        return 1;
    }
    if (pthread_create(&thread, NULL, serve, host)) {
        fprintf(stderr, "cannot start a thread\n");
        shmipc_free(host);
        return 1;
    }
    int error = wait_for_the_end(host);
    if (error)
        fprintf(stderr, "%s\n", shmipc_last_error());
    shmipc_shutdown(host, SHMIPC_TIMEOUT_DEFAULT);
    pthread_join(thread, NULL);
    shmipc_free(host);
    return error ? 1 : 0;
}
