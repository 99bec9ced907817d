/*
 * A malicious peer writes anything anywhere in the region while the others work. They see errors,
 * time-outs, wrong bytes perhaps; but no fault, no access outside (under the address sanitizer),
 * and every call keeps its deadline.
 */
#define _GNU_SOURCE
#include "hazard/peers.h"

#include "wire/layout.h"
#include "wire/word.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BYTES = 320 };

struct fuzz {
    struct region_name name;
    struct gate ready;
    struct gate mapped;
    struct gate over;
    bool gently; /* fields one by one, with plausible values; else anything */
    atomic_ullong ended_well;
    atomic_ullong corrupt;
};

static shmipc_host_config fuzz_config(void) {
    shmipc_host_config config = test_host_config();
    config.request_capacity = BYTES;
    config.response_capacity = BYTES;
    return config;
}

/* ---- The attacker ---- */

struct target {
    uint8_t *bytes;
    size_t size;
    struct geometry geometry;
};

static struct target map_target(const char *name) {
    const shmipc_host_config config = fuzz_config();
    struct target target = {.geometry = {.host_slots = config.host_slots,
                                         .guest_slots = config.guest_slots,
                                         .request_capacity = config.request_capacity,
                                         .response_capacity = config.response_capacity}};
    char path[256];
    path_of(name, path);
    must(shmi_geometry_compute(&target.geometry));
    target.size = (size_t)target.geometry.total_size;
    int fd = open(path, O_RDWR | O_CLOEXEC);
    must(fd >= 0);
    target.bytes = mmap(NULL, target.size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    must(target.bytes != MAP_FAILED);
    must_equal(close(fd), 0);
    return target;
}

static uint32_t any32(void) {
    static const uint32_t likely[] = {0,  1,  2,  3,          18,         19,         28,
                                      29, 48, 49, BYTES,      BYTES + 1,  0x7fffffff, 0x80000000,
                                      10, 64, 16, 0xffffffff, 0xfffffff0, 1024,       65536};
    return draw(4) == 0 ? draw(UINT32_MAX) : likely[draw(sizeof likely / sizeof *likely)];
}

static void write32(uint8_t *to) {
    store_relaxed32((atomic_u32 *)(void *)to, any32());
}

/* A word near the one that is there: another state, another flag, owner or sequence. */
static void write_word(atomic_u64 *to) {
    word seen = load_relaxed64(to);
    switch (draw(4)) {
    case 0:
        store_relaxed64(to, word_with(seen, (enum slot_state)draw(16), draw(16) << 4));
        break;
    case 1:
        store_relaxed64(to, word_with_owner(seen, owner_make(draw(16), draw(4096))));
        break;
    case 2:
        store_relaxed64(to, word_next_sequence(seen) | draw(256));
        break;
    default:
        store_relaxed64(to, (uint64_t)draw(UINT32_MAX) << 32 | draw(UINT32_MAX));
    }
}

static void write_slot(const struct target *target) {
    uint32_t slots = target->geometry.host_slots + target->geometry.guest_slots;
    struct slot *slot =
        (void *)(target->bytes + SLOTS_OFFSET + (size_t)draw(slots) * target->geometry.slot_stride);
    switch (draw(4)) {
    case 0:
        write_word(&slot->word);
        break;
    case 1:
        store_relaxed32(&slot->length, any32());
        break;
    case 2:
        store_relaxed32(&slot->type, any32());
        break;
    default:
        memset(slot->payload, (int)draw(256), sizeof slot->payload);
    }
}

static void write_anywhere(const struct target *target) {
    switch (draw(4)) {
    case 0: /* header, peer records, eventcounts */
        write32(target->bytes + (size_t)draw(SLOTS_OFFSET / 4) * 4);
        break;
    case 1:
        write32(target->bytes + (size_t)draw((uint32_t)target->size / 4) * 4);
        break;
    default:
        write_slot(target);
    }
}

static int attack(void *context) {
    struct fuzz *fuzz = context;
    gate_await(&fuzz->ready, 1);
    struct target target = map_target(fuzz->name.text);
    gate_pass(&fuzz->mapped);
    while (atomic_load(&fuzz->over.passed) == 0) {
        if (fuzz->gently)
            write_slot(&target);
        else
            write_anywhere(&target);
        dawdle(fuzz->gently ? 100000 : 20000);
    }
    return 0;
}

/* ---- The victims: a host and a guest in one process that dies of any fault ---- */

static int answer_anything(void *context, const shmipc_request *request,
                           shmipc_response *response) {
    const volatile uint8_t *bytes = request->data;
    (void)context;
    for (size_t i = 0; i < request->length; i++)
        (void)bytes[i];
    must(request->length <= BYTES);
    must(request->peer < PEERS);
    memset(response->data, 1, response->capacity);
    response->length = draw(BYTES + 2);
    response->flags = draw(2) * SHMIPC_ALIGN_END;
    return draw(16) == 0 ? shmipc_fail(response, "a failure") : 0;
}

struct victim {
    struct fuzz *fuzz;
    shmipc_peer *peer;
    uint64_t until;
};

static void *serve_under_attack(void *context) {
    const struct victim *victim = context;
    int error = SHMIPC_OK;
    while (now_ns() < victim->until && error != SHMIPC_E_CORRUPT && error != SHMIPC_E_CLOSED)
        error = draw(2) == 0 ? shmipc_poll(victim->peer, answer_anything, NULL)
                             : shmipc_wait(victim->peer, MILLISECOND);
    return NULL;
}

static void look_around(shmipc_peer *peer) {
    shmipc_info info;
    shmipc_stats stats;
    shmipc_event event;
    (void)shmipc_next_event(peer, (int64_t)draw(2) * 100000, &event);
    (void)shmipc_get_info(peer, &info);
    (void)shmipc_get_stats(peer, &stats);
    (void)shmipc_ping(peer, 100000, NULL);
}

static int call_once(struct line *line) {
    static const uint8_t question[BYTES];
    const shmipc_request request = {
        .data = question, .length = draw(BYTES + 1), .type = 128 + draw(4)};
    uint8_t answer[BYTES];
    shmipc_response response = {.data = answer, .capacity = BYTES};
    uint64_t begin = now_ns();
    line->way = (enum way)draw(WAYS);
    int error = line_call(line, &request, &response, 2 * MILLISECOND);
    line_end(line);
    must(now_ns() - begin < 5 * (uint64_t)SECOND);
    must(error != SHMIPC_OK || response.length <= BYTES);
    return error;
}

static void *call_under_attack(void *context) {
    struct victim *victim = context;
    struct line line = {.peer = victim->peer};
    int error = SHMIPC_OK;
    while (now_ns() < victim->until && error != SHMIPC_E_CORRUPT) {
        error = call_once(&line);
        if (error == SHMIPC_OK)
            atomic_fetch_add(&victim->fuzz->ended_well, 1);
        if (draw(16) == 0)
            look_around(victim->peer);
    }
    if (error == SHMIPC_E_CORRUPT)
        atomic_fetch_add(&victim->fuzz->corrupt, 1);
    return NULL;
}

static void work_under_attack(struct fuzz *fuzz, struct pair *pair, uint64_t until) {
    struct victim host = {fuzz, pair->host, until};
    struct victim guest = {fuzz, pair->guest, until};
    pthread_t threads[] = {
        thread_start(serve_under_attack, &host), thread_start(serve_under_attack, &guest),
        thread_start(call_under_attack, &host), thread_start(call_under_attack, &guest)};
    for (int i = 0; i < 4; i++)
        thread_join(threads[i]);
    shmipc_free(pair->guest);
    shmipc_free(pair->host);
}

static int be_victims(void *context) {
    const shmipc_host_config config = fuzz_config();
    const shmipc_guest_config guest_config = test_guest_config();
    struct fuzz *fuzz = context;
    struct pair pair;
    must_equal(shmipc_host_create(fuzz->name.text, &config, &pair.host), 0);
    must_equal(shmipc_guest_attach(fuzz->name.text, &guest_config, SECOND, &pair.guest), 0);
    gate_pass(&fuzz->ready);
    gate_await(&fuzz->mapped, 1);
    work_under_attack(fuzz, &pair, now_ns() + 30 * (uint64_t)MILLISECOND);
    return 0;
}

static void survive_attacks(bool gently, unsigned rounds) {
    struct fuzz *fuzz = shared_memory(sizeof *fuzz);
    unsigned long long corrupt = 0;
    unsigned long long ended_well = 0;
    for (unsigned i = 0; i < rounds; i++) {
        *fuzz = (struct fuzz){.name = new_name(), .gently = gently};
        pid_t attacker = child_start(attack, fuzz);
        pid_t victims = child_start(be_victims, fuzz);
        must_equal(child_wait(victims), 0);
        gate_pass(&fuzz->over);
        must_equal(child_wait(attacker), 0);
        corrupt += atomic_load(&fuzz->corrupt);
        ended_well += atomic_load(&fuzz->ended_well);
    }
    /* It did work, and it was told of the corruption. */
    must(corrupt > 0 && ended_well > 0);
    shared_memory_free(fuzz, sizeof *fuzz);
}

static void test_slots_scribbled_over_are_errors_not_faults(void **state) {
    (void)state;
    survive_attacks(true, scaled(300));
}

static void test_a_region_scribbled_over_is_an_error_not_a_fault(void **state) {
    (void)state;
    survive_attacks(false, scaled(300));
}

HAZARD_MAIN("fuzz", hazard_test(test_slots_scribbled_over_are_errors_not_faults),
            hazard_test(test_a_region_scribbled_over_is_an_error_not_a_fault))
