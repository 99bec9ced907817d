/* The region: one in a process, created when a statement first needs it, replaced if its name is
   lost, and freed with the last connection. Every connection, in whatever thread, calls by way of
   it. */
#include "extension.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { REGIONS = 64, STEP_MS = 10, LEAVE_MS = 1000 };

static const int64_t millisecond = 1000000;

/* Under the lock. */
static pid_t process;     /* whose the others are */
static int connections;   /* open ones */
static shmipc_peer *host; /* NULL: not yet */
static int users;         /* of the host, now */
static int lost;          /* the host has lost its name */

static atomic_int timeout_ms = 10000;

/* SQLite keeps some locks for the application. Its NULL, where it was built for one thread, is
   taken and left without effect. */
static sqlite3_mutex *lock(void) {
    sqlite3_mutex *mutex = sqlite3_mutex_alloc(SQLITE_MUTEX_STATIC_APP1);
    sqlite3_mutex_enter(mutex);
    return mutex;
}

static void free_host(void) {
    shmipc_free(host);
    host = NULL;
    lost = 0;
}

/* In a forked child: it has none of its parent's peers, and SQLite forbids it to use its parent's
   connections. */
static void begin_again(void) {
    free_host();
    connections = users = 0;
    process = getpid();
}

void region_hold(void) {
    sqlite3_mutex *mutex = lock();
    if (process != getpid())
        begin_again();
    connections++;
    sqlite3_mutex_leave(mutex);
}

void region_drop(void *unused) {
    (void)unused;
    sqlite3_mutex *mutex = lock();
    if (--connections == 0 && host) {
        (void)shmipc_shutdown(host, LEAVE_MS * millisecond);
        free_host();
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

static int enter(shmipc_peer **peer) {
    sqlite3_mutex *mutex = lock();
    int error = host ? 0 : create(&host);
    *peer = host;
    users += !error;
    sqlite3_mutex_leave(mutex);
    return error;
}

/* With what the user's call has ended. No guest finds a host without a name: the last user frees
   it, and the next call creates another. (shmipc_free leaves this thread's sentence as it is.) */
static void leave(int error) {
    sqlite3_mutex *mutex = lock();
    users--;
    lost |= error == SHMIPC_E_NAME_LOST;
    if (lost && users == 0)
        free_host();
    sqlite3_mutex_leave(mutex);
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

/* Of an answer that is too large the length alone. */
static int copy(const shmipc_response *answer, shmipc_response *response) {
    response->length = answer->length;
    if (answer->length > response->capacity)
        return SHMIPC_E_TOO_LARGE;
    memcpy(response->data, answer->data, answer->length);
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

static int claim_and_call(sqlite3 *db, shmipc_peer *peer, const shmipc_request *request,
                          shmipc_response *response) {
    int steps = atomic_load(&timeout_ms) / STEP_MS;
    shmipc_slot slot;
    int error = claim(db, peer, &steps, &slot);
    if (error)
        return error;
    error = call(db, slot, request, &steps, response);
    shmipc_slot_release(slot);
    return error;
}

/* The library's, unless the failure is ours: it knows nothing of an answer that `copy` refused, and
   a time-out is that of all steps, while its sentence would name the last one. */
static const char *sentence(int error, const shmipc_response *response) {
    int ours = error == SHMIPC_E_TIMEOUT || error == SHMIPC_E_TIMEOUT_STARTED ||
               response->length > response->capacity;
    return ours ? shmipc_strerror(error) : shmipc_last_error();
}

/* In steps: SQLite tells nobody of an interrupt who does not ask. A call that is released before
   its answer has come is abandoned, and its handler told. */
int ask(sqlite3 *db, const shmipc_request *request, shmipc_response *response, const char **why) {
    shmipc_peer *peer;
    int error = enter(&peer);
    if (!error) {
        error = claim_and_call(db, peer, request, response);
        leave(error);
    }
    if (error >= 0)
        return error;
    *why = sentence(error, response);
    return SQLITE_ERROR;
}
