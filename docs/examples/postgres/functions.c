/* A module of SQL functions in C, which run in a Go process. */
#include "extension.h"

#include <fmgr.h>
#include <limits.h>
#include <mb/pg_wchar.h>
#include <string.h>
#include <utils/builtins.h>
#include <utils/guc.h>

PG_MODULE_MAGIC;
PG_FUNCTION_INFO_V1(go_upper);
PG_FUNCTION_INFO_V1(go_sleep);
PG_FUNCTION_INFO_V1(socket_upper);

char *setting_prefix, *setting_guest_group, *setting_socket;
int setting_timeout;

/* In a preloaded library it runs in the postmaster: what a backend needs is made by its first call.
   Where regions are, and who may open them, is not for every user to say. */
// NOLINTNEXTLINE(bugprone-reserved-identifier): the server calls it so
PGDLLEXPORT void _PG_init(void) {
    DefineCustomStringVariable("shmipc_go.prefix", "What the names of regions begin with.", NULL,
                               &setting_prefix, "postgres", PGC_SUSET, 0, NULL, NULL, NULL);
    DefineCustomStringVariable("shmipc_go.guest_group",
                               "Group of the Go process, if it runs as another user.", NULL,
                               &setting_guest_group, "", PGC_SUSET, 0, NULL, NULL, NULL);
    DefineCustomStringVariable("shmipc_go.socket", "Where socket_upper finds the Go process.", NULL,
                               &setting_socket, "", PGC_SUSET, 0, NULL, NULL, NULL);
    DefineCustomIntVariable("shmipc_go.timeout", "How long a call may take.", NULL,
                            &setting_timeout, 10000, 1, INT_MAX, PGC_USERSET, GUC_UNIT_MS, NULL,
                            NULL, NULL);
}

/* Messages are in UTF-8, whatever the database is in. */
static struct bytes to_utf8(const text *value) {
    const char *data = VARDATA_ANY(value);
    int length = (int)VARSIZE_ANY_EXHDR(value);
    const char *converted = pg_server_to_any(data, length, PG_UTF8);
    return (struct bytes){converted, converted == data ? (size_t)length : strlen(converted)};
}

/* Reports bytes that are no text. It looks at a copy: those in shared memory may change. */
static text *from_utf8(struct bytes answer) {
    text *copy = cstring_to_text_with_len(answer.data, (int)answer.length);
    char *converted = pg_any_to_server(VARDATA(copy), (int)answer.length, PG_UTF8);
    return converted == VARDATA(copy) ? copy : cstring_to_text(converted);
}

PGDLLEXPORT Datum go_upper(PG_FUNCTION_ARGS) {
    PG_RETURN_TEXT_P(from_utf8(call_go(TYPE_UPPER, to_utf8(PG_GETARG_TEXT_PP(0)))));
}

PGDLLEXPORT Datum socket_upper(PG_FUNCTION_ARGS) {
    PG_RETURN_TEXT_P(from_utf8(call_socket(TYPE_UPPER, to_utf8(PG_GETARG_TEXT_PP(0)))));
}

PGDLLEXPORT Datum go_sleep(PG_FUNCTION_ARGS) {
    int64 milliseconds = PG_GETARG_INT64(0);
    (void)call_go(TYPE_SLEEP, (struct bytes){&milliseconds, sizeof milliseconds});
    PG_RETURN_VOID();
}
