/*
 * A region as one process sees it: the mapped object, its checked geometry, and the addresses of
 * its parts.
 */
#ifndef SHMIPC_REGION_H
#define SHMIPC_REGION_H

#include "wait/eventcount.h"

struct region {
    struct object *object;
    struct region_layout *shared;
    struct geometry geometry; /* private and checked; the header is not read again */
};

/* NAME unless it is 1 to 200 bytes of UTF-8, with no ASCII characters but [A-Za-z0-9_.-]. */
int shmi_region_check_name(const char *name);

/* Creates and publishes a complete region, and holds its host lock. The caller fills in the four
   settings of `geometry`. On failure nothing is left. */
int shmi_region_create(struct region *region, const char *name, const struct geometry *settings,
                       const struct object_rules *rules);

/* OK if an object that is not mapped begins with the header of a region, whose geometry it
   stores. */
int shmi_region_check(struct object *object, const char *name, struct geometry *geometry);

/* Opens, checks and maps the region that has the name now. On failure nothing is left. */
int shmi_region_open(struct region *region, const char *name, const struct object_rules *rules);

void shmi_region_close(struct region *region);

static inline uint32_t region_slots(const struct region *r) {
    return r->geometry.host_slots + r->geometry.guest_slots;
}

static inline struct slot *region_slot(const struct region *r, uint32_t index) {
    return (struct slot *)(void *)((char *)r->shared + SLOTS_OFFSET +
                                   (uint64_t)index * r->geometry.slot_stride);
}

static inline bool region_is_host_slot(const struct region *r, uint32_t index) {
    return index < r->geometry.host_slots;
}

/* Peer `index`'s end of an eventcount. */
static inline struct local_eventcount region_eventcount(const struct region *r,
                                                        enum eventcount_name name, uint32_t index) {
    return (struct local_eventcount){.shared = &r->shared->eventcounts[name].eventcount,
                                     .object = r->object,
                                     .armed = &r->shared->eventcounts[name].armed,
                                     .bit = UINT32_C(1) << index};
}

/* The eventcount in peer `index`'s own record, by which the peer is notified of answers. */
static inline struct local_eventcount region_answers(const struct region *r, uint32_t index) {
    return (struct local_eventcount){.shared = &r->shared->peers[index].answers,
                                     .object = r->object,
                                     .armed = &r->shared->peers[index].answers.sleepers,
                                     .armed_shift = ARMED_SHIFT,
                                     .bit = UINT32_C(1) << index};
}

static inline uint8_t *region_request_buffer(struct slot *slot) {
    return (uint8_t *)slot + REQUEST_OFFSET;
}

static inline uint8_t *region_response_buffer(const struct region *r, struct slot *slot) {
    return (uint8_t *)slot + r->geometry.response_offset;
}

#endif
