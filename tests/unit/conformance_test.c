/*
 * The C side against the golden description of the protocol in tests/conformance, which the other
 * languages' tests read too.
 */
#define _GNU_SOURCE
#include "support/fixture.h"
#include "support/golden.h"

#include "region/region.h"
#include "region/slot.h"
#include "wait/policy.h"
#include "wire/layout.h"
#include "wire/types.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- Reading ---- */

static int64_t signed_number(const char *text) {
    return *text == '-' ? -(int64_t)number(text + 1, 0) : (int64_t)number(text, 0);
}

/* ---- layout.txt ---- */

struct fact {
    const char *kind;
    const char *name;
    int64_t value;
    bool found;
};

#define FIELD(part, type, member)                                                                  \
    {"offset", #part "." #member, offsetof(struct type, member), false}, {                         \
        "size", #part "." #member, sizeof(((struct type *)0)->member), false                       \
    }
#define CONSTANT(name, value)                                                                      \
    { "const", name, (int64_t)(value), false }
#define VALUE(kind, name, value)                                                                   \
    { kind, name, (int64_t)(value), false }
#define ERROR(name)                                                                                \
    { "error", #name, SHMIPC_E_##name, false }

static struct fact facts[] = {
    {"offset", "header", offsetof(struct region_layout, header), false},
    {"size", "header", sizeof(struct header), false},
    {"offset", "peers", offsetof(struct region_layout, peers), false},
    {"size", "peer", sizeof(struct peer_record), false},
    CONSTANT("peers", PEERS),
    {"offset", "eventcounts", offsetof(struct region_layout, eventcounts), false},
    {"size", "eventcount_line", sizeof(struct eventcount_line), false},
    CONSTANT("eventcounts", EVENTCOUNTS),
    {"offset", "services", offsetof(struct region_layout, services), false},
    {"size", "services", sizeof(((struct region_layout *)NULL)->services), false},
    {"offset", "slots", SLOTS_OFFSET, false},
    FIELD(header, header, magic),
    FIELD(header, header, total_size),
    FIELD(header, header, nonce),
    FIELD(header, header, version),
    FIELD(header, header, host_slots),
    FIELD(header, header, guest_slots),
    FIELD(header, header, slot_stride),
    FIELD(header, header, request_offset),
    FIELD(header, header, request_capacity),
    FIELD(header, header, response_offset),
    FIELD(header, header, response_capacity),
    FIELD(header, header, reserved),
    FIELD(header, header, ready),
    FIELD(peer, peer_record, epoch),
    FIELD(peer, peer_record, status),
    FIELD(peer, peer_record, pid),
    FIELD(peer, peer_record, left),
    FIELD(peer, peer_record, served),
    FIELD(peer, peer_record, discarded),
    FIELD(peer, peer_record, calls),
    FIELD(peer, peer_record, failed),
    FIELD(peer, peer_record, origin),
    FIELD(peer, peer_record, answers),
    FIELD(eventcount, eventcount, generation),
    FIELD(eventcount, eventcount, sleepers),
    FIELD(eventcount_line, eventcount_line, armed),
    FIELD(eventcount_line, eventcount_line, reserved),
    FIELD(slot, slot, word),
    FIELD(slot, slot, length),
    FIELD(slot, slot, type),
    FIELD(slot, slot, payload),
    {"offset", "slot.request", REQUEST_OFFSET, false},
    CONSTANT("magic", MAGIC),
    CONSTANT("version", PROTOCOL_VERSION),
    CONSTANT("ready", READY),
    CONSTANT("inline", INLINE_SIZE),
    CONSTANT("host", HOST),
    CONSTANT("guests_max", SHMIPC_GUESTS_MAX),
    CONSTANT("slots_max", SHMIPC_SLOTS_MAX),
    CONSTANT("capacity_max", SHMIPC_CAPACITY_MAX),
    CONSTANT("epoch_max", EPOCH_MAX),
    CONSTANT("alignment", CACHE_LINE),
    CONSTANT("name_max", SHMIPC_NAME_MAX),
    CONSTANT("tick_ns", TICK_NS),
    CONSTANT("idle_tick_ns", IDLE_TICK_NS),
    CONSTANT("parked_tick_ns", PARKED_TICK_NS),
    CONSTANT("lock_offset", INT64_C(1) << 62), /* see host_lock_lies_where_the_protocol_says */
    VALUE("mask", "state", WORD_STATE),
    VALUE("mask", "parked", WORD_PARKED),
    VALUE("mask", "error", WORD_ERROR),
    VALUE("mask", "reclaimed", WORD_RECLAIMED),
    VALUE("mask", "align_end", WORD_ALIGN_END),
    VALUE("mask", "sequence_low", WORD_SEQUENCE &UINT32_MAX),
    VALUE("mask", "owner_index", UINT64_C(0xf) << OWNER_SHIFT),
    VALUE("mask", "owner_epoch", (uint64_t)EPOCH_MAX << EPOCH_SHIFT),
    VALUE("mask", "sequence_high", WORD_SEQUENCE & ~(uint64_t)UINT32_MAX),
    VALUE("state", "FREE", SLOT_FREE),
    VALUE("state", "BUSY", SLOT_BUSY),
    VALUE("state", "REQUEST", SLOT_REQUEST),
    VALUE("state", "WORKING", SLOT_WORKING),
    VALUE("state", "RESPONSE", SLOT_RESPONSE),
    VALUE("state", "CANCELLED", SLOT_CANCELLED),
    VALUE("status", "vacant", PEER_VACANT),
    VALUE("status", "attached", PEER_ATTACHED),
    VALUE("status", "leaving", PEER_LEAVING),
    VALUE("status", "calls_only", PEER_CALLS_ONLY),
    VALUE("eventcount", "host_request", EVENTCOUNT_HOST_REQUEST),
    VALUE("eventcount", "guest_request", EVENTCOUNT_GUEST_REQUEST),
    VALUE("eventcount", "host_free", EVENTCOUNT_HOST_FREE),
    VALUE("eventcount", "guest_free", EVENTCOUNT_GUEST_FREE),
    VALUE("eventcount", "members", EVENTCOUNT_MEMBERS),
    VALUE("type", "normal", SHMIPC_TYPE_NORMAL),
    VALUE("type", "heartbeat", TYPE_HEARTBEAT),
    VALUE("type", "heartbeat_reply", TYPE_HEARTBEAT_REPLY),
    VALUE("type", "shutdown", 3), /* never sent, so the library has no name for it */
    VALUE("type", "flatbuffer", SHMIPC_TYPE_FLATBUFFER),
    VALUE("type", "guest_call", SHMIPC_TYPE_GUEST_CALL),
    VALUE("type", "application", SHMIPC_TYPE_APPLICATION),
    VALUE("type", "error.too_large", -SHMIPC_E_TOO_LARGE),
    VALUE("type", "error.type", -SHMIPC_E_TYPE),
    VALUE("type", "error.shutdown", -SHMIPC_E_SHUTDOWN),
    VALUE("type", "error.handler", -SHMIPC_E_HANDLER),
    {"error", "OK", SHMIPC_OK, false},
    ERROR(INVALID),
    ERROR(NO_MEMORY),
    ERROR(SYSTEM),
    ERROR(NOT_SUPPORTED),
    ERROR(NO_DESCRIPTORS),
    ERROR(NO_SPACE),
    ERROR(NAME),
    ERROR(NAME_IN_USE),
    ERROR(NOT_FOUND),
    ERROR(DENIED),
    ERROR(FULL),
    ERROR(NOT_A_REGION),
    ERROR(BYTE_ORDER),
    ERROR(VERSION),
    ERROR(NOT_READY),
    ERROR(TRUNCATED),
    ERROR(CORRUPT),
    ERROR(TOO_LARGE),
    ERROR(TYPE),
    ERROR(TIMEOUT),
    ERROR(TIMEOUT_STARTED),
    ERROR(CANCELLED),
    ERROR(CANCELLED_STARTED),
    ERROR(NO_PEER),
    ERROR(PEER_DIED),
    ERROR(CLOSED),
    ERROR(CLOSED_STARTED),
    ERROR(SHUTDOWN),
    ERROR(HANDLER),
    ERROR(STALE),
    ERROR(STATE),
    ERROR(WOKEN),
    ERROR(NAME_LOST),
};

enum { FACTS = sizeof facts / sizeof *facts };

static struct fact *find_fact(const char *kind, const char *name) {
    for (size_t i = 0; i < FACTS; i++) {
        if (strcmp(facts[i].kind, kind) == 0 && strcmp(facts[i].name, name) == 0)
            return &facts[i];
    }
    return NULL;
}

static void layout_is_the_golden_one(void **state) {
    (void)state;
    struct row row = {.number = 0};
    FILE *golden = open_golden("layout.txt");
    while (next_row(golden, &row)) {
        assert_int_equal(row.columns, 3);
        struct fact *fact = find_fact(row.column[0], row.column[1]);
        int64_t value = signed_number(row.column[2]);
        if (fact == NULL)
            fail_msg("layout.txt:%d: %s %s is unknown here", row.number, row.column[0],
                     row.column[1]);
        must(fact != NULL);
        if (fact->value != value)
            fail_msg("layout.txt:%d: %s %s is %lld here", row.number, row.column[0], row.column[1],
                     (long long)fact->value);
        fact->found = true;
    }
    (void)fclose(golden);
    for (size_t i = 0; i < FACTS; i++) {
        if (!facts[i].found)
            fail_msg("layout.txt says nothing of %s %s", facts[i].kind, facts[i].name);
    }
}

/* ---- geometry.txt ---- */

static void geometries_are_the_golden_ones(void **state) {
    (void)state;
    struct row row = {.number = 0};
    FILE *golden = open_golden("geometry.txt");
    int rows = 0;
    for (; next_row(golden, &row); rows++) {
        struct geometry g = {.host_slots = (uint32_t)number(row.column[0], 10),
                             .guest_slots = (uint32_t)number(row.column[1], 10),
                             .request_capacity = (uint32_t)number(row.column[2], 10),
                             .response_capacity = (uint32_t)number(row.column[3], 10)};
        bool valid = strcmp(row.column[4], "invalid") != 0;
        if (shmi_geometry_compute(&g) != valid)
            fail_msg("geometry.txt:%d: valid is %d here", row.number, !valid);
        if (!valid)
            continue;
        if (g.request_capacity != number(row.column[4], 10) ||
            g.response_capacity != number(row.column[5], 10) ||
            g.response_offset != number(row.column[6], 10) ||
            g.slot_stride != number(row.column[7], 10) || g.total_size != number(row.column[8], 10))
            fail_msg("geometry.txt:%d: %u %u %u %u %llu here", row.number, g.request_capacity,
                     g.response_capacity, g.response_offset, g.slot_stride,
                     (unsigned long long)g.total_size);
    }
    (void)fclose(golden);
    assert_true(rows > 0);
}

/* ---- epochs.txt ---- */

static void epochs_are_the_golden_ones(void **state) {
    (void)state;
    struct row row = {.number = 0};
    FILE *golden = open_golden("epochs.txt");
    int rows = 0;
    for (; next_row(golden, &row); rows++) {
        uint32_t epoch = (uint32_t)number(row.column[0], 10);
        if (epoch_in_word(epoch) != number(row.column[1], 10) ||
            epoch_next(epoch) != number(row.column[2], 10))
            fail_msg("epochs.txt:%d: %u %u here", row.number, epoch_in_word(epoch),
                     epoch_next(epoch));
    }
    (void)fclose(golden);
    assert_true(rows > 0);
}

/* ---- transitions.txt ---- */

struct transition {
    bool host;
    word seen;
    word before;
    uint64_t argument;
    struct slot slot;
};

static const char *claim(struct transition *t) {
    word seen = t->seen;
    bool claimed = shmi_slot_claim(&t->slot, &seen, t->argument);
    must(seen == slot_look(&t->slot));
    return claimed ? "claimed" : "refused";
}

static const char *publish(struct transition *t) {
    word published;
    owner caller = t->host ? 0 : word_owner(t->seen);
    bool ok = slot_publish_request(&t->slot, t->seen, caller, t->argument, &published);
    must(!ok || published == slot_look(&t->slot));
    return ok ? "published" : "corrupt";
}

static const char *take(struct transition *t) {
    word taken;
    if (!shmi_slot_take(&t->slot, t->seen, t->argument, &taken))
        return "refused";
    must(taken == slot_look(&t->slot));
    return "taken";
}

static const char *respond(struct transition *t) {
    switch (shmi_slot_publish_response(&t->slot, t->seen, t->argument)) {
    case ANSWER_DELIVERED:
        return "delivered";
    case ANSWER_DELIVERED_TO_SLEEPER:
        return "woken";
    case ANSWER_DISCARDED:
        return "discarded";
    default:
        return "corrupt";
    }
}

static const char *give_up(struct transition *t) {
    word now;
    enum cancel_result cancel_result = shmi_slot_give_up(&t->slot, t->seen, &now);
    must(now == slot_look(&t->slot));
    switch (cancel_result) {
    case CANCEL_NEVER_STARTED:
        return "never-started";
    case CANCEL_STARTED:
        return "started";
    case CANCEL_ANSWERED:
        return "answered";
    default:
        return "corrupt";
    }
}

static const char *park(struct transition *t) {
    word seen = t->seen;
    bool parked = shmi_slot_park(&t->slot, &seen);
    must(seen == slot_look(&t->slot));
    return parked ? "parked" : "refused";
}

static const char *unpark(struct transition *t) {
    return shmi_slot_unpark(&t->slot, t->argument) ? "woken" : "nothing";
}

static const char *release_slot(struct transition *t) {
    return shmi_slot_release(&t->slot, t->seen) ? "freed" : "corrupt";
}

/* What became of the word tells a cancelled slot from an unchanged one. */
static const char *reclaim(struct transition *t) {
    enum reclaim result = t->host ? shmi_slot_reclaim_responder(&t->slot, t->seen)
                                  : shmi_slot_reclaim_caller(&t->slot, t->seen);
    switch (result) {
    case RECLAIM_FREED:
        return "freed";
    case RECLAIM_ANSWERED:
        return "answered";
    case RECLAIM_ANSWERED_SLEEPER:
        return "woken";
    default:
        return slot_look(&t->slot) == t->before ? "nothing" : "cancelled";
    }
}

static const char *course(struct transition *t) {
    return slot_is_valid_successor(t->seen, t->before) ? "yes" : "no";
}

static const struct {
    const char *name;
    const char *(*run)(struct transition *);
} transitions[] = {
    {"claim", claim},     {"publish", publish}, {"take", take},     {"respond", respond},
    {"give-up", give_up}, {"park", park},       {"unpark", unpark}, {"release", release_slot},
    {"reclaim", reclaim}, {"course", course},
};

enum { TRANSITIONS = sizeof transitions / sizeof *transitions };

static size_t find_transition(const char *name) {
    size_t i = 0;
    while (i < TRANSITIONS && strcmp(transitions[i].name, name) != 0)
        i++;
    must(i < TRANSITIONS);
    return i;
}

static size_t check_transition(const struct row *row) {
    struct transition t = {.host = strcmp(row->column[1], "host") == 0,
                           .seen = hexadecimal(row->column[2]),
                           .before = hexadecimal(row->column[3]),
                           .argument = hexadecimal(row->column[4])};
    size_t which = find_transition(row->column[0]);
    exchange_seq_cst64(&t.slot.word, t.before);
    const char *outcome = transitions[which].run(&t);
    word after = slot_look(&t.slot);
    if (strcmp(outcome, row->column[5]) != 0 || after != hexadecimal(row->column[6]))
        fail_msg("transitions.txt:%d: %s: %s 0x%016llx here, expected %s 0x%s", row->number,
                 row->column[0], outcome, (unsigned long long)after, row->column[5],
                 row->column[6]);
    return which;
}

static void transitions_are_the_golden_ones(void **state) {
    (void)state;
    struct row row = {.number = 0};
    FILE *golden = open_golden("transitions.txt");
    int cases[TRANSITIONS] = {0};
    while (next_row(golden, &row)) {
        assert_int_equal(row.columns, 7);
        cases[check_transition(&row)]++;
    }
    (void)fclose(golden);
    for (size_t i = 0; i < TRANSITIONS; i++)
        assert_true(cases[i] > 0);
}

/* ---- attach.txt ---- */

/* The region's own code on an object without a host: it gets no further than this. */
static int attach(const char *name) {
    const struct object_rules rules = {.mode = 0600, .owner = SHMIPC_OWNER_SELF};
    struct region region;
    int error = shmi_region_open(&region, name, &rules);
    if (error == SHMIPC_OK)
        shmi_region_close(&region);
    return error;
}

/* False if this system has no objects of such a size. */
static bool check_header(const struct row *row) {
    const struct fact *expected = find_fact("error", row->column[2]);
    struct region_name name = new_name();
    uint8_t header[64];
    must(expected != NULL);
    read_header(row->column[3], header);
    if (!plant_object(name.text, header, number(row->column[1], 10)))
        return false;
    int error = attach(name.text);
    remove_planted(name.text);
    if (error != expected->value)
        fail_msg("attach.txt:%d: %s: %d here (%s), expected %s", row->number, row->column[0], error,
                 shmipc_last_error(), row->column[2]);
    return true;
}

static void headers_are_judged_as_the_golden_ones(void **state) {
    (void)state;
    struct row row = {.number = 0};
    FILE *golden = open_golden("attach.txt");
    int rows = 0;
    while (next_row(golden, &row))
        rows += check_header(&row);
    (void)fclose(golden);
    assert_true(rows > 0);
}

/* ---- names.txt ---- */

static const char *judge_name(const char *digits) {
    char name[256] = {0};
    size_t length = strlen(digits) / 2;
    must(length < sizeof name);
    for (size_t i = 0; i < length; i++) {
        char pair[3] = {digits[2 * i], digits[2 * i + 1], 0};
        name[i] = (char)number(pair, 16);
    }
    return shmi_region_check_name(name) == SHMIPC_OK ? "OK" : "NAME";
}

static void names_are_judged_as_the_golden_ones(void **state) {
    (void)state;
    struct row row = {.number = 0};
    FILE *golden = open_golden("names.txt");
    int rows = 0;
    for (; next_row(golden, &row); rows++) {
        const char *verdict = judge_name(row.column[1]);
        if (strcmp(verdict, row.column[2]) != 0)
            fail_msg("names.txt:%d: %s: %s here, expected %s", row.number, row.column[0], verdict,
                     row.column[2]);
    }
    (void)fclose(golden);
    assert_true(rows > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(layout_is_the_golden_one),
        watched_test(geometries_are_the_golden_ones),
        watched_test(epochs_are_the_golden_ones),
        watched_test(transitions_are_the_golden_ones),
        watched_test(headers_are_judged_as_the_golden_ones),
        watched_test(names_are_judged_as_the_golden_ones),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
