/* Lengths of every size, on every path: right or refused, never cut, never outside. */
#define _GNU_SOURCE
#include "hazard/peers.h"

#include "wire/layout.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { REQUEST_BYTES = 1024, RESPONSE_BYTES = 512, BIG = 4096 };

/* The request's first four bytes say how long the answer is to be and its type whether it is to
   lie at the end. The rest must be the pattern of its length. */
enum { AT_BEGIN = 300, AT_END = 301 };

static atomic_uint runs_here;

static int answer_at_length(void *context, const shmipc_request *request,
                            shmipc_response *response) {
    atomic_uint *runs = context != NULL ? context : &runs_here;
    uint32_t length = (uint32_t)request->length;
    atomic_fetch_add(runs, 1);
    if (request->length >= sizeof length)
        memcpy(&length, request->data, sizeof length);
    if (request->length > sizeof length)
        must(pattern_holds((const uint8_t *)request->data + sizeof length,
                           request->length - sizeof length, request->length));
    response->length = length;
    response->type = request->type;
    if (length > response->capacity)
        return 0;
    uint8_t *to = response->data;
    if (request->type == AT_END) {
        to += response->capacity - length;
        response->flags = SHMIPC_ALIGN_END;
    }
    pattern_fill(to, length, length + 7u);
    return 0;
}

static void fill_request(uint8_t *bytes, size_t length, uint32_t answer_length) {
    if (length >= sizeof answer_length)
        memcpy(bytes, &answer_length, sizeof answer_length);
    if (length > sizeof answer_length)
        pattern_fill(bytes + sizeof answer_length, length - sizeof answer_length, length);
}

static int exchange(struct line *line, uint32_t type, size_t length, uint32_t answer_length,
                    shmipc_response *response) {
    static uint8_t question[BIG];
    static uint8_t answer[BIG];
    fill_request(question, length < BIG ? length : 0, answer_length);
    const shmipc_request request = {.data = question, .length = length, .type = type};
    *response = (shmipc_response){.data = answer, .capacity = sizeof answer};
    return line_call(line, &request, response, 20 * SECOND);
}

static void expect_answer(struct line *line, uint32_t type, size_t length, uint32_t wanted) {
    shmipc_response response;
    uint32_t answer_length = length >= sizeof wanted ? wanted : (uint32_t)length;
    must_equal(exchange(line, type, length, wanted, &response), 0);
    must_equal(response.length, answer_length);
    must_equal(response.type, type);
    must(pattern_holds(response.data, response.length, answer_length + 7u));
}

static void expect_both_sizes(size_t size, size_t capacity) {
    char text[32];
    (void)snprintf(text, sizeof text, "%zu", size);
    must(strstr(shmipc_last_error(), text) != NULL);
    (void)snprintf(text, sizeof text, "%zu", capacity);
    must(strstr(shmipc_last_error(), text) != NULL);
}

static void every_size_that_fits_arrives(bool host_calls, enum way way) {
    static const size_t requests[] = {0,  1,  3,   4,   8,   16,  32,  47,  48,  49,           63,
                                      64, 65, 111, 112, 113, 127, 128, 499, 999, REQUEST_BYTES};
    static const uint32_t answers[] = {
        0, 1, 7, 47, 48, 49, 63, 64, 65, 112, 113, 499, RESPONSE_BYTES};
    struct scene scene = {.host_calls = host_calls, .handler = answer_at_length};
    scene_open(&scene);
    struct line line = {.peer = scene.caller, .way = way};
    for (size_t i = 0; i < sizeof requests / sizeof *requests; i++) {
        for (size_t j = 0; j < sizeof answers / sizeof *answers; j++) {
            expect_answer(&line, AT_BEGIN, requests[i], answers[j]);
            expect_answer(&line, AT_END, requests[i], answers[j]);
        }
    }
    line_end(&line);
    scene_close(&scene);
}

static void test_every_size_that_fits_arrives_whole(void **state) {
    (void)state;
    on_every_path(every_size_that_fits_arrives);
}

static void every_size_that_does_not_fit_is_refused(bool host_calls, enum way way) {
    static const size_t sizes[] = {REQUEST_BYTES + 1, INT32_MAX,    (size_t)INT32_MAX + 1,
                                   UINT32_MAX,        SIZE_MAX / 2, SIZE_MAX};
    atomic_uint *runs = shared_memory(sizeof *runs);
    struct scene scene = {.host_calls = host_calls, .handler = answer_at_length, .context = runs};
    shmipc_response response;
    scene_open(&scene);
    struct line line = {.peer = scene.caller, .way = way};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        must_equal(exchange(&line, AT_BEGIN, sizes[i], 0, &response), SHMIPC_E_TOO_LARGE);
        expect_both_sizes(sizes[i], REQUEST_BYTES);
    }
    must_equal(atomic_load(runs), 0);
    expect_answer(&line, AT_BEGIN, REQUEST_BYTES, RESPONSE_BYTES);
    line_end(&line);
    scene_close(&scene);
    shared_memory_free(runs, sizeof *runs);
}

static void test_a_request_that_does_not_fit_is_not_sent(void **state) {
    (void)state;
    on_every_path(every_size_that_does_not_fit_is_refused);
}

static void an_answer_that_does_not_fit_is_an_error(bool host_calls, enum way way) {
    static const uint32_t sizes[] = {RESPONSE_BYTES + 1, INT32_MAX, 0x80000000u, UINT32_MAX};
    struct scene scene = {.host_calls = host_calls, .handler = answer_at_length};
    shmipc_response response;
    scene_open(&scene);
    struct line line = {.peer = scene.caller, .way = way};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        must_equal(exchange(&line, AT_BEGIN, 8, sizes[i], &response), SHMIPC_E_TOO_LARGE);
        expect_both_sizes(sizes[i], RESPONSE_BYTES);
        expect_answer(&line, AT_BEGIN, 8, RESPONSE_BYTES);
    }
    line_end(&line);
    scene_close(&scene);
}

static void test_an_answer_that_does_not_fit_is_an_error_with_both_sizes(void **state) {
    (void)state;
    on_every_path(an_answer_that_does_not_fit_is_an_error);
}

/* The caller's own buffer is too small: an error that says how large the answer is. */
static void test_an_answer_larger_than_the_callers_buffer_is_not_cut(void **state) {
    uint8_t question[4];
    uint8_t answer[64];
    struct scene scene = {.host_calls = true, .handler = answer_at_length};
    const shmipc_request request = {.data = question, .length = 4, .type = AT_BEGIN};
    (void)state;
    scene_open(&scene);
    for (uint32_t size = 1; size <= 60; size++) {
        shmipc_response response = {.data = answer, .capacity = size - 1};
        memset(answer, 0xee, sizeof answer);
        fill_request(question, sizeof question, size);
        must_equal(shmipc_call(scene.caller, &request, &response, 20 * SECOND), SHMIPC_E_TOO_LARGE);
        must_equal(response.length, size);
        expect_both_sizes(size, size - 1);
        for (size_t i = size - 1; i < sizeof answer; i++)
            must_equal(answer[i], 0xee);
    }
    scene_close(&scene);
}

/* Capacities below the inline size are kept too. */
static void test_tiny_capacities_hold(void **state) {
    (void)state;
    for (uint32_t capacity = 1; capacity <= 66; capacity += 13) {
        struct scene scene = {
            .host_calls = true, .handler = answer_at_length, .config = test_host_config()};
        shmipc_response response;
        scene.config.request_capacity = capacity;
        scene.config.response_capacity = capacity;
        scene_open(&scene);
        struct line line = {.peer = scene.caller};
        uint32_t rounded = (capacity + 63) / 64 * 64;
        expect_answer(&line, AT_BEGIN, capacity, capacity);
        expect_answer(&line, AT_END, rounded, rounded);
        must_equal(exchange(&line, AT_BEGIN, rounded + 1, 0, &response), SHMIPC_E_TOO_LARGE);
        must_equal(exchange(&line, AT_BEGIN, 4, rounded + 1, &response), SHMIPC_E_TOO_LARGE);
        scene_close(&scene);
    }
}

/* ---- What leaves the process ---- */

/* Puts garbage where the library's local variables will be. */
static void poison_stack(void) {
    volatile uint8_t garbage[16384];
    for (size_t i = 0; i < sizeof garbage; i++)
        garbage[i] = 0xa5;
}

static void expect_zero(const uint8_t *bytes, size_t size) {
    for (size_t i = 0; i < size; i++)
        must_equal(bytes[i], 0);
}

static void expect_clean(const uint8_t *bytes, const shmipc_info *info, size_t used_request,
                         size_t used_response) {
    const struct region_layout *layout = (const void *)bytes;
    struct geometry g = {.host_slots = info->host_slots,
                         .guest_slots = info->guest_slots,
                         .request_capacity = info->request_capacity,
                         .response_capacity = info->response_capacity};
    must(shmi_geometry_compute(&g));
    must_equal(layout->header.reserved, 0);
    for (int i = 0; i < EVENTCOUNTS; i++)
        expect_zero(layout->eventcounts[i].reserved, sizeof layout->eventcounts[i].reserved);
    for (uint32_t i = 0; i < g.host_slots + g.guest_slots; i++) {
        const uint8_t *slot = bytes + SLOTS_OFFSET + (size_t)i * g.slot_stride;
        expect_zero(slot + REQUEST_OFFSET + used_request,
                    g.response_offset - REQUEST_OFFSET - used_request);
        expect_zero(slot + g.response_offset + used_response,
                    g.slot_stride - g.response_offset - used_response);
    }
}

static uint8_t *read_region(const char *name, size_t size) {
    char path[256];
    path_of(name, path);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0);
    uint8_t *bytes = malloc(size);
    must(bytes != NULL);
    must_equal(read(fd, bytes, size), (ssize_t)size);
    must_equal(close(fd), 0);
    return bytes;
}

/* Requests of up to 100 bytes and answers of up to 70 get into the region, and nothing else. */
static void test_only_messages_get_into_the_region(void **state) {
    struct pair pair;
    struct server server;
    shmipc_info info;
    (void)state;
    poison_stack();
    pair_open(&pair, NULL);
    server_start(&server, pair.guest, answer_at_length, NULL);
    struct line line = {.peer = pair.host};
    for (uint32_t size = 0; size <= 100; size++) {
        poison_stack();
        line.way = (enum way)(size % WAYS);
        expect_answer(&line, AT_BEGIN, size, size < 70 ? size : 70);
        line_end(&line);
    }
    must_equal(server_stop(&server), SHMIPC_E_WOKEN);
    must_equal(shmipc_get_info(pair.host, &info), 0);
    uint8_t *bytes = read_region(pair.name.text, info.region_size);
    expect_clean(bytes, &info, 100, 70);
    free(bytes);
    pair_close(&pair);
}

/* ---- Broken files ---- */

static void write_file(const char *name, const void *bytes, size_t size) {
    char path[256];
    path_of(name, path);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    must(fd >= 0);
    must_equal(write(fd, bytes, size), (ssize_t)size);
    must_equal(close(fd), 0);
}

static int attach_to(const char *name, const void *bytes, size_t size) {
    shmipc_peer *peer;
    write_file(name, bytes, size);
    int error = shmipc_guest_attach(name, NULL, 0, &peer);
    must(error != SHMIPC_OK && peer == NULL);
    return error;
}

static uint8_t *a_good_region(size_t *size) {
    const shmipc_host_config config = test_host_config();
    struct region_name name = new_name();
    shmipc_info info;
    shmipc_peer *host;
    must_equal(shmipc_host_create(name.text, &config, &host), 0);
    must_equal(shmipc_get_info(host, &info), 0);
    *size = info.region_size;
    uint8_t *bytes = read_region(name.text, *size);
    shmipc_free(host);
    return bytes;
}

static void remove_file(const char *name) {
    char path[256];
    path_of(name, path);
    must_equal(unlink(path), 0);
}

static void test_each_broken_file_is_an_error_of_its_own(void **state) {
    struct region_name name = new_name();
    struct header swapped = {.magic = UINT64_C(0x53484d4950430d0a)};
    struct header other = {.magic = 12345};
    size_t size;
    (void)state;
    uint8_t *bytes = a_good_region(&size);
    struct header *header = (void *)bytes;
    must_equal(attach_to(name.text, bytes, size), SHMIPC_E_NOT_FOUND); /* good, but nobody's */
    must_equal(attach_to(name.text, bytes, 0), SHMIPC_E_TRUNCATED);
    must_equal(attach_to(name.text, bytes, 63), SHMIPC_E_TRUNCATED);
    must_equal(attach_to(name.text, bytes, size - 1), SHMIPC_E_TRUNCATED);
    must_equal(attach_to(name.text, &swapped, sizeof swapped), SHMIPC_E_BYTE_ORDER);
    must_equal(attach_to(name.text, &other, sizeof other), SHMIPC_E_NOT_A_REGION);
    header->version++;
    must_equal(attach_to(name.text, bytes, size), SHMIPC_E_VERSION);
    header->version--;
    store_relaxed32(&header->ready, 0);
    must_equal(attach_to(name.text, bytes, size), SHMIPC_E_NOT_READY);
    header->magic = 0;
    must_equal(attach_to(name.text, bytes, size), SHMIPC_E_NOT_READY);
    free(bytes);
    remove_file(name.text);
}

/* Any bit of the header flipped, any field at an extreme: an error, or a header that means the
   same. Never a fault: under the address sanitizer this reads no byte outside. */
static void test_a_header_that_lies_is_refused(void **state) {
    static const uint32_t extremes[] = {0,          1,          0x7fffffff, 0x80000000,
                                        0xffffffff, 0xfffff000, 4096,       4097};
    struct region_name name = new_name();
    size_t size;
    (void)state;
    uint8_t *bytes = a_good_region(&size);
    struct header good;
    memcpy(&good, bytes, sizeof good);
    for (size_t bit = 0; bit < 8 * sizeof good; bit++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        bool is_nonce = bit / 8 >= 16 && bit / 8 < 24;
        int error = attach_to(name.text, bytes, size);
        must(error == SHMIPC_E_NOT_FOUND ? is_nonce : !is_nonce);
        memcpy(bytes, &good, sizeof good);
    }
    for (size_t field = 8; field < sizeof good; field += 4) {
        for (size_t i = 0; i < sizeof extremes / sizeof *extremes; i++) {
            memcpy(bytes + field, &extremes[i], sizeof extremes[i]);
            (void)attach_to(name.text, bytes, size);
            memcpy(bytes, &good, sizeof good);
        }
    }
    free(bytes);
    remove_file(name.text);
}

HAZARD_MAIN("sizes", hazard_test(test_every_size_that_fits_arrives_whole),
            hazard_test(test_a_request_that_does_not_fit_is_not_sent),
            hazard_test(test_an_answer_that_does_not_fit_is_an_error_with_both_sizes),
            hazard_test(test_an_answer_larger_than_the_callers_buffer_is_not_cut),
            hazard_test(test_tiny_capacities_hold),
            hazard_test(test_only_messages_get_into_the_region),
            hazard_test(test_each_broken_file_is_an_error_of_its_own),
            hazard_test(test_a_header_that_lies_is_refused))
