/* What the files of the extension share. */
#ifndef SQLITE_EXAMPLE_EXTENSION_H
#define SQLITE_EXAMPLE_EXTENSION_H

#include <shmipc/shmipc.h>
#include <sqlite3ext.h>

SQLITE_EXTENSION_INIT3

/* The message types. Numbers in messages are of 8 bytes. */
enum {
    TYPE_HASH = SHMIPC_TYPE_APPLICATION, /* a text; answered by its hash */
    TYPE_VARIANCE,                       /* a moments, then values; answered by a moments */
    TYPE_FACTORS,                        /* the first and last number; answered by some rows */
    TYPE_SLEEP                           /* milliseconds; answered by nothing */
};

/* Bytes of the largest request, and of the largest answer. */
enum { CAPACITY = 65536 };

/*
 * Asks Go, and copies its answer. Returns SQLITE_OK; SQLITE_INTERRUPT if the statement was
 * interrupted meanwhile; or SQLITE_ERROR, and *why says what failed, until the next failure.
 */
int ask(sqlite3 *db, const shmipc_request *request, shmipc_response *response, const char **why);

/* The same, where the answer has `length` bytes, and no others. */
int ask_exactly(sqlite3 *db, const shmipc_request *request, void *answer, size_t length,
                const char **why);

/* Ends the function that is called in `context` with what `ask` has returned. */
void fail(sqlite3_context *context, int error, const char *why);

/* For each connection: the region is freed when the last has dropped it. */
void region_hold(void);
void region_drop(void *unused);

/* Sets how long a call may take, and returns how long it could before. */
int region_timeout(int milliseconds);

int register_scalars(sqlite3 *db);
int register_aggregate(sqlite3 *db);
int register_table(sqlite3 *db);

#endif
