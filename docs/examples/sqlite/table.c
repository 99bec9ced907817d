/* A table-valued function: the rows of go_factors(first, last) are the numbers from first to last,
   and the prime factors of each. One call fetches as many rows as fit into an answer. */
#include "extension.h"

#include <stdint.h>
#include <string.h>

enum column { NUMBER, FACTORS, FIRST, LAST };

struct cursor {
    sqlite3_vtab_cursor base; /* first: SQLite knows no more of it */
    int64_t first;            /* the arguments */
    int64_t last;
    int64_t number; /* the row: this, and its factors */
    const char *factors;
    uint32_t length;
    int at_end;
    size_t next; /* where in the page the next row begins */
    size_t end;
    char page[CAPACITY];
};

struct table {
    sqlite3_vtab base; /* first */
    sqlite3 *db;
};

static int connect_table(sqlite3 *db, void *unused, int count, const char *const *arguments,
                         sqlite3_vtab **vtab, char **why) {
    (void)unused, (void)count, (void)arguments, (void)why;
    int error = sqlite3_declare_vtab(
        db, "CREATE TABLE x(number INTEGER, factors TEXT, first HIDDEN, last HIDDEN)");
    struct table *table = error ? NULL : sqlite3_malloc(sizeof *table);
    if (!table)
        return error ? error : SQLITE_NOMEM;
    *table = (struct table){.db = db};
    *vtab = &table->base;
    return SQLITE_OK;
}

static int disconnect_table(sqlite3_vtab *vtab) {
    sqlite3_free(vtab);
    return SQLITE_OK;
}

/* Asks SQLite for both arguments, in this order. */
static int best_index(sqlite3_vtab *vtab, sqlite3_index_info *info) {
    int found = 0;
    for (int i = 0; i < info->nConstraint; i++) {
        int argument = info->aConstraint[i].iColumn - FIRST;
        if (argument < 0 || info->aConstraint[i].op != SQLITE_INDEX_CONSTRAINT_EQ ||
            (found & 1 << argument))
            continue;
        if (!info->aConstraint[i].usable)
            return SQLITE_CONSTRAINT;
        info->aConstraintUsage[i].argvIndex = argument + 1;
        info->aConstraintUsage[i].omit = 1;
        found |= 1 << argument;
    }
    if (found == 3)
        return SQLITE_OK;
    vtab->zErrMsg = sqlite3_mprintf("go_factors wants two arguments");
    return SQLITE_ERROR;
}

static int open_cursor(sqlite3_vtab *vtab, sqlite3_vtab_cursor **opened) {
    (void)vtab;
    struct cursor *cursor = sqlite3_malloc(sizeof *cursor);
    if (!cursor)
        return SQLITE_NOMEM;
    memset(cursor, 0, sizeof *cursor);
    *opened = &cursor->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *cursor) {
    sqlite3_free(cursor);
    return SQLITE_OK;
}

static int refuse(struct cursor *cursor, int error, const char *why) {
    if (error == SQLITE_ERROR)
        cursor->base.pVtab->zErrMsg = sqlite3_mprintf("%s", why);
    return error;
}

/* Takes the row that begins at `next`: a number, a length, and so many characters. */
static int take(struct cursor *cursor) {
    const size_t head = sizeof cursor->number + sizeof cursor->length;
    const char *row = cursor->page + cursor->next;
    if (cursor->end - cursor->next < head)
        return refuse(cursor, SQLITE_ERROR, "half a row");
    memcpy(&cursor->number, row, sizeof cursor->number);
    memcpy(&cursor->length, row + sizeof cursor->number, sizeof cursor->length);
    if (cursor->end - cursor->next - head < cursor->length)
        return refuse(cursor, SQLITE_ERROR, "half a row");
    cursor->factors = row + head;
    cursor->next += head + cursor->length;
    return SQLITE_OK;
}

/* Fetches the rows from `first` on, and takes the first of them. */
static int fetch(struct cursor *cursor, int64_t first) {
    const int64_t range[2] = {first, cursor->last};
    shmipc_request request = {.data = range, .length = sizeof range, .type = TYPE_FACTORS};
    shmipc_response page = {.data = cursor->page, .capacity = sizeof cursor->page};
    const char *why;
    int error = ask(((struct table *)cursor->base.pVtab)->db, &request, &page, &why);
    if (error)
        return refuse(cursor, error, why);
    cursor->next = 0;
    cursor->end = page.length;
    return take(cursor);
}

static int filter(sqlite3_vtab_cursor *base, int index, const char *name, int count,
                  sqlite3_value **arguments) {
    (void)index, (void)name, (void)count;
    struct cursor *cursor = (struct cursor *)base;
    cursor->first = sqlite3_value_int64(arguments[0]);
    cursor->last = sqlite3_value_int64(arguments[1]);
    cursor->at_end = cursor->first > cursor->last;
    return cursor->at_end ? SQLITE_OK : fetch(cursor, cursor->first);
}

static int next_row(sqlite3_vtab_cursor *base) {
    struct cursor *cursor = (struct cursor *)base;
    cursor->at_end = cursor->number >= cursor->last;
    if (cursor->at_end)
        return SQLITE_OK;
    return cursor->next < cursor->end ? take(cursor) : fetch(cursor, cursor->number + 1);
}

static int at_end(sqlite3_vtab_cursor *base) {
    return ((struct cursor *)base)->at_end;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *context, int index) {
    struct cursor *cursor = (struct cursor *)base;
    switch ((enum column)index) {
    case NUMBER:
        sqlite3_result_int64(context, cursor->number);
        break;
    case FACTORS:
        sqlite3_result_text(context, cursor->factors, (int)cursor->length, SQLITE_TRANSIENT);
        break;
    case FIRST:
        sqlite3_result_int64(context, cursor->first);
        break;
    case LAST:
        sqlite3_result_int64(context, cursor->last);
        break;
    }
    return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *id) {
    *id = ((struct cursor *)base)->number;
    return SQLITE_OK;
}

/* Without xCreate there is no CREATE VIRTUAL TABLE: the name alone is the table. */
static const sqlite3_module module = {.xConnect = connect_table,
                                      .xBestIndex = best_index,
                                      .xDisconnect = disconnect_table,
                                      .xOpen = open_cursor,
                                      .xClose = close_cursor,
                                      .xFilter = filter,
                                      .xNext = next_row,
                                      .xEof = at_end,
                                      .xColumn = column,
                                      .xRowid = rowid};

int register_table(sqlite3 *db) {
    return sqlite3_create_module(db, "go_factors", &module, NULL);
}
