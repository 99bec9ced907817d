/* An aggregate: go_variance(x), of the numbers in a column. Its rows are collected, and go to Go a
   batch at a time, with what came of those before: so any guest can answer, also one that has just
   started, and no slot is held from one row to the next. */
#include "extension.h"

#include <stddef.h>
#include <stdint.h>

enum { BATCH = 1000 };

/* Of all batches so far: how many numbers, their mean, and the sum of the squares of how far each
   is from it. */
struct moments {
    uint64_t count;
    double mean;
    double squares;
};

/* The memory that SQLite has for each group begins as zeroes. */
struct variance {
    struct {
        struct moments before;
        double values[BATCH];
    } request;
    size_t collected;
};

static int send_batch(sqlite3_context *context, struct variance *variance) {
    shmipc_request request = {.data = &variance->request,
                              .length = sizeof variance->request.before +
                                        variance->collected * sizeof(double),
                              .type = TYPE_VARIANCE};
    struct moments after;
    const char *why;
    int error =
        ask_exactly(sqlite3_context_db_handle(context), &request, &after, sizeof after, &why);
    /* If this fails nothing is left for `finish`. */
    variance->request.before = error ? (struct moments){0} : after;
    variance->collected = 0;
    if (error)
        fail(context, error, why);
    return error;
}

static void step(sqlite3_context *context, int count, sqlite3_value **values) {
    (void)count;
    struct variance *variance = sqlite3_aggregate_context(context, sizeof *variance);
    if (!variance) {
        sqlite3_result_error_nomem(context);
        return;
    }
    if (sqlite3_value_type(values[0]) == SQLITE_NULL)
        return;
    variance->request.values[variance->collected++] = sqlite3_value_double(values[0]);
    if (variance->collected == BATCH)
        (void)send_batch(context, variance);
}

/* Called also when `step` has failed. */
static void finish(sqlite3_context *context) {
    struct variance *variance = sqlite3_aggregate_context(context, 0);
    if (!variance || (variance->collected && send_batch(context, variance)))
        return;
    const struct moments *all = &variance->request.before;
    if (all->count)
        sqlite3_result_double(context, all->squares / (double)all->count);
}

int register_aggregate(sqlite3 *db) {
    return sqlite3_create_function(db, "go_variance", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                   NULL, step, finish);
}
