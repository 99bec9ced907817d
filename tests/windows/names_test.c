/*
 * What a name may meet on Windows: other objects of that name, objects that somebody else made of a
 * name that nobody else can know, hosts that live and hosts that do not; and who may open what.
 */
#include "support/fixture.h"

#include "peer.h"

#include <stdio.h>
#include <string.h>
#include <windows.h>

#include <aclapi.h>
#include <sddl.h>

static uint64_t next_nonce; /* 0: a random one */

/* Named for the linker, which puts ours in place of the library's. */
uint64_t real_nonce(void) __asm__("__real_shmi_random_nonce");
uint64_t chosen_nonce(void) __asm__("__wrap_shmi_random_nonce");

uint64_t chosen_nonce(void) {
    return next_nonce != 0 ? next_nonce : real_nonce();
}

enum { NONCE = 0x1234abcd };

struct directory_bytes {
    char magic[8];
    uint64_t nonce;
    uint64_t started;
    uint32_t pid;
};

static HANDLE make_section(const char *name, const char *sddl, const void *bytes, size_t length) {
    SECURITY_ATTRIBUTES attributes = {.nLength = sizeof attributes};
    must(ConvertStringSecurityDescriptorToSecurityDescriptorA(
        sddl, SDDL_REVISION_1, &attributes.lpSecurityDescriptor, NULL));
    HANDLE section =
        CreateFileMappingA(INVALID_HANDLE_VALUE, &attributes, PAGE_READWRITE, 0, 4096, name);
    must(section != NULL);
    void *view = MapViewOfFile(section, FILE_MAP_WRITE, 0, 0, 0);
    must(view != NULL);
    memcpy(view, bytes, length);
    UnmapViewOfFile(view);
    LocalFree(attributes.lpSecurityDescriptor);
    return section;
}

static HANDLE plant_directory(const char *region, const void *bytes, size_t length) {
    char name[128];
    (void)snprintf(name, sizeof name, "Local\\shmipc.%s", region);
    return make_section(name, "D:(A;;GA;;;WD)", bytes, length);
}

static int create(const char *region) {
    const shmipc_host_config config = test_host_config();
    shmipc_peer *host;
    int error = shmipc_host_create(region, &config, &host);
    shmipc_free(host);
    return error;
}

static int attach(const char *region) {
    shmipc_peer *guest;
    int error = shmipc_guest_attach(region, NULL, 0, &guest);
    shmipc_free(guest);
    return error;
}

static void assert_says(const char *text) {
    if (strstr(shmipc_last_error(), text) == NULL)
        fail_msg("\"%s\" does not say \"%s\"", shmipc_last_error(), text);
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

/* A lock that somebody holds proves nothing if the process that the directory names is another. */
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

/* ---- Permissions ---- */

/* The permissions of the region's section, as text to be freed by LocalFree. */
static char *permissions_of(const shmipc_peer *host) {
    char name[64];
    char *text = NULL;
    PSECURITY_DESCRIPTOR descriptor;
    (void)snprintf(name, sizeof name, "Local\\shmipc-%016llx",
                   (unsigned long long)host->region.shared->header.nonce);
    HANDLE section = OpenFileMappingA(READ_CONTROL, FALSE, name);
    must(section != NULL);
    must_equal(GetSecurityInfo(section, SE_KERNEL_OBJECT, DACL_SECURITY_INFORMATION, NULL, NULL,
                               NULL, NULL, &descriptor),
               0);
    must(ConvertSecurityDescriptorToStringSecurityDescriptorA(
        descriptor, SDDL_REVISION_1, DACL_SECURITY_INFORMATION, &text, NULL));
    LocalFree(descriptor);
    CloseHandle(section);
    return text;
}

static char *user_sid(void) {
    BYTE bytes[256];
    DWORD size;
    HANDLE token;
    char *text = NULL;
    must(OpenProcessToken(GetCurrentProcess(), TOKEN_QUERY, &token));
    must(GetTokenInformation(token, TokenUser, bytes, sizeof bytes, &size));
    must(ConvertSidToStringSidA(((TOKEN_USER *)(void *)bytes)->User.Sid, &text));
    CloseHandle(token);
    return text;
}

static unsigned count_entries(const char *permissions) {
    unsigned count = 0;
    for (const char *c = permissions; *c != 0; c++)
        count += *c == '(';
    return count;
}

static void by_default_the_user_alone_may_open_a_region(void **state) {
    (void)state;
    struct pair pair;
    pair_open(&pair, NULL);
    char *permissions = permissions_of(pair.host);
    char *user = user_sid();
    assert_int_equal(count_entries(permissions), 1);
    assert_non_null(strstr(permissions, user));
    LocalFree(permissions);
    LocalFree(user);
    pair_close(&pair);
}

static void the_hosts_permissions_are_as_asked(void **state) {
    (void)state;
    shmipc_host_config config = test_host_config();
    struct pair pair;
    config.sddl = "D:P(A;;GA;;;WD)(A;;GA;;;SY)";
    pair_open(&pair, &config);
    char *permissions = permissions_of(pair.host);
    assert_int_equal(count_entries(permissions), 2);
    assert_non_null(strstr(permissions, ";WD)"));
    LocalFree(permissions);
    pair_close(&pair);
    config.sddl = "all for everybody";
    assert_int_equal(shmipc_host_create(pair.name.text, &config, &pair.host), SHMIPC_E_INVALID);
    assert_says("sddl");
}

static void a_guest_has_no_owner_to_name(void **state) {
    (void)state;
    shmipc_guest_config config = test_guest_config();
    shmipc_peer *guest;
    config.owner = 1000;
    assert_int_equal(shmipc_guest_attach("x", &config, 0, &guest), SHMIPC_E_INVALID);
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
        watched_test(a_region_that_exists_already_is_not_used),
        watched_test(a_lock_that_exists_already_is_not_used),
        watched_test(a_name_beyond_ascii_leads_to_its_region),
        watched_test(a_global_name_is_another_name),
        watched_test(by_default_the_user_alone_may_open_a_region),
        watched_test(the_hosts_permissions_are_as_asked),
        watched_test(a_guest_has_no_owner_to_name),
    };
    return cmocka_run_group_tests_name("names", tests, NULL, NULL);
}
