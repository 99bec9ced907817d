/* A loadable extension of SQLite, whose functions run in a Go process. */
#include "extension.h"

SQLITE_EXTENSION_INIT1

void fail(sqlite3_context *context, int error, const char *why) {
    if (error == SQLITE_ERROR)
        sqlite3_result_error(context, why, -1);
    else
        sqlite3_result_error_code(context, error);
}

int ask_exactly(sqlite3 *db, const shmipc_request *request, void *answer, size_t length,
                const char **why) {
    shmipc_response response = {.data = answer, .capacity = length};
    int error = ask(db, request, &response, why);
    if (!error && response.length != length) {
        *why = "an answer of another length than asked for";
        return SQLITE_ERROR;
    }
    return error;
}

static void set_timeout(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count;
    sqlite3_result_int(context, region_timeout(sqlite3_value_int(values[0])));
}

/* SQLite calls it, whatever the file is called. The function that sets the time-out stands for the
   connection: it is destroyed when the connection is closed. */
__attribute__((visibility("default"))) int sqlite3_extension_init(sqlite3 *db, char **why,
                                                                  const sqlite3_api_routines *api) {
    SQLITE_EXTENSION_INIT2(api)
    (void)why;
    region_hold();
    int error = sqlite3_create_function_v2(db, "go_timeout", 1, SQLITE_UTF8, NULL, set_timeout,
                                           NULL, NULL, region_drop);
    if (!error)
        error = register_scalars(db);
    if (!error)
        error = register_aggregate(db);
    if (!error)
        error = register_table(db);
    return error;
}
