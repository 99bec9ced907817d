#include "wire/layout.h"

#include "shmipc/shmipc.h"

#include <string.h>

_Static_assert(SHMIPC_INLINE == INLINE_SIZE, "the header tells users the wire's inline size");
_Static_assert(SHMIPC_GUESTS_MAX == PEERS - 1, "peer 0 is the host");

static uint32_t round_up(uint32_t value, uint32_t multiple) {
    return (value + multiple - 1) / multiple * multiple;
}

static bool capacity_valid(uint32_t capacity) {
    return capacity >= 1 && capacity <= SHMIPC_CAPACITY_MAX;
}

bool shmi_geometry_compute(struct geometry *g) {
    if (g->host_slots > SHMIPC_SLOTS_MAX || g->guest_slots > SHMIPC_SLOTS_MAX ||
        g->host_slots + g->guest_slots == 0)
        return false;
    if (!capacity_valid(g->request_capacity) || !capacity_valid(g->response_capacity))
        return false;
    g->request_capacity = round_up(g->request_capacity, CACHE_LINE);
    g->response_capacity = round_up(g->response_capacity, CACHE_LINE);
    /* No overflow: two capacities of 1 GiB and the slot's header stay below 2^32. */
    g->response_offset = REQUEST_OFFSET + g->request_capacity;
    g->slot_stride = round_up(g->response_offset + g->response_capacity, 2 * CACHE_LINE);
    g->total_size = SLOTS_OFFSET + (uint64_t)(g->host_slots + g->guest_slots) * g->slot_stride;
    return true;
}

void shmi_header_write(struct header *header, const struct geometry *g) {
    header->magic = MAGIC;
    header->total_size = g->total_size;
    header->nonce = g->nonce;
    header->version = PROTOCOL_VERSION;
    header->host_slots = g->host_slots;
    header->guest_slots = g->guest_slots;
    header->slot_stride = g->slot_stride;
    header->request_offset = REQUEST_OFFSET;
    header->request_capacity = g->request_capacity;
    header->response_offset = g->response_offset;
    header->response_capacity = g->response_capacity;
    header->reserved = 0;
}

static uint64_t byte_swapped(uint64_t value) {
    uint64_t swapped = 0;
    for (int i = 0; i < 8; i++)
        swapped = swapped << 8 | (value >> 8 * i & 0xff);
    return swapped;
}

static enum header_verdict check_identity(const struct header *copy) {
    if (copy->magic == 0)
        return HEADER_NOT_READY;
    if (copy->magic == byte_swapped(MAGIC))
        return HEADER_BYTE_ORDER;
    if (copy->magic != MAGIC)
        return HEADER_NOT_A_REGION;
    if (load_relaxed32(&copy->ready) != READY)
        return HEADER_NOT_READY;
    return copy->version == PROTOCOL_VERSION ? HEADER_GOOD : HEADER_VERSION;
}

enum header_verdict shmi_header_read(const struct header *copy, struct geometry *g) {
    enum header_verdict verdict = check_identity(copy);
    if (verdict != HEADER_GOOD)
        return verdict;
    g->host_slots = copy->host_slots;
    g->guest_slots = copy->guest_slots;
    g->request_capacity = copy->request_capacity;
    g->response_capacity = copy->response_capacity;
    g->nonce = copy->nonce;
    if (!shmi_geometry_compute(g) || copy->request_capacity != g->request_capacity ||
        copy->response_capacity != g->response_capacity || copy->total_size != g->total_size ||
        copy->slot_stride != g->slot_stride || copy->request_offset != REQUEST_OFFSET ||
        copy->response_offset != g->response_offset || copy->reserved != 0)
        return HEADER_CORRUPT;
    return HEADER_GOOD;
}
