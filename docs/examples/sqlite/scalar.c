/* Scalar functions: one call a row. go_hash(text) is its FNV-1a hash; go_sleep(milliseconds) is
   there to be interrupted. */
#include "extension.h"

#include <stdint.h>

static void hash(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count;
    const void *text = sqlite3_value_text(values[0]);
    if (!text)
        return; /* the hash of NULL is NULL */
    shmipc_request request = {
        .data = text, .length = (size_t)sqlite3_value_bytes(values[0]), .type = TYPE_HASH};
    int64_t hash;
    const char *why;
    int error = ask_exactly(sqlite3_context_db_handle(context), &request, &hash, sizeof hash, &why);
    if (error)
        fail(context, error, why);
    else
        sqlite3_result_int64(context, hash);
}

static void sleep_in_go(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count;
    int64_t milliseconds = sqlite3_value_int64(values[0]);
    shmipc_request request = {
        .data = &milliseconds, .length = sizeof milliseconds, .type = TYPE_SLEEP};
    const char *why;
    int error = ask_exactly(sqlite3_context_db_handle(context), &request, NULL, 0, &why);
    if (error)
        fail(context, error, why);
    else
        sqlite3_result_int64(context, milliseconds);
}

int register_scalars(sqlite3 *db) {
    int error = sqlite3_create_function(db, "go_hash", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                        hash, NULL, NULL);
    if (!error)
        error =
            sqlite3_create_function(db, "go_sleep", 1, SQLITE_UTF8, NULL, sleep_in_go, NULL, NULL);
    return error;
}
