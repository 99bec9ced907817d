#include "platform/win32/object.h"

#include "base/error.h"

#include <stdlib.h>

/* ---- Places ---- */

static bool slot_at(const struct object *o, uint64_t offset, struct wait_key *key) {
    uint64_t number = (offset - SLOTS_OFFSET) / o->geometry.slot_stride;
    *key = (struct wait_key){.is_slot = true, .number = (uint32_t)number};
    return (offset - SLOTS_OFFSET) % o->geometry.slot_stride == 0 &&
           number < o->geometry.host_slots + o->geometry.guest_slots;
}

bool shmi_wait_key_of(const struct object *o, const atomic_u32 *word, struct wait_key *key) {
    uint64_t offset = (uint64_t)((const char *)(const void *)word - (const char *)o->base);
    uint64_t eventcounts = offset - offsetof(struct region_layout, eventcounts);
    uint64_t peers = offset - offsetof(struct region_layout, peers);
    if (offset >= SLOTS_OFFSET)
        return slot_at(o, offset, key);
    if (offset >= offsetof(struct region_layout, eventcounts)) {
        *key =
            (struct wait_key){.number = (uint32_t)(eventcounts / sizeof(struct eventcount_line))};
        return eventcounts % sizeof(struct eventcount_line) == 0;
    }
    *key = (struct wait_key){.number = EVENTCOUNT_ANSWERS,
                             .peer = (uint32_t)(peers / sizeof(struct peer_record))};
    return peers % sizeof(struct peer_record) == offsetof(struct peer_record, answers);
}

/* ---- Events ---- */

int shmi_events_prepare(struct object *o) {
    size_t slots = o->geometry.host_slots + o->geometry.guest_slots;
    o->events.slots = calloc(slots, sizeof *o->events.slots);
    if (o->events.slots == NULL)
        return shmi_fail(SHMIPC_E_NO_MEMORY, "no memory for the events of %zu slots", slots);
    return SHMIPC_OK;
}

static atomic_u64 *cache_of(struct object *o, struct wait_key key) {
    return key.is_slot ? &o->events.slots[key.number]
                       : &o->events.eventcounts[key.number][key.peer];
}

static struct object_name name_of(const struct object *o, struct wait_key key) {
    if (key.is_slot)
        return shmi_name_slot(&o->names, key.number);
    return key.number == EVENTCOUNT_ANSWERS ? shmi_name_answers(&o->names, key.peer)
                                            : shmi_name_eventcount(&o->names, key.number, key.peer);
}

static HANDLE handle_in(const atomic_u64 *cache) {
    return (HANDLE)(uintptr_t)load_acquire64(cache); // NOLINT(performance-no-int-to-ptr)
}

/* If two threads open the same event, only one handle is kept. */
static HANDLE keep(atomic_u64 *cache, HANDLE event) {
    uint64_t kept = 0;
    if (event == NULL || cas_seq_cst64(cache, &kept, (uint64_t)(uintptr_t)event))
        return event;
    CloseHandle(event);
    return handle_in(cache);
}

HANDLE shmi_event_to_sleep_on(struct object *o, struct wait_key key) {
    atomic_u64 *cache = cache_of(o, key);
    HANDLE event = handle_in(cache);
    if (event != NULL)
        return event;
    struct object_name name = name_of(o, key);
    return keep(cache, CreateEventExW(&o->events_security.attributes, name.text, 0,
                                      EVENT_MODIFY_STATE | SYNCHRONIZE));
}

/* Opens the event with the right to sleep too: the handle may be used for that later. */
bool shmi_event_set(struct object *o, struct wait_key key) {
    atomic_u64 *cache = cache_of(o, key);
    HANDLE event = handle_in(cache);
    if (event == NULL) {
        struct object_name name = name_of(o, key);
        event = keep(cache, OpenEventW(EVENT_MODIFY_STATE | SYNCHRONIZE, FALSE, name.text));
    }
    return event != NULL && SetEvent(event);
}

static void close_all(atomic_u64 *handles, size_t count) {
    for (size_t i = 0; i < count; i++) {
        HANDLE event = handle_in(&handles[i]);
        if (event != NULL)
            CloseHandle(event);
    }
}

void shmi_events_close(struct object *o) {
    if (o->events.slots == NULL)
        return;
    close_all(o->events.slots, o->geometry.host_slots + o->geometry.guest_slots);
    close_all(&o->events.eventcounts[0][0], (size_t)EVENTCOUNTS_TO_SLEEP_ON * PEERS);
    free((void *)o->events.slots);
}
