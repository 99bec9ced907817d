#include "support/fixture.h"

#include "wire/layout.h"

#include <string.h>

static const struct geometry settings = {.host_slots = 3,
                                         .guest_slots = 2,
                                         .request_capacity = 1000,
                                         .response_capacity = 500,
                                         .nonce = 42};

static struct geometry good_geometry(void) {
    struct geometry g = settings;
    assert_true(shmi_geometry_compute(&g));
    return g;
}

static struct header good_header(void) {
    struct geometry g = good_geometry();
    struct header header;
    memset(&header, 0xee, sizeof header);
    shmi_header_write(&header, &g);
    store_relaxed32(&header.ready, READY);
    return header;
}

static enum header_verdict verdict_on(const struct header *header) {
    struct geometry g;
    return shmi_header_read(header, &g);
}

static void every_structure_has_its_size(void **state) {
    (void)state;
    assert_int_equal(sizeof(struct header), 64);
    assert_int_equal(sizeof(struct peer_record), 64);
    assert_int_equal(sizeof(struct eventcount_line), 64);
    assert_int_equal(sizeof(struct slot), 128);
    assert_int_equal(sizeof(struct region_layout), 1536);
}

static void slots_begin_on_lines_and_do_not_overlap(void **state) {
    (void)state;
    for (uint32_t request = 1; request < 300; request += 7) {
        for (uint32_t response = 1; response < 300; response += 7) {
            struct geometry g = {.host_slots = 1,
                                 .guest_slots = 1,
                                 .request_capacity = request,
                                 .response_capacity = response};
            assert_true(shmi_geometry_compute(&g));
            assert_int_equal(g.slot_stride % 128, 0);
            assert_int_equal(g.response_offset % 64, 0);
            assert_true(g.response_offset >= REQUEST_OFFSET + request);
            assert_true(g.slot_stride >= g.response_offset + response);
            assert_true(g.total_size == SLOTS_OFFSET + 2 * (uint64_t)g.slot_stride);
        }
    }
}

static void settings_outside_their_range_are_refused(void **state) {
    (void)state;
    const struct geometry wrong[] = {
        {.host_slots = 0, .guest_slots = 0, .request_capacity = 1, .response_capacity = 1},
        {.host_slots = 4097, .guest_slots = 0, .request_capacity = 1, .response_capacity = 1},
        {.host_slots = 0, .guest_slots = 4097, .request_capacity = 1, .response_capacity = 1},
        {.host_slots = UINT32_MAX, .guest_slots = 1, .request_capacity = 1, .response_capacity = 1},
        {.host_slots = 1, .guest_slots = 1, .request_capacity = 0, .response_capacity = 1},
        {.host_slots = 1, .guest_slots = 1, .request_capacity = 1, .response_capacity = 0},
        {.host_slots = 1, .guest_slots = 1, .request_capacity = 0x40000001, .response_capacity = 1},
        {.host_slots = 1, .guest_slots = 1, .request_capacity = 1, .response_capacity = UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        struct geometry g = wrong[i];
        assert_false(shmi_geometry_compute(&g));
    }
}

static void the_largest_region_does_not_overflow(void **state) {
    (void)state;
    struct geometry g = {.host_slots = 4096,
                         .guest_slots = 4096,
                         .request_capacity = SHMIPC_CAPACITY_MAX,
                         .response_capacity = SHMIPC_CAPACITY_MAX};
    assert_true(shmi_geometry_compute(&g));
    assert_true(g.slot_stride == UINT32_C(0x80000080));
    assert_true(g.total_size == SLOTS_OFFSET + UINT64_C(8192) * UINT32_C(0x80000080));
}

static void header_is_read_as_it_was_written(void **state) {
    (void)state;
    struct geometry wanted = good_geometry();
    struct geometry g;
    struct header header = good_header();
    memset(&g, 0xee, sizeof g);
    assert_int_equal(shmi_header_read(&header, &g), HEADER_GOOD);
    assert_int_equal(g.host_slots, wanted.host_slots);
    assert_int_equal(g.guest_slots, wanted.guest_slots);
    assert_int_equal(g.request_capacity, wanted.request_capacity);
    assert_int_equal(g.response_capacity, wanted.response_capacity);
    assert_int_equal(g.response_offset, wanted.response_offset);
    assert_int_equal(g.slot_stride, wanted.slot_stride);
    assert_true(g.total_size == wanted.total_size);
    assert_true(header.nonce == 42);
}

static void header_begins_with_its_name(void **state) {
    (void)state;
    struct header header = good_header();
    assert_memory_equal(&header, "SHMIPC\r\n", 8);
}

static void writing_leaves_ready_to_the_last_store(void **state) {
    (void)state;
    struct geometry g = good_geometry();
    struct header header = {.magic = 0};
    shmi_header_write(&header, &g);
    assert_int_equal(load_relaxed32(&header.ready), 0);
    assert_int_equal(verdict_on(&header), HEADER_NOT_READY);
}

/* No such change fits the equations, so all but the nonce's are refused. */
static void every_changed_byte_is_noticed(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof(struct header); i++) {
        struct header header = good_header();
        uint8_t bytes[sizeof header];
        bool nonce = i >= offsetof(struct header, nonce) && i < offsetof(struct header, version);
        memcpy(bytes, &header, sizeof header);
        bytes[i] ^= 0x80;
        memcpy((void *)&header, bytes, sizeof header);
        assert_int_equal(verdict_on(&header) == HEADER_GOOD, nonce);
    }
}

static void identity_is_judged_before_the_equations(void **state) {
    (void)state;
    struct header header = good_header();
    header.slot_stride = 0;
    assert_int_equal(verdict_on(&header), HEADER_CORRUPT);
    header.version++;
    assert_int_equal(verdict_on(&header), HEADER_VERSION);
    store_relaxed32(&header.ready, 0);
    assert_int_equal(verdict_on(&header), HEADER_NOT_READY);
    header.magic = UINT64_C(0x53484d4950430d0a);
    assert_int_equal(verdict_on(&header), HEADER_BYTE_ORDER);
    header.magic = 1;
    assert_int_equal(verdict_on(&header), HEADER_NOT_A_REGION);
    header.magic = 0;
    assert_int_equal(verdict_on(&header), HEADER_NOT_READY);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_structure_has_its_size),
        cmocka_unit_test(slots_begin_on_lines_and_do_not_overlap),
        cmocka_unit_test(settings_outside_their_range_are_refused),
        cmocka_unit_test(the_largest_region_does_not_overflow),
        cmocka_unit_test(header_is_read_as_it_was_written),
        cmocka_unit_test(header_begins_with_its_name),
        cmocka_unit_test(writing_leaves_ready_to_the_last_store),
        cmocka_unit_test(every_changed_byte_is_noticed),
        cmocka_unit_test(identity_is_judged_before_the_equations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
