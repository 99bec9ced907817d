#include "region/region.h"

#include "base/error.h"
#include "base/text.h"

#include <string.h>

static bool allowed_ascii(uint8_t c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '.' || c == '-';
}

static size_t character_length(const uint8_t *bytes, size_t left) {
    uint32_t code;
    return bytes[0] < 0x80 ? allowed_ascii(bytes[0]) : shmi_text_sequence(bytes, left, &code);
}

static int check_characters(const uint8_t *name, size_t length) {
    size_t i = 0;
    while (i < length) {
        size_t step = character_length(name + i, length - i);
        if (step == 0)
            return shmi_fail(SHMIPC_E_NAME,
                             "byte %zu of the name is 0x%02x, allowed: A-Za-z0-9_.- and UTF-8", i,
                             (unsigned)name[i]);
        i += step;
    }
    return SHMIPC_OK;
}

int shmi_region_check_name(const char *name) {
    if (name == NULL)
        return shmi_fail(SHMIPC_E_INVALID, "the name is NULL");
    const char *end = memchr(name, 0, SHMIPC_NAME_MAX + 1);
    size_t length = end == NULL ? SHMIPC_NAME_MAX + 1 : (size_t)(end - name);
    if (length == 0 || length > SHMIPC_NAME_MAX)
        return shmi_fail(SHMIPC_E_NAME, "the name has %s%zu bytes, allowed are 1 to %d",
                         length > SHMIPC_NAME_MAX ? "at least " : "", length, SHMIPC_NAME_MAX);
    return check_characters((const uint8_t *)name, length);
}

static void initialise(struct region *r) {
    struct peer_record *host = &r->shared->peers[HOST];
    shmi_header_write(&r->shared->header, &r->geometry);
    store_relaxed32(&host->epoch, 1);
    store_relaxed32(&host->status, PEER_ATTACHED);
    store_relaxed32(&host->pid, shmi_process_id());
    store_relaxed64(&host->origin, shmi_process_origin());
    /* Release: pairs with the acquire of a guest that finds the header ready. */
    store_release32(&r->shared->header.ready, READY);
}

static int settle_published(struct region *r, const char *name) {
    int error = shmi_object_settle(r->object);
    if (error == SHMIPC_E_NOT_FOUND)
        return shmi_fail(SHMIPC_E_NAME_LOST,
                         "somebody else removed the name %s as soon as the region had it", name);
    if (error)
        (void)shmi_object_unpublish(r->object);
    return error;
}

static int publish(struct region *r, const char *name) {
    int error = shmi_object_publish(r->object);
    return error ? error : settle_published(r, name);
}

static int lock_and_publish(struct region *r, const char *name) {
    switch (shmi_peer_lock(r->object, HOST)) {
    case LOCK_TAKEN:
        return publish(r, name);
    case LOCK_HELD:
        return shmi_fail(SHMIPC_E_DENIED, "somebody else holds the lock of the new region %s",
                         name);
    default:
        return shmi_fail_lock(r->object, HOST);
    }
}

int shmi_region_create(struct region *r, const char *name, const struct geometry *settings,
                       const struct object_rules *rules) {
    r->geometry = *settings;
    r->geometry.nonce = shmi_random_nonce();
    int error = shmi_object_create(name, &r->geometry, rules, &r->object);
    if (error)
        return error;
    r->shared = shmi_object_base(r->object);
    initialise(r);
    error = shmi_object_try(r->object);
    if (error == SHMIPC_OK)
        error = lock_and_publish(r, name);
    if (error)
        shmi_region_close(r);
    return error;
}

static int verdict_error(enum header_verdict verdict, const char *name, const struct header *h) {
    switch (verdict) {
    case HEADER_GOOD:
        return SHMIPC_OK;
    case HEADER_NOT_A_REGION:
        return shmi_fail(SHMIPC_E_NOT_A_REGION, "%s begins with 0x%016llx, a region with 0x%016llx",
                         name, (unsigned long long)h->magic, (unsigned long long)MAGIC);
    case HEADER_BYTE_ORDER:
        return shmi_fail(SHMIPC_E_BYTE_ORDER, "region %s has the other byte order", name);
    case HEADER_NOT_READY:
        return shmi_fail(SHMIPC_E_NOT_READY, "the header of region %s is not complete", name);
    case HEADER_VERSION:
        return shmi_fail(SHMIPC_E_VERSION, "region %s speaks protocol version %u, this library %u",
                         name, (unsigned)h->version, (unsigned)PROTOCOL_VERSION);
    default:
        return shmi_fail(SHMIPC_E_CORRUPT,
                         "the header of region %s contradicts itself: %u + %u slots of stride %u, "
                         "capacities %u and %u, %llu bytes",
                         name, (unsigned)h->host_slots, (unsigned)h->guest_slots,
                         (unsigned)h->slot_stride, (unsigned)h->request_capacity,
                         (unsigned)h->response_capacity, (unsigned long long)h->total_size);
    }
}

int shmi_region_check(struct object *object, const char *name, struct geometry *geometry) {
    struct header copy;
    int error = shmi_object_read(object, &copy, sizeof copy);
    return error ? error : verdict_error(shmi_header_read(&copy, geometry), name, &copy);
}

static int check_and_map(struct region *r, const char *name) {
    int error = shmi_region_check(r->object, name, &r->geometry);
    if (error == SHMIPC_OK)
        error = shmi_object_map(r->object, &r->geometry);
    if (error == SHMIPC_OK)
        error = shmi_object_try(r->object);
    return error;
}

int shmi_region_open(struct region *r, const char *name, const struct object_rules *rules) {
    int error = shmi_object_open(name, rules, &r->object);
    if (error)
        return error;
    error = check_and_map(r, name);
    if (error)
        shmi_region_close(r);
    else
        r->shared = shmi_object_base(r->object);
    return error;
}

void shmi_region_close(struct region *r) {
    shmi_object_close(r->object);
    r->object = NULL;
    r->shared = NULL;
}
