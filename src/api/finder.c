/*
 * Finding hosts as they come: shmipc.h, Finding. A name is looked at when it may have come to mean
 * another region: all names at first and after reports were lost, then those that are reported.
 */
#include "base/error.h"
#include "base/thread.h"
#include "region/region.h"

#include <stdlib.h>
#include <string.h>

enum { AGAIN_NS = 1000000000 }; /* after an error */

/* Names that are to be looked at, one behind the other, each with a 0. */
struct queue {
    char *bytes;
    size_t first; /* where the next one is */
    size_t end;
    size_t capacity;
};

/* A region that was found, as long as it has its name. */
struct found {
    struct object_identity identity;
    char name[SHMIPC_NAME_MAX + 1];
};

struct shmipc_finder {
    struct names_watch *watch;
    bool all; /* any name may have changed */
    struct queue queue;
    struct found *found;
    size_t count;
    size_t capacity;
    char prefix[SHMIPC_NAME_MAX + 1];
};

/* ---- The queue ---- */

/* Doubles the room, from `size` elements at least. False if there is no memory. */
static bool grow(void **memory, size_t *capacity, size_t needed, size_t size) {
    if (needed <= *capacity)
        return true;
    void *grown = realloc(*memory, 2 * needed * size);
    if (grown == NULL)
        return false;
    *memory = grown;
    *capacity = 2 * needed;
    return true;
}

static bool queue_is_empty(const struct queue *q) {
    return q->first == q->end;
}

static void queue_clear(struct queue *q) {
    q->first = q->end = 0;
}

static int queue_add(struct queue *q, const char *name) {
    size_t size = strlen(name) + 1;
    void *bytes = q->bytes;
    if (queue_is_empty(q))
        queue_clear(q);
    bool room = grow(&bytes, &q->capacity, q->end + size, 1);
    q->bytes = bytes;
    if (!room)
        return shmi_fail(SHMIPC_E_NO_MEMORY, "no memory for the names of regions");
    memcpy(q->bytes + q->end, name, size);
    q->end += size;
    return SHMIPC_OK;
}

/* ---- What was found ---- */

static bool is_same(const struct object_identity *a, const struct object_identity *b) {
    return a->device == b->device && a->number == b->number;
}

static bool was_found(const shmipc_finder *f, const struct object_identity *identity) {
    for (size_t i = 0; i < f->count; i++) {
        if (is_same(&f->found[i].identity, identity))
            return true;
    }
    return false;
}

/* Of a region that has lost its name nothing is kept. `now` is what the name means now. */
static void forget_lost(shmipc_finder *f, const char *name, const struct object_identity *now) {
    for (size_t i = 0; i < f->count; i++) {
        if (strcmp(f->found[i].name, name) != 0)
            continue;
        if (!is_same(&f->found[i].identity, now))
            f->found[i] = f->found[--f->count];
        return;
    }
}

static int remember(shmipc_finder *f, const char *name, const struct object_identity *identity) {
    void *found = f->found;
    bool room = grow(&found, &f->capacity, f->count + 1, sizeof *f->found);
    f->found = found;
    if (!room)
        return shmi_fail(SHMIPC_E_NO_MEMORY, "no memory for one more region");
    struct found *last = &f->found[f->count++];
    last->identity = *identity;
    memcpy(last->name, name, strlen(name) + 1);
    return 1;
}

/* ---- Looking at a name ---- */

/* The owner and the mode are for the attach to judge. */
static const struct object_rules any = {.mode = 07777, .owner = OWNER_ANY};

static int check_live(struct object *object, const char *name) {
    struct geometry geometry;
    int error = shmi_region_check(object, name, &geometry);
    if (error == SHMIPC_OK && !shmi_peer_is_locked(object, HOST))
        error = shmi_fail(SHMIPC_E_NOT_FOUND, "the host of region %s is dead", name);
    return error;
}

/* After an error too, *identity is that of the file which the name means; unchanged if there is
   none. */
static int identify(const char *name, struct object_identity *identity) {
    struct object *object;
    int error = shmi_region_check_name(name);
    if (error == SHMIPC_OK && !shmi_object_is_listed(name, identity))
        error = shmi_fail(SHMIPC_E_NOT_FOUND, "%s is no file", name);
    if (error == SHMIPC_OK)
        error = shmi_object_open(name, &any, &object);
    if (error)
        return error;
    *identity = shmi_object_identity(object);
    error = check_live(object, name);
    shmi_object_close(object);
    return error;
}

/* Every other error concerns the file alone, whoever has made it: then it is passed over until it
   changes. A region that was found is the same after that. */
static bool is_of_process(int error) {
    return error == SHMIPC_E_NO_DESCRIPTORS || error == SHMIPC_E_NO_MEMORY;
}

/* 1 if the name means a region that was not found before. */
static int look(shmipc_finder *f, const char *name) {
    struct object_identity identity = {.device = 0}; /* of nothing */
    int error = identify(name, &identity);
    if (is_of_process(error))
        return error;
    forget_lost(f, name, &identity);
    return error || was_found(f, &identity) ? 0 : remember(f, name, &identity);
}

/* ---- Which names to look at ---- */

static int add_matching(void *context, const char *name) {
    shmipc_finder *f = context;
    return strncmp(name, f->prefix, strlen(f->prefix)) == 0 ? queue_add(&f->queue, name)
                                                            : SHMIPC_OK;
}

/* Also those of regions that were found: some may have lost their names. */
static int add_all(shmipc_finder *f) {
    queue_clear(&f->queue);
    int error = shmi_object_list(f->prefix, add_matching, f);
    for (size_t i = 0; error == SHMIPC_OK && i < f->count; i++)
        error = queue_add(&f->queue, f->found[i].name);
    f->all = error != SHMIPC_OK;
    return error;
}

/* Reports of which there is no memory are lost too. */
static int refill(shmipc_finder *f) {
    int lost = shmi_names_watch_take(f->watch, add_matching, f);
    f->all = f->all || lost == 1 || lost == SHMIPC_E_NO_MEMORY;
    if (lost < 0)
        return lost;
    return f->all ? add_all(f) : SHMIPC_OK;
}

static int look_at_queue(shmipc_finder *f) {
    struct queue *q = &f->queue;
    int result = 0;
    while (result == 0 && !queue_is_empty(q)) {
        const char *name = q->bytes + q->first;
        result = look(f, name);
        q->first += strlen(name) + 1;
    }
    f->all = result < 0;
    return result;
}

/* Reports are taken also if no look succeeds: they would keep the descriptor readable. */
static int find(shmipc_finder *f) {
    int error = refill(f);
    return error ? error : look_at_queue(f);
}

/* ---- The calls ---- */

/* The watch begins here, and all names are looked at after that. */
static int create(const char *prefix, shmipc_finder **finder) {
    shmipc_finder *f = calloc(1, sizeof *f);
    if (f == NULL)
        return shmi_fail(SHMIPC_E_NO_MEMORY, "no memory for a finder");
    memcpy(f->prefix, prefix, strlen(prefix) + 1);
    f->all = true;
    int error = shmi_names_watch_open(&f->watch);
    if (error) {
        free(f);
        return error;
    }
    shmi_names_watch_until(f->watch, 0);
    *finder = f;
    return SHMIPC_OK;
}

int shmipc_finder_create(const char *prefix, shmipc_finder **finder) {
    if (finder == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the place for the finder is NULL");
    *finder = NULL;
    if (prefix == NULL)
        prefix = "";
    int error = *prefix == '\0' ? SHMIPC_OK : shmi_region_check_name(prefix);
    return error ? error : create(prefix, finder);
}

int shmipc_finder_get_fd(shmipc_finder *f, shmipc_fd *fd) {
    if (f == NULL || fd == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the finder, or the place for the descriptor, is NULL");
    return shmi_names_watch_fd(f->watch, fd);
}

static int check(const shmipc_finder *f, const char *name, size_t size) {
    if (f == NULL || name == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the finder, or the place for the name, is NULL");
    if (size <= SHMIPC_NAME_MAX)
        return shmi_fail(SHMIPC_E_INVALID,
                         "the place for the name has %zu bytes, a name may need %d", size,
                         SHMIPC_NAME_MAX + 1);
    return SHMIPC_OK;
}

/* When to look again without a report. */
static uint64_t look_again_at(int result) {
    if (result < 0)
        return shmi_clock_now() + AGAIN_NS;
    return result == 1 ? 0 : CLOCK_NEVER;
}

/* What was passed over is no failure of this call: restores the last sentence. */
int shmipc_finder_next(shmipc_finder *f, char *name, size_t size) {
    int error = check(f, name, size);
    if (error)
        return error;
    struct last_failure kept = shmi_thread_state()->last;
    const int cancellation = shmi_cancellation_off();
    int result = find(f);
    if (result < 0)
        kept = shmi_thread_state()->last;
    if (result == 1)
        memcpy(name, f->found[f->count - 1].name, strlen(f->found[f->count - 1].name) + 1);
    shmi_names_watch_until(f->watch, look_again_at(result));
    shmi_cancellation_restore(cancellation);
    shmi_thread_state()->last = kept;
    return result;
}

void shmipc_finder_free(shmipc_finder *f) {
    if (f == NULL)
        return;
    shmi_names_watch_close(f->watch);
    free(f->queue.bytes);
    free(f->found);
    free(f);
}
