/*
 * docs/examples/minimal_guest against the golden description of the protocol in tests/conformance:
 * the numbers it uses, and what it makes of headers, epochs and state words.
 */
#define _GNU_SOURCE
#include <err.h>

#include "support/fixture.h"
#include "support/golden.h"

#include <string.h>

/* The guest ends where a word is impossible. Here that ends a trial. */
static jmp_buf end_of_trial;
static char reason[100];
#define errx(status, ...)                                                                          \
    ((void)snprintf(reason, sizeof reason, __VA_ARGS__), longjmp(end_of_trial, status))
#define main guest_main
int guest_main(int argc, char **argv);
#include "../../docs/examples/minimal_guest/minimal_guest.c" // NOLINT(bugprone-suspicious-include)
#undef main
#undef errx

/* ---- layout.txt ---- */

struct fact {
    const char *kind;
    const char *name;
    uint64_t value;
};

#define WORDS(index) (UINT64_C(4) * (index))

static const struct fact facts[] = {
    {"size", "header", sizeof header},
    {"offset", "header.total_size", WORDS(TOTAL)},
    {"offset", "header.version", WORDS(VERSION)},
    {"offset", "header.host_slots", WORDS(HOST_SLOTS)},
    {"offset", "header.guest_slots", WORDS(GUEST_SLOTS)},
    {"offset", "header.slot_stride", WORDS(STRIDE)},
    {"offset", "header.request_offset", WORDS(REQUESTS)},
    {"offset", "header.request_capacity", WORDS(REQUESTS + 1)},
    {"offset", "header.response_offset", WORDS(RESPONSES)},
    {"offset", "header.response_capacity", WORDS(RESPONSES + 1)},
    {"offset", "header.reserved", WORDS(RESERVED)},
    {"offset", "header.ready", WORDS(READY)},
    {"offset", "peers", LINES_AT},
    {"offset", "eventcounts", LINES_AT + UINT64_C(64) * HOST_REQUEST},
    {"offset", "slots", SLOTS_AT},
    {"const", "host", HOST},
    {"const", "eventcounts", LINES - HOST_REQUEST},
    {"const", "peers", HOST_REQUEST},
    {"offset", "peer.epoch", EPOCH},
    {"offset", "peer.status", STATUS},
    {"offset", "peer.pid", PROCESS},
    {"offset", "peer.left", LEFT},
    {"offset", "peer.served", COUNTERS},
    {"offset", "peer.answers", ANSWERS},
    {"offset", "eventcount.sleepers", SLEEPERS},
    {"offset", "slot.word", WORD},
    {"offset", "slot.length", LENGTH},
    {"offset", "slot.type", TYPE},
    {"offset", "slot.payload", INLINE},
    {"size", "slot.payload", INLINE_MOST},
    {"const", "inline", INLINE_MOST},
    {"offset", "slot.request", BUFFER},
    {"const", "tick_ns", TICK_NS},
    {"mask", "state", STATE},
    {"mask", "parked", PARKED},
    {"mask", "error", ERROR},
    {"mask", "reclaimed", RECLAIMED},
    {"mask", "align_end", ALIGN_END},
    {"mask", "sequence_low", SEQUENCE &UINT32_MAX},
    {"mask", "sequence_high", SEQUENCE & ~(uint64_t)UINT32_MAX},
    {"mask", "owner_index", OWNER &UINT64_C(0xf) << 32},
    {"mask", "owner_epoch", OWNER &UINT64_C(0xfff) << 36},
    {"state", "FREE", FREE},
    {"state", "BUSY", BUSY},
    {"state", "REQUEST", REQUEST},
    {"state", "WORKING", WORKING},
    {"state", "RESPONSE", RESPONSE},
    {"state", "CANCELLED", CANCELLED},
    {"status", "vacant", VACANT},
    {"status", "attached", ATTACHED},
    {"status", "leaving", LEAVING},
    {"status", "calls_only", CALLS_ONLY},
    {"eventcount", "host_request", HOST_REQUEST - HOST_REQUEST},
    {"eventcount", "guest_request", GUEST_REQUEST - HOST_REQUEST},
    {"eventcount", "host_free", HOST_FREE - HOST_REQUEST},
    {"eventcount", "guest_free", GUEST_FREE - HOST_REQUEST},
    {"eventcount", "members", MEMBERS - HOST_REQUEST},
    {"type", "normal", NORMAL},
    {"type", "heartbeat", HEARTBEAT},
    {"type", "heartbeat_reply", HEARTBEAT_REPLY},
    {"type", "flatbuffer", FLATBUFFER},
    {"type", "guest_call", GUEST_CALL},
    {"type", "application", APPLICATION},
    {"type", "error.too_large", TOO_LARGE},
    {"type", "error.type", WRONG_TYPE},
    {"type", "error.shutdown", SHUTDOWN},
    {"type", "error.handler", FAILED},
};

static bool find_in_golden(const struct fact *fact) {
    struct row row = {.number = 0};
    bool found = false;
    FILE *golden = open_golden("layout.txt");
    while (next_row(golden, &row)) {
        if (strcmp(row.column[0], fact->kind) == 0 && strcmp(row.column[1], fact->name) == 0)
            found = number(row.column[2], 0) == fact->value;
    }
    (void)fclose(golden);
    return found;
}

static void minimal_guest_has_the_golden_layout(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        if (!find_in_golden(&facts[i]))
            fail_msg("layout.txt does not say that %s %s is %llu", facts[i].kind, facts[i].name,
                     (unsigned long long)facts[i].value);
    }
}

/* ---- attach.txt, geometry.txt ---- */

static void minimal_guest_judges_headers_as_the_golden_ones(void **state) {
    (void)state;
    struct row row = {.number = 0};
    FILE *golden = open_golden("attach.txt");
    int rows = 0;
    for (; next_row(golden, &row); rows++) {
        uint32_t copy[HEADER_WORDS];
        read_header(row.column[3], (uint8_t *)copy);
        const char *wrong = judge(copy, number(row.column[1], 10));
        const bool version = wrong != NULL && strstr(wrong, "version") != NULL;
        if ((wrong == NULL) != (strcmp(row.column[2], "OK") == 0) ||
            version != (strcmp(row.column[2], "VERSION") == 0))
            fail_msg("attach.txt:%d: %s: here %s", row.number, row.column[0],
                     wrong == NULL ? "nothing is wrong" : wrong);
    }
    (void)fclose(golden);
    assert_true(rows > 0);
}

static void minimal_guest_takes_the_golden_geometries(void **state) {
    (void)state;
    struct row row = {.number = 0};
    FILE *golden = open_golden("geometry.txt");
    int rows = 0;
    while (next_row(golden, &row)) {
        if (strcmp(row.column[4], "invalid") == 0)
            continue;
        uint32_t h[HEADER_WORDS] = {[VERSION] = 6, [REQUESTS] = BUFFER, [READY] = 1};
        const uint64_t total = number(row.column[8], 10);
        memcpy(h, "SHMIPC\r\n", 8);
        memcpy(h + TOTAL, &total, sizeof total);
        h[HOST_SLOTS] = (uint32_t)number(row.column[0], 10);
        h[GUEST_SLOTS] = (uint32_t)number(row.column[1], 10);
        h[REQUESTS + 1] = (uint32_t)number(row.column[4], 10);
        h[RESPONSES + 1] = (uint32_t)number(row.column[5], 10);
        h[RESPONSES] = (uint32_t)number(row.column[6], 10);
        h[STRIDE] = (uint32_t)number(row.column[7], 10);
        const char *wrong = judge(h, total);
        if (wrong != NULL)
            fail_msg("geometry.txt:%d: here %s", row.number, wrong);
        rows++;
    }
    (void)fclose(golden);
    assert_true(rows > 0);
}

/* ---- epochs.txt ---- */

static void minimal_guest_counts_epochs_as_the_golden_ones(void **state) {
    (void)state;
    struct row row = {.number = 0};
    FILE *golden = open_golden("epochs.txt");
    int rows = 0;
    for (; next_row(golden, &row); rows++) {
        const uint32_t epoch = (uint32_t)number(row.column[0], 10);
        const uint64_t in_word = number(row.column[1], 10);
        if (next_epoch(epoch) != number(row.column[2], 10) ||
            (epoch != 0 && owner(7, epoch) != (in_word << 36 | UINT64_C(7) << 32)))
            fail_msg("epochs.txt:%d: here %u", row.number, next_epoch(epoch));
    }
    (void)fclose(golden);
    assert_true(rows > 0);
}

/* ---- transitions.txt ---- */

struct transition {
    const char *name;
    bool host;
    uint64_t seen;
    uint64_t argument;
    word64 slot;
};

static const char *claim_or_publish(struct transition *t, enum state to, const char *done,
                                    const char *refused) {
    uint64_t seen = t->seen;
    return swap(&t->slot, &seen, next(seen, to, t->argument)) ? done : refused;
}

static const char *take(struct transition *t) {
    uint64_t seen = t->seen;
    const uint64_t taken = next(seen, WORKING, t->argument | (seen & FLAGS));
    return swap(&t->slot, &seen, taken) ? "taken" : "refused";
}

static const char *answer_it(struct transition *t) {
    const uint64_t became = respond(&t->slot, t->seen, t->argument);
    return became == FREE ? "discarded" : became == RESPONSE ? "delivered" : "woken";
}

static const char *give_up(struct transition *t) {
    uint64_t word;
    const uint64_t became = await(&t->slot, t->seen, &word);
    return became == FREE ? "never-started" : became == CANCELLED ? "started" : "answered";
}

static const char *park(struct transition *t) {
    uint64_t seen = t->seen;
    return swap(&t->slot, &seen, seen | PARKED) ? "parked" : "refused";
}

static const char *release(struct transition *t) {
    uint64_t seen = t->seen;
    return swap(&t->slot, &seen, next(seen, FREE, 0)) ? "freed" : "corrupt";
}

static const char *reclaim_it(struct transition *t) {
    switch (reclaim(&t->slot, t->seen, t->host)) {
    case FREE:
        return "freed";
    case CANCELLED:
        return "cancelled";
    case RESPONSE:
        return "answered";
    case RESPONSE | PARKED:
        return "woken";
    default:
        return "nothing";
    }
}

/* A caller that waits, and finds that it is to stop, has looked at the word. It changes it, too. */
static const char *course(struct transition *t) {
    const uint64_t before = atomic_load(&t->slot);
    (void)give_up(t);
    atomic_store(&t->slot, before);
    return "yes";
}

/* A guest claims guest slots and takes requests in host slots. NULL: another peer does this. */
static const char *run(struct transition *t) {
    if (strcmp(t->name, "reclaim") == 0)
        return reclaim_it(t);
    if (t->host)
        return strcmp(t->name, "take") == 0      ? take(t)
               : strcmp(t->name, "respond") == 0 ? answer_it(t)
                                                 : NULL;
    if (strcmp(t->name, "claim") == 0)
        return claim_or_publish(t, BUSY, "claimed", "refused");
    if (strcmp(t->name, "publish") == 0)
        return claim_or_publish(t, REQUEST, "published", "corrupt");
    return strcmp(t->name, "give-up") == 0   ? give_up(t)
           : strcmp(t->name, "park") == 0    ? park(t)
           : strcmp(t->name, "release") == 0 ? release(t)
           : strcmp(t->name, "course") == 0  ? course(t)
                                             : NULL;
}

static const char *try(struct transition *t) {
    if (setjmp(end_of_trial) != 0) // NOLINT(cert-err52-cpp)
        return strcmp(t->name, "course") == 0 ? "no" : "corrupt";
    return run(t);
}

static bool check(const struct row *row) {
    struct transition t = {.name = row->column[0],
                           .host = strcmp(row->column[1], "host") == 0,
                           .seen = hexadecimal(row->column[2]),
                           .argument = hexadecimal(row->column[4])};
    atomic_store(&t.slot, hexadecimal(row->column[3]));
    const char *outcome = try(&t);
    const uint64_t after = atomic_load(&t.slot);
    if (outcome != NULL &&
        (strcmp(outcome, row->column[5]) != 0 || after != hexadecimal(row->column[6])))
        fail_msg("transitions.txt:%d: %s: here %s 0x%016llx, expected %s 0x%s", row->number,
                 row->column[0], outcome, (unsigned long long)after, row->column[5],
                 row->column[6]);
    return outcome != NULL;
}

static void minimal_guest_makes_the_golden_transitions(void **state) {
    (void)state;
    struct row row = {.number = 0};
    FILE *golden = open_golden("transitions.txt");
    int rows = 0;
    stop = 1; /* the waiting side gives up */
    while (next_row(golden, &row))
        rows += check(&row);
    (void)fclose(golden);
    assert_true(rows > 500);
}

/* ---- Requests that no library sends ---- */

static void minimal_guest_answers_reserved_types_with_an_error(void **state) {
    static const uint32_t types[] = {2, 3, 9, 12, 18, 29, 127};
    (void)state;
    header[RESPONSES + 1] = 64;
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        const struct message reply = answer((struct message){types[i], 0, 0, ""}, NULL);
        assert_int_equal(reply.type, WRONG_TYPE);
        assert_int_equal(reply.error, ERROR);
        assert_int_equal(reply.length, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(minimal_guest_has_the_golden_layout),
        watched_test(minimal_guest_judges_headers_as_the_golden_ones),
        watched_test(minimal_guest_takes_the_golden_geometries),
        watched_test(minimal_guest_counts_epochs_as_the_golden_ones),
        watched_test(minimal_guest_makes_the_golden_transitions),
        watched_test(minimal_guest_answers_reserved_types_with_an_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
