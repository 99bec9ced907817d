/* A call in Go, which may be cancelled as any statement may. Nothing that reports an error, and so
   jumps, is called from inside the library. */
#include "extension.h"

#include <mb/pg_wchar.h>
#include <miscadmin.h>
#include <pgstat.h>
#include <storage/latch.h>
#include <string.h>
#include <time.h>

enum { STEP_MS = 10 };

static const int64 millisecond = 1000000;

static int64 now_ms(void) {
    struct timespec now;
    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64)now.tv_sec * 1000 + now.tv_nsec / millisecond;
}

/* There is a free slot, but if handlers of calls that were given up do not end. */
static int claim(struct region *region, int64 deadline) {
    int error = SHMIPC_OK;
    if (shmipc_slot_buffer(region->slot, NULL) != NULL)
        return SHMIPC_OK;
    while ((error = shmipc_slot_claim(region->host, STEP_MS * millisecond, &region->slot)) ==
               SHMIPC_E_TIMEOUT &&
           now_ms() < deadline)
        CHECK_FOR_INTERRUPTS();
    return error;
}

static int send_request(shmipc_slot slot, uint32_t type, struct bytes request) {
    size_t capacity = 0;
    void *buffer = shmipc_slot_buffer(slot, &capacity);
    if (request.length <= capacity) /* else sending it is refused, and says why */
        memcpy(buffer, request.data, request.length);
    return shmipc_slot_send(slot, type, request.length, SHMIPC_WAIT_READY);
}

/* Waits in the library, which takes fewer system calls than a latch and a descriptor, and is over
   before anybody misses an answer to a cancellation. */
static bool is_soon_over(shmipc_slot slot) {
    size_t which = 0;
    return shmipc_slot_wait_any(&slot, 1, millisecond, &which) != SHMIPC_E_TIMEOUT;
}

/* Waits as the server does for everything else: so a cancellation, a time-out or the end of the
   server ends it. Returns 1 when the call is over, 0 at the deadline, or an error. */
static int sleep_until_over(const struct region *region, int64 deadline) {
    int over;
    while ((over = shmipc_arm(region->host, 0, &region->slot, 1)) == 0) {
        int64 left = deadline - now_ms();
        if (left <= 0)
            break;
        int events = WaitLatchOrSocket(
            MyLatch, WL_LATCH_SET | WL_SOCKET_READABLE | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH,
            region->fd, (long)left, PG_WAIT_EXTENSION);
        if (events & WL_LATCH_SET) {
            ResetLatch(MyLatch);
            CHECK_FOR_INTERRUPTS();
        }
    }
    (void)shmipc_disarm(region->host);
    return over;
}

/* A call that is released before its answer has come is given up, and its handler told. */
static void give_up(struct region *region) {
    (void)shmipc_slot_release(region->slot);
    (void)shmipc_disarm(region->host);
}

static int sleep_or_give_up(struct region *region, int64 deadline) {
    volatile int over = 0;
    PG_TRY();
    { over = sleep_until_over(region, deadline); }
    PG_CATCH();
    {
        give_up(region);
        PG_RE_THROW();
    }
    PG_END_TRY();
    return over;
}

static int await(struct region *region, int64 deadline, shmipc_response *answer) {
    int over = is_soon_over(region->slot) ? 1 : sleep_or_give_up(region, deadline);
    return over < 0 ? over : shmipc_slot_receive(region->slot, 0, answer);
}

/* The two classes of a call that ended without an answer have a code each: 39000, nothing was run;
   58000, it is not known what was. */
static int sqlstate_of(int error) {
    switch (error) {
    case SHMIPC_E_HANDLER:
        return ERRCODE_EXTERNAL_ROUTINE_EXCEPTION;
    case SHMIPC_E_TOO_LARGE:
        return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
    case SHMIPC_E_TIMEOUT_STARTED:
    case SHMIPC_E_PEER_DIED:
    case SHMIPC_E_CANCELLED_STARTED:
    case SHMIPC_E_CLOSED_STARTED:
    case SHMIPC_E_CORRUPT:
    case SHMIPC_E_SYSTEM:
        return ERRCODE_SYSTEM_ERROR;
    default:
        return ERRCODE_EXTERNAL_ROUTINE_INVOCATION_EXCEPTION;
    }
}

static const char *hint_of(int sqlstate) {
    switch (sqlstate) {
    case ERRCODE_SYSTEM_ERROR:
        return "The function may have run. Repeat the statement if it may run twice.";
    case ERRCODE_EXTERNAL_ROUTINE_INVOCATION_EXCEPTION:
        return "The function has not run, and will not. The statement may be repeated.";
    default:
        return NULL;
    }
}

/* The sentence of a time-out would name the last look's. */
static char *sentence_of(int error) {
    bool timed_out = error == SHMIPC_E_TIMEOUT || error == SHMIPC_E_TIMEOUT_STARTED;
    char *sentence = pstrdup(timed_out ? shmipc_strerror(error) : shmipc_last_error());
    return pg_any_to_server(sentence, (int)strlen(sentence), PG_UTF8);
}

/* The next call makes another region where this one is of no more use. */
static void report(int error) {
    int sqlstate = sqlstate_of(error);
    const char *hint = hint_of(sqlstate);
    char *sentence = sentence_of(error);
    if (error == SHMIPC_E_NAME_LOST || error == SHMIPC_E_CORRUPT || error == SHMIPC_E_SYSTEM)
        close_region();
    ereport(ERROR, errcode(sqlstate), errmsg("%s", sentence), hint ? errhint("%s", hint) : 0);
}

struct bytes call_go(uint32_t type, struct bytes request) {
    struct region *region = open_region();
    int64 deadline = now_ms() + setting_timeout;
    shmipc_response answer = {0};
    int error = claim(region, deadline);
    if (error == SHMIPC_OK)
        error = send_request(region->slot, type, request);
    if (error == SHMIPC_OK)
        error = await(region, deadline, &answer);
    if (error)
        report(error);
    return (struct bytes){answer.data, answer.length};
}
