/* Structures of programs that were compiled with another version of the header. */
#define _GNU_SOURCE
#include "support/fixture.h"

#include "api/config.h"
#include "base/error.h"

#include <stdio.h>
#include <string.h>

#define assert_says(part) assert_non_null(strstr(shmipc_last_error(), part))

/* Longer than any configuration. */
union host_settings {
    shmipc_host_config config;
    uint8_t bytes[4096 + 8];
};

union guest_settings {
    shmipc_guest_config config;
    uint8_t bytes[4096 + 8];
};

static const shmipc_host_config host_defaults = SHMIPC_HOST_CONFIG_INIT;
static const shmipc_guest_config guest_defaults = SHMIPC_GUEST_CONFIG_INIT;

/* Members of the given size only; all that lies beyond would be refused if it were looked at. */
static void each_smaller_size_has_defaults_for_the_rest(void **state) {
    (void)state;
    shmipc_host_config given;
    memset(&given, 0x77, sizeof given);
    for (size_t size = 8; size <= sizeof given; size += 8) {
        shmipc_host_config known = host_defaults;
        given.size = size;
        assert_int_equal(shmi_config_read(&known, sizeof known, &given), SHMIPC_OK);
        assert_memory_equal(&known, &given, size);
        assert_memory_equal((const char *)&known + size, (const char *)&host_defaults + size,
                            sizeof known - size);
    }
}

static void a_host_of_each_smaller_size_is_created(void **state) {
    (void)state;
    for (size_t size = 8; size < sizeof host_defaults; size += 8) {
        union host_settings s;
        struct region_name name = new_name();
        shmipc_peer *host;
        shmipc_info info;
        memset(&s, 0xff, sizeof s);
        memcpy(&s, &host_defaults, size);
        s.config.size = size;
        if (size >= 16)
            s.config.host_slots = 3;
        assert_int_equal(shmipc_host_create(name.text, &s.config, &host), SHMIPC_OK);
        assert_int_equal(shmipc_get_info(host, &info), SHMIPC_OK);
        assert_int_equal(info.host_slots, size >= 16 ? 3 : 4);
        assert_int_equal(info.request_capacity, 4096);
        shmipc_free(host);
    }
}

static void a_guest_of_each_smaller_size_attaches(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_peer *host;
    assert_int_equal(shmipc_host_create(name.text, NULL, &host), SHMIPC_OK);
    for (size_t size = 8; size < sizeof guest_defaults; size += 8) {
        union guest_settings s;
        shmipc_peer *guest;
        memset(&s, 0xff, sizeof s);
        memcpy(&s, &guest_defaults, size);
        s.config.size = size;
        assert_int_equal(shmipc_guest_attach(name.text, &s.config, SECOND, &guest), SHMIPC_OK);
        shmipc_free(guest);
    }
    shmipc_free(host);
}

static int create(const shmipc_host_config *config) {
    struct region_name name = new_name();
    shmipc_peer *host;
    int error = shmipc_host_create(name.text, config, &host);
    if (error == SHMIPC_OK)
        shmipc_free(host);
    return error;
}

static int attach(const shmipc_guest_config *config) {
    shmipc_peer *guest;
    return shmipc_guest_attach(new_name().text, config, 0, &guest);
}

static void sizes_of_no_header_are_refused_with_both_figures(void **state) {
    (void)state;
    const size_t sizes[] = {0, 7, 12, sizeof(shmipc_host_config) - 1, 4104, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        char figure[40];
        union host_settings host = {.config = host_defaults};
        union guest_settings guest = {.config = guest_defaults};
        host.config.size = guest.config.size = sizes[i];
        (void)snprintf(figure, sizeof figure, "size is %zu, ", sizes[i]);
        assert_int_equal(create(&host.config), SHMIPC_E_INVALID);
        assert_says(figure);
        assert_int_equal(attach(&guest.config), SHMIPC_E_INVALID);
        assert_says(figure);
        (void)snprintf(figure, sizeof figure, "this library's is %zu", sizeof guest_defaults);
        assert_says(figure);
    }
}

static void members_of_later_versions_are_taken_only_if_they_are_0(void **state) {
    (void)state;
    union host_settings host = {.config = host_defaults};
    union guest_settings guest = {.config = guest_defaults};
    char figure[40];
    host.config.size = sizeof host_defaults + 16;
    guest.config.size = sizeof guest_defaults + 16;
    assert_int_equal(create(&host.config), SHMIPC_OK);
    assert_int_equal(attach(&guest.config), SHMIPC_E_NOT_FOUND);
    host.bytes[sizeof host_defaults + 15] = 1;
    guest.bytes[sizeof guest_defaults] = 1;
    assert_int_equal(create(&host.config), SHMIPC_E_INVALID);
    (void)snprintf(figure, sizeof figure, "size is %zu, ", host.config.size);
    assert_says(figure);
    (void)snprintf(figure, sizeof figure, "knows %zu bytes", sizeof host_defaults);
    assert_says(figure);
    assert_int_equal(attach(&guest.config), SHMIPC_E_INVALID);
    assert_says("is not 0");
}

/* ---- Structures with a reserve ---- */

static void a_call_refuses_flags_that_it_does_not_know(void **state) {
    (void)state;
    struct pair pair;
    shmipc_slot slot;
    const shmipc_request request = {.flags = UINT32_C(1) << 31};
    pair_open(&pair, NULL);
    assert_int_equal(shmipc_call(pair.host, &request, NULL, SECOND), SHMIPC_E_INVALID);
    assert_says("0x80000000");
    assert_int_equal(shmipc_slot_claim(pair.host, SECOND, &slot), SHMIPC_OK);
    assert_int_equal(shmipc_slot_call(slot, &request, NULL, SECOND), SHMIPC_E_INVALID);
    assert_int_equal(shmipc_slot_send(slot, 0, 0, UINT32_C(1) << 31), SHMIPC_E_INVALID);
    assert_says("0x80000000");
    assert_int_equal(shmipc_slot_release(slot), SHMIPC_OK);
    pair_close(&pair);
}

static bool is_zero(const void *bytes, size_t size) {
    static const uint8_t zero[128];
    return memcmp(bytes, zero, size) == 0;
}

static int check_reserves(void *context, const shmipc_request *request, shmipc_response *response) {
    (void)context;
    must_equal(request->flags, 0);
    must(is_zero(request->reserved, sizeof request->reserved));
    must(is_zero(response->reserved, sizeof response->reserved));
    return 0;
}

static void structures_that_the_library_fills_in_have_a_reserve_of_0(void **state) {
    (void)state;
    struct pair pair;
    shmipc_info info;
    shmipc_stats stats;
    shmipc_event event;
    memset(&info, 0xff, sizeof info);
    memset(&stats, 0xff, sizeof stats);
    memset(&event, 0xff, sizeof event);
    pair_open(&pair, NULL);
    assert_int_equal(shmipc_get_info(pair.host, &info), SHMIPC_OK);
    assert_true(is_zero(info.reserved, sizeof info.reserved));
    assert_int_equal(shmipc_get_stats(pair.host, &stats), SHMIPC_OK);
    assert_true(is_zero(stats.reserved, sizeof stats.reserved));
    memset(&stats, 0xff, sizeof stats);
    assert_int_equal(shmipc_get_slot_stats(pair.host, 0, &stats), SHMIPC_OK);
    assert_true(is_zero(stats.reserved, sizeof stats.reserved));
    assert_int_equal(shmipc_next_event(pair.host, SECOND, &event), SHMIPC_OK);
    assert_true(is_zero(&event.reserved, sizeof event.reserved));
    pair_close(&pair);
}

static void a_handler_sees_a_reserve_of_0_whatever_the_caller_had_there(void **state) {
    (void)state;
    struct pair pair;
    struct server server;
    shmipc_request request = {.data = "hello", .length = 5};
    memset(request.reserved, 0xff, sizeof request.reserved);
    pair_open(&pair, NULL);
    server_start(&server, pair.guest, check_reserves, NULL);
    assert_int_equal(shmipc_call(pair.host, &request, NULL, 20 * SECOND), SHMIPC_OK);
    assert_int_equal(server_stop(&server), SHMIPC_E_WOKEN);
    pair_close(&pair);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_smaller_size_has_defaults_for_the_rest),
        watched_test(a_host_of_each_smaller_size_is_created),
        watched_test(a_guest_of_each_smaller_size_attaches),
        watched_test(sizes_of_no_header_are_refused_with_both_figures),
        watched_test(members_of_later_versions_are_taken_only_if_they_are_0),
        watched_test(a_call_refuses_flags_that_it_does_not_know),
        watched_test(structures_that_the_library_fills_in_have_a_reserve_of_0),
        watched_test(a_handler_sees_a_reserve_of_0_whatever_the_caller_had_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
