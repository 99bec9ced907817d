/*
 * demo_host NAME DIRECTORY [CALLS]: the host of the demo; see run.sh, which starts its guests.
 * demo_host --guest NAME: the guest in C.
 */
#include "checksum.h"
#include "echo.h"
#include "latency.h"
#include "limit.h"
#include "sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    SLOT_BYTES = 16384, /* small, so that some files take several pieces */
    SLOTS = 4,
    CALLS = 1000000,
    CALL_BYTES = 32,
    SECONDS_FOR_FILES = 15,
    SECONDS_FOR_CALLS = 20,
};

/* ---- Files ----------------------------------------------------------------------------------- */

static const char *const status_names[] = {
    [FILE_WAITS] = "not sent", [FILE_UNREADABLE] = "unreadable", [FILE_ANSWERED] = "not checked",
    [FILE_OK] = "ok",          [FILE_CHANGED] = "changed",       [FILE_WRONG] = "WRONG",
};

static void print_row(const struct tree *tree, const struct file *file) {
    const uint8_t *d = file->digest.sha256;
    printf("%-44s %10llu %10llu  %02x%02x%02x%02x%02x%02x  %s\n", file->path + tree->root,
           (unsigned long long)file->bytes, (unsigned long long)file->digest.gzipped, d[0], d[1],
           d[2], d[3], d[4], d[5], status_names[file->status]);
}

static void print_table(const struct tree *tree) {
    printf("%-44s %10s %10s  %-12s  %s\n", "file", "bytes", "gzipped", "sha256", "checked");
    for (size_t i = 0; i < tree->count; i++) {
        if (tree->files[i].status != FILE_WAITS)
            print_row(tree, &tree->files[i]);
    }
}

static size_t count_of(const struct tree *tree, enum file_status status) {
    size_t count = 0;
    for (size_t i = 0; i < tree->count; i++)
        count += tree->files[i].status == status;
    return count;
}

static bool summarise(const struct tree *tree, const struct reports *reports) {
    size_t ok = count_of(tree, FILE_OK), wrong = count_of(tree, FILE_WRONG);
    printf("\n%zu files, %llu bytes; %zu digests agree with %s, %zu do not; "
           "the guest called the host %llu times\n",
           tree->count, (unsigned long long)reports->latest.bytes, ok, digest_program, wrong,
           (unsigned long long)reports->calls);
    size_t waits = count_of(tree, FILE_WAITS);
    if (waits > 0)
        printf("stopped after %d s: %zu files were not sent\n", SECONDS_FOR_FILES, waits);
    size_t others = count_of(tree, FILE_UNREADABLE) + count_of(tree, FILE_CHANGED);
    if (others > 0)
        printf("%zu files could not be read, or were changed meanwhile\n", others);
    if (wrong > 0)
        fprintf(stderr, "demo: %zu digests are wrong\n", wrong);
    else if (ok == 0)
        fprintf(stderr, "demo: not one digest was checked\n");
    return wrong == 0 && ok > 0;
}

static bool show_files(shmipc_peer *host, const char *directory) {
    struct tree tree;
    struct reports reports = {0};
    bool good = tree_read(&tree, directory) &&
                send_files(host, &tree, SECONDS_FOR_FILES, &reports) && check_digests(&tree);
    if (good) {
        print_table(&tree);
        good = summarise(&tree, &reports);
    }
    tree_free(&tree);
    return good;
}

/* ---- Round trips ----------------------------------------------------------------------------- */

static int call_guest(void *context) {
    static const char bytes[CALL_BYTES] = "thirty-two bytes there and back";
    char answer[CALL_BYTES];
    shmipc_request request = {.data = bytes, .length = sizeof bytes, .type = MESSAGE_ECHO};
    shmipc_response response = {.data = answer, .capacity = sizeof answer};
    int error = shmipc_call(context, &request, &response, SHMIPC_TIMEOUT_DEFAULT);
    if (error)
        fprintf(stderr, "demo: %s\n", shmipc_last_error());
    else if (response.length != sizeof bytes || memcmp(answer, bytes, sizeof bytes) != 0)
        error = fprintf(stderr, "demo: a guest did not echo what it was sent\n");
    return error;
}

struct limit_subject {
    struct limit *limit;
    unsigned char pauses;
};

static int call_limit(void *context) {
    limit_round_trip(((struct limit_subject *)context)->limit);
    return 0;
}

static void begin_limit(void *context) {
    struct limit_subject *s = context;
    limit_begin_block(s->limit, s->pauses);
}

static void end_limit(void *context) {
    limit_end_block(((struct limit_subject *)context)->limit);
}

static struct subject limit_subject(const char *name, struct limit_subject *context) {
    return (struct subject){.name = name,
                            .call = call_limit,
                            .begin_block = begin_limit,
                            .end_block = end_limit,
                            .context = context,
                            .is_limit = true};
}

static void print_times(const struct subject *s) {
    printf("%-36s %9zu", s->name, s->count);
    static const double shares[] = {0.5, 0.9, 0.99, 0.999, 1};
    for (size_t i = 0; i < sizeof shares / sizeof *shares; i++)
        printf(" %9llu", (unsigned long long)percentile(s, shares[i]));
    printf("\n");
}

/* "10^6 calls", or how many there were. */
static void print_ratio(const struct subject *s, const char *which) {
    if (s->count == CALLS)
        printf("10^6");
    else
        printf("%zu", s->count);
    printf(" calls of %d bytes, %s: %.1f x the bare limit\n", CALL_BYTES, which, s->ratio);
}

static void print_all_times(const struct subject *subjects, size_t count) {
    printf("\n%-36s %9s %9s %9s %9s %9s %9s\n", "round trips, in ns", "calls", "p50", "p90", "p99",
           "p99.9", "max");
    for (size_t i = 0; i < count; i++)
        print_times(&subjects[i]);
    printf(
        "Measured in turn, in blocks of at most 50 ms. The clock is read after each call; what\n"
        "that costs, %llu ns, is subtracted. A ratio is the median over the rounds: the block's\n"
        "median by that of the fastest bare limit of its round.\n\n",
        (unsigned long long)clock_cost());
}

static bool show_times(struct limit *limit, shmipc_peer *go, shmipc_peer *c, size_t calls) {
    enum { TO_C = 3, TO_GO, SUBJECTS };
    struct limit_subject limits[] = {{limit, 0}, {limit, 1}, {limit, 4}};
    struct subject subjects[SUBJECTS] = {
        limit_subject("bare limit, both look all the time", &limits[0]),
        limit_subject("bare limit, 1 pause between looks", &limits[1]),
        limit_subject("bare limit, 4 pauses between looks", &limits[2]),
        [TO_C] = {.name = "C host to C guest", .call = call_guest, .context = c},
        [TO_GO] = {.name = "C host to Go guest", .call = call_guest, .context = go},
    };
    bool good = measure(subjects, SUBJECTS, calls, SECONDS_FOR_CALLS);
    if (good) {
        print_all_times(subjects, SUBJECTS);
        if (subjects[TO_C].count < calls || subjects[TO_GO].count < calls)
            printf("stopped early, after %d s: %zu calls of each were wanted\n", SECONDS_FOR_CALLS,
                   calls);
        print_ratio(&subjects[TO_GO], "C to Go");
        print_ratio(&subjects[TO_C], "C to C");
    }
    for (size_t i = 0; i < SUBJECTS; i++)
        free(subjects[i].times);
    return good;
}

/* ---- The whole ------------------------------------------------------------------------------- */

/* A region of its own for each guest: a host's call goes to any guest of its region. */
static shmipc_peer *create(const char *name, const char *suffix) {
    shmipc_host_config config = SHMIPC_HOST_CONFIG_INIT;
    config.host_slots = config.guest_slots = SLOTS;
    config.request_capacity = config.response_capacity = SLOT_BYTES;
    char full[SHMIPC_NAME_MAX + 1];
    (void)snprintf(full, sizeof full, "%s.%s", name, suffix);
    shmipc_peer *host;
    if (shmipc_host_create(full, &config, &host) == 0 &&
        shmipc_wait_guests(host, 1, SHMIPC_TIMEOUT_DEFAULT) == 0)
        return host;
    fprintf(stderr, "demo: the region %s: %s\n", full, shmipc_last_error());
    shmipc_free(host);
    return NULL;
}

static void leave(shmipc_peer *host) {
    if (host && shmipc_shutdown(host, SHMIPC_TIMEOUT_DEFAULT) != 0)
        fprintf(stderr, "demo: %s\n", shmipc_last_error());
    shmipc_free(host);
}

static bool run(const char *name, const char *directory, size_t calls) {
    struct limit limit;
    if (!limit_start(&limit))
        return false;
    shmipc_peer *go = create(name, "go");
    shmipc_peer *c = go ? create(name, "c") : NULL;
    bool good = go && c && show_files(go, directory) && show_times(&limit, go, c, calls);
    leave(c);
    leave(go);
    limit_stop(&limit);
    return good;
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "--guest") == 0)
        return echo_guest(argv[2]);
    if (argc == 5 && strcmp(argv[1], "--limit") == 0)
        return limit_be_child(argv + 2);
    size_t calls = argc > 3 ? strtoull(argv[3], NULL, 10) : CALLS;
    if (argc < 3 || argc > 4 || calls == 0) {
        fprintf(stderr, "usage: %s NAME DIRECTORY [CALLS]\n       %s --guest NAME\n", argv[0],
                argv[0]);
        return 2;
    }
    return run(argv[1], argv[2], calls) ? 0 : 1;
}
