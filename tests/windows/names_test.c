/*
 * Conflicts of names on Windows: other objects of the name, objects that another process made
 * under a name that only we can know, live and dead hosts.
 */
#include "support/fixture.h"
#include "windows/objects.h"

#include "peer/peer.h"
#include "platform/win32/object.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

static uint64_t next_nonce; /* 0: a random one */

/* Named for the linker, which puts ours in place of the library's. */
uint64_t real_nonce(void) __asm__("__real_shmi_random_nonce");
uint64_t chosen_nonce(void) __asm__("__wrap_shmi_random_nonce");

uint64_t chosen_nonce(void) {
    return next_nonce != 0 ? next_nonce : real_nonce();
}

/* ---- The directory ---- */

static void a_section_that_is_no_directory_is_refused(void **state) {
    (void)state;
    struct region_name name = new_name();
    HANDLE squatter = plant_directory(name.text, "something", 9);
    assert_int_equal(create(name.text), SHMIPC_E_NOT_A_REGION);
    assert_says("begins with");
    assert_int_equal(attach(name.text), SHMIPC_E_NOT_A_REGION);
    CloseHandle(squatter);
    assert_int_equal(create(name.text), SHMIPC_OK);
}

static void an_object_of_another_kind_is_refused(void **state) {
    (void)state;
    struct region_name name = new_name();
    char directory[128];
    (void)snprintf(directory, sizeof directory, "Local\\shmipc.%s", name.text);
    HANDLE squatter = CreateEventA(NULL, FALSE, FALSE, directory);
    assert_int_equal(create(name.text), SHMIPC_E_NOT_A_REGION);
    assert_says("another kind");
    assert_int_equal(shmipc_last_os_error(), ERROR_INVALID_HANDLE);
    assert_int_equal(attach(name.text), SHMIPC_E_NOT_A_REGION);
    CloseHandle(squatter);
    assert_int_equal(create(name.text), SHMIPC_OK);
}

static void a_directory_that_is_not_written_yet_names_nothing(void **state) {
    (void)state;
    struct region_name name = new_name();
    HANDLE fresh = plant_directory(name.text, "", 1);
    assert_int_equal(attach(name.text), SHMIPC_E_NOT_FOUND);
    assert_int_equal(create(name.text), SHMIPC_OK);
    CloseHandle(fresh);
}

static void a_directory_that_may_not_be_opened_is_denied(void **state) {
    (void)state;
    struct region_name name = new_name();
    char directory[128];
    (void)snprintf(directory, sizeof directory, "Local\\shmipc.%s", name.text);
    HANDLE squatter = make_section(directory, "D:P(D;;GA;;;WD)", "", 1);
    assert_int_equal(create(name.text), SHMIPC_E_DENIED);
    assert_int_equal(attach(name.text), SHMIPC_E_DENIED);
    CloseHandle(squatter);
}

static void a_name_that_is_being_taken_over_is_in_use(void **state) {
    (void)state;
    struct region_name name = new_name();
    char lock[128];
    (void)snprintf(lock, sizeof lock, "Local\\shmipc!%s", name.text);
    HANDLE event = CreateEventA(NULL, FALSE, FALSE, lock);
    assert_int_equal(create(name.text), SHMIPC_E_NAME_IN_USE);
    assert_says("taken over");
    CloseHandle(event);
    assert_int_equal(create(name.text), SHMIPC_OK);
}

/* A held lock proves nothing if the directory names another process than the holder. */
static void a_host_is_known_by_its_process_too(void **state) {
    (void)state;
    struct region_name name = new_name();
    struct directory_bytes bytes = {.nonce = NONCE, .pid = GetCurrentProcessId()};
    memcpy(bytes.magic, "SHMIPCD\n", 8);
    bytes.started = shmi_process_origin();
    HANDLE lock = CreateEventA(NULL, FALSE, FALSE, "Local\\shmipc-000000001234abcd-lock-0");
    HANDLE directory = plant_directory(name.text, &bytes, sizeof bytes);
    assert_int_equal(create(name.text), SHMIPC_E_NAME_IN_USE);
    assert_says("live host");
    CloseHandle(directory);
    bytes.started++; /* the id was given to another process since */
    directory = plant_directory(name.text, &bytes, sizeof bytes);
    assert_int_equal(create(name.text), SHMIPC_OK);
    CloseHandle(directory);
    CloseHandle(lock);
}

static void a_second_host_is_refused_and_changes_nothing(void **state) {
    (void)state;
    struct pair pair;
    struct server server;
    pair_open(&pair, NULL);
    server_start(&server, pair.guest, echo_handler, NULL);
    const shmipc_request nothing = {.data = NULL};
    for (int i = 0; i < 100; i++) {
        assert_int_equal(create(pair.name.text), SHMIPC_E_NAME_IN_USE);
        assert_int_equal(shmipc_call(pair.host, &nothing, NULL, 20 * SECOND), SHMIPC_OK);
    }
    assert_int_equal(attach(pair.name.text), SHMIPC_OK);
    assert_int_equal(server_stop(&server), SHMIPC_E_WOKEN);
    pair_close(&pair);
}

/* Memory that is reserved only faults where it is touched. */
static void memory_that_is_reserved_only_is_not_touched(void **state) {
    (void)state;
    const struct directory_bytes bytes = {.magic = "SHMIPCD\n", .nonce = NONCE};
    struct region_name name = new_name();
    char directory[128];
    (void)snprintf(directory, sizeof directory, "Local\\shmipc.%s", name.text);
    HANDLE squatter = make_section_of(directory, "D:(A;;GA;;;WD)", SEC_RESERVE, 4096);
    assert_int_equal(attach(name.text), SHMIPC_E_NOT_A_REGION);
    assert_int_equal(create(name.text), SHMIPC_E_NOT_A_REGION);
    CloseHandle(squatter);
    squatter =
        make_section_of("Local\\shmipc-000000001234abcd", "D:(A;;GA;;;WD)", SEC_RESERVE, 1 << 20);
    HANDLE planted = plant_directory(name.text, &bytes, sizeof bytes);
    assert_int_equal(attach(name.text), SHMIPC_E_TRUNCATED);
    CloseHandle(planted);
    CloseHandle(squatter);
}

/* A name that may not be looked at is not taken for one that has gone. */
static void a_name_that_cannot_be_looked_at_is_not_gone(void **state) {
    (void)state;
    struct pair pair;
    char directory[128];
    pair_open(&pair, NULL);
    struct object *object = pair.guest->region.object;
    assert_true(shmi_object_has_name(object));
    (void)shmi_object_unpublish(pair.host->region.object);
    assert_false(shmi_object_has_name(object));
    (void)snprintf(directory, sizeof directory, "Local\\shmipc.%s", pair.name.text);
    HANDLE closed = make_section(directory, "D:P(D;;GA;;;WD)", "", 1);
    assert_true(shmi_object_has_name(object));
    CloseHandle(closed);
    assert_false(shmi_object_has_name(object));
    pair_close(&pair);
}

/* ---- Names that nobody else can know ---- */

static void a_region_that_exists_already_is_not_used(void **state) {
    (void)state;
    struct region_name name = new_name();
    next_nonce = NONCE;
    HANDLE squatter = make_section("Local\\shmipc-000000001234abcd", "D:(A;;GA;;;WD)", "", 1);
    assert_int_equal(create(name.text), SHMIPC_E_DENIED);
    assert_int_equal(shmipc_last_os_error(), ERROR_ALREADY_EXISTS);
    assert_says("nobody else can know");
    CloseHandle(squatter);
    assert_int_equal(create(name.text), SHMIPC_OK);
    next_nonce = 0;
}

static void a_lock_that_exists_already_is_not_used(void **state) {
    (void)state;
    struct region_name name = new_name();
    next_nonce = NONCE;
    HANDLE squatter = CreateEventA(NULL, FALSE, FALSE, "Local\\shmipc-000000001234abcd-lock-0");
    assert_int_equal(create(name.text), SHMIPC_E_DENIED);
    assert_says("holds the lock");
    CloseHandle(squatter);
    assert_int_equal(create(name.text), SHMIPC_OK);
    next_nonce = 0;
}

/* ---- Unicode and sessions ---- */

static void found_one(void *context, const char *name) {
    (void)context;
    fail_msg("%s is said to be left behind", name);
}

static void hosts_cannot_be_found(void **state) {
    (void)state;
    shmipc_finder *finder;
    assert_int_equal(shmipc_finder_create(NULL, &finder), SHMIPC_E_NOT_SUPPORTED);
    assert_null(finder);
}

static void a_host_leaves_no_name_to_be_removed(void **state) {
    (void)state;
    const shmipc_host_config config = test_host_config();
    struct region_name name = new_name();
    shmipc_peer *host;
    assert_int_equal(shmipc_host_create(name.text, &config, &host), SHMIPC_OK);
    assert_int_equal(shmipc_remove_dead_region(name.text), SHMIPC_E_NAME_IN_USE);
    assert_int_equal(shmipc_dead_regions(NULL, found_one, NULL), 0);
    assert_int_equal(shmipc_remove_dead_regions(NULL), 0);
    assert_int_equal(attach(name.text), SHMIPC_OK);
    shmipc_free(host);
    assert_int_equal(shmipc_remove_dead_region(name.text), SHMIPC_E_NOT_FOUND);
}

static void a_name_beyond_ascii_leads_to_its_region(void **state) {
    (void)state;
    static const char *const endings[] = {"Größe", "区域", "\xf0\x9f\x9a\x80"};
    for (unsigned i = 0; i < sizeof endings / sizeof *endings; i++) {
        char name[128];
        const shmipc_host_config config = test_host_config();
        shmipc_peer *host;
        (void)snprintf(name, sizeof name, "%s-%s", new_name().text, endings[i]);
        assert_int_equal(shmipc_host_create(name, &config, &host), SHMIPC_OK);
        assert_int_equal(attach(name), SHMIPC_OK);
        name[strlen(name) - 1]--;
        assert_int_not_equal(attach(name), SHMIPC_OK);
        shmipc_free(host);
    }
}

static void a_global_name_is_another_name(void **state) {
    (void)state;
    struct region_name name = new_name();
    shmipc_host_config host_config = test_host_config();
    shmipc_guest_config guest_config = test_guest_config();
    shmipc_peer *host;
    shmipc_peer *guest;
    host_config.flags = SHMIPC_GLOBAL;
    assert_int_equal(shmipc_host_create(name.text, &host_config, &host), SHMIPC_OK);
    assert_int_equal(attach(name.text), SHMIPC_E_NOT_FOUND);
    guest_config.flags = SHMIPC_GLOBAL;
    assert_int_equal(shmipc_guest_attach(name.text, &guest_config, 0, &guest), SHMIPC_OK);
    assert_int_equal(create(name.text), SHMIPC_OK); /* the session's own */
    shmipc_free(guest);
    shmipc_free(host);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        watched_test(a_section_that_is_no_directory_is_refused),
        watched_test(an_object_of_another_kind_is_refused),
        watched_test(a_directory_that_is_not_written_yet_names_nothing),
        watched_test(a_directory_that_may_not_be_opened_is_denied),
        watched_test(a_name_that_is_being_taken_over_is_in_use),
        watched_test(a_host_is_known_by_its_process_too),
        watched_test(a_second_host_is_refused_and_changes_nothing),
        watched_test(memory_that_is_reserved_only_is_not_touched),
        watched_test(a_name_that_cannot_be_looked_at_is_not_gone),
        watched_test(a_region_that_exists_already_is_not_used),
        watched_test(a_lock_that_exists_already_is_not_used),
        watched_test(hosts_cannot_be_found),
        watched_test(a_host_leaves_no_name_to_be_removed),
        watched_test(a_name_beyond_ascii_leads_to_its_region),
        watched_test(a_global_name_is_another_name),
    };
    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
