/* The region: one in a process, created when a statement first needs it, and freed with the last
   connection. Every connection, in whatever thread, calls by way of it. */
#include "extension.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { REGIONS = 64, STEP_MS = 10, LEAVE_MS = 1000 };

static const int64_t millisecond = 1000000;

static int connections;   /* under the lock, and so is `host` */
static shmipc_peer *host; /* NULL: not yet */
static atomic_int timeout_ms = 10000;

/* SQLite keeps some locks for the application. Its NULL, where it was built for one thread, is
   taken and left without effect. */
static sqlite3_mutex *lock(void) {
    sqlite3_mutex *mutex = sqlite3_mutex_alloc(SQLITE_MUTEX_STATIC_APP1);
    sqlite3_mutex_enter(mutex);
    return mutex;
}

void region_hold(void) {
    sqlite3_mutex *mutex = lock();
    connections++;
    sqlite3_mutex_leave(mutex);
}

void region_drop(void *unused) {
    (void)unused;
    sqlite3_mutex *mutex = lock();
    if (--connections == 0 && host) {
        (void)shmipc_shutdown(host, LEAVE_MS * millisecond);
        shmipc_free(host);
        host = NULL;
    }
    sqlite3_mutex_leave(mutex);
}

int region_timeout(int milliseconds) {
    return atomic_exchange(&timeout_ms, milliseconds);
}

/* The lowest number that is free: so the region of a process that was killed is replaced. */
static int create(shmipc_peer **created) {
    const char *application = getenv("SQLITE_GO");
    shmipc_host_config config = SHMIPC_HOST_CONFIG_INIT;
    config.request_capacity = config.response_capacity = CAPACITY;
    config.guest_slots = 0;
    int error = SHMIPC_E_NAME_IN_USE;
    for (int i = 0; error == SHMIPC_E_NAME_IN_USE && i < REGIONS; i++) {
        char name[SHMIPC_NAME_MAX + 1];
        (void)snprintf(name, sizeof name, "%.190s-%d", application ? application : "sqlite", i);
        error = shmipc_host_create(name, &config, created);
    }
    return error;
}

static int region(shmipc_peer **peer) {
    sqlite3_mutex *mutex = lock();
    int error = host ? 0 : create(&host);
    *peer = host;
    sqlite3_mutex_leave(mutex);
    return error;
}

/* Any statement of an interrupted connection fails so while another runs. (sqlite3_is_interrupted
   says the same, from SQLite 3.41 on.) */
static int interrupted(sqlite3 *db) {
    return sqlite3_exec(db, "SELECT 1", NULL, NULL, NULL) == SQLITE_INTERRUPT;
}

/* Both return 0, an error of the library, or SQLITE_INTERRUPT, which is positive. */
static int claim(sqlite3 *db, shmipc_peer *peer, int *steps, shmipc_slot *slot) {
    int error;
    while ((error = shmipc_slot_claim(peer, STEP_MS * millisecond, slot)) == SHMIPC_E_TIMEOUT &&
           --*steps > 0)
        if (interrupted(db))
            return SQLITE_INTERRUPT;
    return error;
}

static int receive(sqlite3 *db, shmipc_slot slot, int *steps, shmipc_response *answer) {
    size_t which = 0;
    while (shmipc_slot_wait_any(&slot, 1, STEP_MS * millisecond, &which) == SHMIPC_E_TIMEOUT &&
           --*steps > 0)
        if (interrupted(db))
            return SQLITE_INTERRUPT;
    return shmipc_slot_receive(slot, 0, answer); /* TIMEOUT if there is none yet */
}

static int copy(const shmipc_response *answer, shmipc_response *response) {
    if (answer->length > response->capacity)
        return SHMIPC_E_TOO_LARGE;
    memcpy(response->data, answer->data, answer->length);
    response->length = answer->length;
    return 0;
}

static int call(sqlite3 *db, shmipc_slot slot, const shmipc_request *request, int *steps,
                shmipc_response *response) {
    size_t capacity = 0;
    void *buffer = shmipc_slot_buffer(slot, &capacity);
    if (request->length <= capacity) /* else sending it is refused, and says why */
        memcpy(buffer, request->data, request->length);
    shmipc_response answer;
    int error = shmipc_slot_send(slot, request->type, request->length, SHMIPC_WAIT_READY);
    if (!error)
        error = receive(db, slot, steps, &answer);
    return error ? error : copy(&answer, response);
}

/* In steps: SQLite tells nobody of an interrupt who does not ask. A call that is released before
   its answer has come is abandoned, and its handler told. */
int ask(sqlite3 *db, const shmipc_request *request, shmipc_response *response, const char **why) {
    int steps = atomic_load(&timeout_ms) / STEP_MS;
    shmipc_peer *peer;
    shmipc_slot slot;
    int error = region(&peer);
    if (!error)
        error = claim(db, peer, &steps, &slot);
    if (!error) {
        error = call(db, slot, request, &steps, response);
        shmipc_slot_release(slot);
    }
    if (error >= 0)
        return error;
    /* A time-out is that of all steps: the library's sentence would name the last one. */
    int timed_out = error == SHMIPC_E_TIMEOUT || error == SHMIPC_E_TIMEOUT_STARTED;
    *why = timed_out ? shmipc_strerror(error) : shmipc_last_error();
    return SQLITE_ERROR;
}
